"""Soft symmetry of displacement where the face is not seen."""

from __future__ import annotations

import torch
from torch.nn import functional as F

WINDOW = 5


def erode(mask: torch.Tensor) -> torch.Tensor:
    """Binary erosion by a 5 x 5 square.

    Args:
        mask: (B, 1, U, U); any value but zero is foreground, and outside of the map is background.

    Returns:
        (B, 1, U, U) in {0, 1}, dtype of ``mask``.
    """
    background = F.pad((mask == 0).to(mask.dtype), (WINDOW // 2,) * 4, value=1.0)
    return 1 - F.max_pool2d(background, WINDOW, stride=1)


def symmetry_loss(displacement: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """SUM of the difference from the mirrored displacement over what is not seen.

    Args:
        displacement: (B, 1, U, U) metres. Its mirror image is a constant: what is seen pulls what is not.
        visible: (B, 1, U, U) in [0, 1], eroded here.

    Returns:
        Scalar, in metres, over batch and pixels.
    """
    hidden = 1 - erode(visible)
    return (hidden * (displacement - displacement.flip(-1).detach()).abs()).sum()
