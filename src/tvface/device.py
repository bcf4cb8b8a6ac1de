"""Where the networks run."""

from __future__ import annotations

import torch


def torch_device(name: str) -> torch.device:
    """Return the device of the setting ``device``: the named one; ``auto`` is CUDA where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else torch.device(name)
