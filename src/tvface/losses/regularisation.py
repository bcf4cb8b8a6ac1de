"""Regularisers of the codes and of the light."""

from __future__ import annotations

import torch


def code_energy(code: torch.Tensor) -> torch.Tensor:
    """Half the SUM of squares over batch and coefficients: shape, expression and albedo codes (B, n) -> scalar."""
    return code.square().sum() / 2


def light_loss(light: torch.Tensor) -> torch.Tensor:
    """Pull the light to white.

    Args:
        light: (B, 9, 3) spherical harmonics coefficients per band and colour.

    Returns:
        Scalar: mean squared difference of each coefficient from the mean over its three colours.
    """
    return (light.mean(dim=2, keepdim=True) - light).square().mean()
