"""torchvision's deformable convolution, on any device: the reference for the others.

It is a separate module, imported where the backend is used: torchvision imports ``torch._dynamo`` and sympy, which
doubles the time until a reconstruction starts.
"""

from __future__ import annotations

import torch
import torchvision.ops


def deform_conv2d(
    value: torch.Tensor, offset: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Convolve as :func:`tvface.networks.deformable.deform_conv2d`, all tensors in one dtype."""
    return torchvision.ops.deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)
