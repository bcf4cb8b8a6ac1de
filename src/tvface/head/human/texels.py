"""Where every texel of the head's texture lies on the mean head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tvface.head.human.stored import Stored


@dataclass(frozen=True)
class Texels:
    """Arrays (size,size,...), row 0 at v = 1; outside the layout (``covered`` is false) the values of the nearest
    texel.

    face: triangle; bary: (...,3); x, y, z: mm on the mean head; u, v: place in the layout, v up; part and piece: of
    the triangle (:mod:`tvface.head.human.cut`, ``notes["pieces"]``); lips, ears: masks in [0,1].
    """

    covered: np.ndarray
    face: np.ndarray
    bary: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    u: np.ndarray
    v: np.ndarray
    part: np.ndarray
    piece: np.ndarray
    lips: np.ndarray
    ears: np.ndarray

    @property
    def azimuth(self) -> np.ndarray:
        """Return the angle about the vertical axis in degrees, 0 in front, positive to the subject's left."""
        return np.asarray(np.degrees(np.arctan2(self.x, self.z)))


def texels(head: Stored, size: int) -> Texels:
    """Return the places of all pixel centres of a size x size image of the layout."""
    corners = np.stack([head.uv[:, 0] * size - 0.5, (1 - head.uv[:, 1]) * size - 0.5], 1)[head.uv_faces]
    face, bary = _rasterised(corners, size)
    covered = face >= 0
    row, column = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    face, bary = face[row, column], bary[row, column]
    vertices = head.faces[face]

    def mixed(values: np.ndarray) -> np.ndarray:
        return np.asarray((values[vertices] * bary).sum(-1))

    x, y, z = (mixed(head.template[:, k]) for k in range(3))
    u, v = (np.asarray((head.uv[head.uv_faces[face], k] * bary).sum(-1)) for k in (0, 1))
    piece = np.repeat(head.piece, 2)[face]
    part = head.part[vertices[..., 0]]
    return Texels(covered, face, bary, x, y, z, u, v, part, piece, mixed(head.lips), mixed(head.ears))


def _rasterised(corners: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the triangle (size,size), -1 outside, and the barycentric weights (size,size,3) at pixel centres.

    corners: (F,3,2) in pixels, centres at integers. The layout has no overlaps, so the order does not matter.
    """
    low = np.clip(np.ceil(corners.min(1)), 0, size - 1).astype(np.int64)
    high = np.clip(np.floor(corners.max(1)), 0, size - 1).astype(np.int64)
    span = np.maximum(high - low + 1, 0)
    count = span.prod(1)
    owner = np.repeat(np.arange(len(corners)), count)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    px = low[owner, 0] + place % span[owner, 0]
    py = low[owner, 1] + place // span[owner, 0]
    a, b, c = np.moveaxis(corners[owner], 1, 0)
    area = _cross(b - a, c - a)
    p = np.stack([px, py], 1)
    w0, w1 = _cross(b - p, c - p) / area, _cross(c - p, a - p) / area
    weights = np.stack([w0, w1, 1 - w0 - w1], 1)
    inside = (weights > -1e-9).all(1)
    face = np.full((size, size), -1)
    bary = np.zeros((size, size, 3))
    face[py[inside], px[inside]] = owner[inside]
    bary[py[inside], px[inside]] = np.clip(weights[inside], 0, 1)
    return face, bary / np.maximum(bary.sum(-1, keepdims=True), 1e-12)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
