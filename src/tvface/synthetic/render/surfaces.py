"""What the renderer draws: textured surfaces with relief, and a person posed before the camera."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tvface.synthetic.render import kernels
from tvface.synthetic.render.occlusion import Shadow


@dataclass(frozen=True)
class Relief:
    """Height of the skin over the mesh.

    maps: for each fold its height (size, size) float32 in mm, and halvings; boxes: as many windows (rows, columns)
    outside which they are 0; amounts: (K,).
    """

    maps: tuple[tuple[np.ndarray, ...], ...]
    amounts: np.ndarray
    boxes: tuple[tuple[tuple[slice, slice], ...], ...]

    def at(self, level: int) -> np.ndarray:
        """Return the height in metres after ``level`` halvings of the texture: (h, w) float32."""
        total = np.zeros_like(self.maps[0][min(level, len(self.maps[0]) - 1)])
        for levels, boxes, amount in zip(self.maps, self.boxes, self.amounts, strict=True):
            if amount:
                box = boxes[min(level, len(levels) - 1)]
                total[box] += np.float32(amount * 1e-3) * levels[min(level, len(levels) - 1)][box]
        return total


def filled_box(image: np.ndarray) -> tuple[slice, slice]:
    """Return rows and columns of the smallest window outside which a picture (H, W) is 0."""
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


@dataclass(frozen=True)
class Surface:
    """A textured mesh in camera coordinates (metres; x right, y up, z to the camera, camera at the origin).

    vertices, normals: (V, 3) float32; faces (F, 3) int32; corners (F, 3, 2) float32 texel coordinates; levels: the
    colour texture (h, w, 3) uint8 and its halvings; labels (h, w) uint8; gloss: strength of the highlight; relief: fine
    detail below the mesh's resolution; shadow: the head's self-occlusion. alpha: (h, w) uint8, opacity of the texels,
    empty for an opaque mesh. reach: (V,) float32, share of the light that arrives where there is no ``shadow``. sheen:
    where it shines, as many levels as the colour has, None for hair and cloth.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    corners: np.ndarray
    levels: tuple[np.ndarray, ...]
    labels: np.ndarray
    gloss: float
    relief: Relief | None = None
    shadow: Shadow | None = None
    alpha: np.ndarray = dataclasses.field(default_factory=lambda: kernels.NO_ALPHA)
    reach: np.ndarray | None = None
    sheen: tuple[np.ndarray, ...] | None = None


@dataclass(frozen=True)
class Posed:
    """A person in front of the camera: surfaces, 68 points (68, 3) float32 with the yaw-dependent contour, the head's
    rotation (3, 3) float64 from the neutral to the camera's axes, and the vertices (V, 3) float32 of the bare head."""

    surfaces: tuple[Surface, ...]
    landmarks: np.ndarray
    rotation: np.ndarray
    vertices: np.ndarray

    @property
    def angles(self) -> tuple[float, float, float]:
        """Yaw (positive to the picture's right), pitch (positive looks down) and roll (positive tilts the crown to the
        picture's left) in degrees, rotation = Rz(roll) Ry(yaw) Rx(pitch)."""
        r = self.rotation
        yaw = np.degrees(np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0])))
        pitch = np.degrees(np.arctan2(r[2, 1], r[2, 2]))
        roll = np.degrees(np.arctan2(r[1, 0], r[0, 0]))
        return float(yaw), float(pitch), float(roll)
