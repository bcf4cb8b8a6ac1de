"""Linear albedo model in UV."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvface.head.data import HeadData


class AlbedoModel(nn.Module):
    """Mean and basis of the albedo.

    Args:
        data: the head model; its albedo is RGB.
        n_texture: number of coefficients n, at most the number of stored columns.
        size: side of the output in pixels; another size than the stored one is sampled at the nearest pixel, as in
            DECA's ``FLAMETex``.

    Raises:
        ValueError: the head has fewer columns.
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, data: HeadData, n_texture: int, size: int) -> None:
        super().__init__()
        stored = len(data.albedo_basis)
        if n_texture > stored:
            raise ValueError(f"head.n_texture = {n_texture}: this head has {stored} albedo columns; lower the setting")
        mean = torch.from_numpy(data.albedo_mean).permute(2, 0, 1)[None]
        basis = torch.from_numpy(data.albedo_basis[:n_texture].astype("float32")).permute(0, 3, 1, 2)
        # Resizing is linear and equal for all columns, so it is done once.
        self.register_buffer("mean", functional.interpolate(mean, (size, size)).contiguous())
        self.register_buffer("basis", functional.interpolate(basis, (size, size)).reshape(n_texture, -1).contiguous())
        self.size = size

    def forward(self, texture: Tensor) -> Tensor:
        """Return the albedo (B,3,size,size), RGB, row 0 at v = 1; not clamped.

        Args:
            texture: (B,n) coefficients, unit normal.
        """
        return self.mean + (texture @ self.basis).reshape(-1, 3, self.size, self.size)
