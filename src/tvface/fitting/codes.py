"""Codes of one person's frames, as the fit finds them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.head.model import HeadModel

Array = NDArray[np.float32]


@dataclass(frozen=True)
class FittedCodes:
    """One shape and T frames: ``shape`` (S,), ``expression`` (T,E), ``rotation`` and ``jaw`` (T,3) axis-angle in rad,
    ``scale`` (T,) picture units per metre, ``shift`` (T,2) in metres: a point X of the posed head is seen at
    ``scale * (X + shift)``, x right, y up."""

    shape: Array
    expression: Array
    rotation: Array
    jaw: Array
    scale: Array
    shift: Array

    def __len__(self) -> int:
        return len(self.expression)

    @property
    def pose(self) -> Array:
        """Rotations of head and jaw, (T,6)."""
        return np.concatenate([self.rotation, self.jaw], 1)

    def take(self, rows: NDArray[np.int64] | slice) -> FittedCodes:
        """Return these frames, in order, with the same shape."""
        return replace(self, **{name: getattr(self, name)[rows] for name in PER_FRAME})

    @torch.no_grad()
    def points(self, head: HeadModel) -> Array:
        """Return the 68 points of the head in every frame, (T,68,2), x right, y up, in picture units."""
        shape = torch.from_numpy(self.shape).expand(len(self), -1)
        out = head(shape, torch.from_numpy(self.expression), torch.from_numpy(self.pose)).landmarks2d.numpy()
        return np.asarray(self.scale[:, None, None] * (out[..., :2] + self.shift[:, None]), np.float32)


PER_FRAME = tuple(field.name for field in fields(FittedCodes) if field.name != "shape")


def joined(parts: list[FittedCodes]) -> FittedCodes:
    """Return the frames of several parts with the shape of the first."""
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in PER_FRAME})
