"""A textured mesh beside the head, and grids of triangles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tvface.synthetic.render import kernels


@dataclass(frozen=True)
class Part:
    """A textured mesh that follows the head or the trunk.

    vertices: (V, 3) float32 mm, frame of :class:`Atlas`; faces: (F, 3) int32; corners: (F, 3, 2) float32 texel
    coordinates; colour: (h, w, 3) uint8; labels: (h, w) uint8; trunk: (V,) float32, 0 follows the head, 1 the trunk.
    alpha: (h, w) uint8, opacity of the texels, empty for an opaque mesh. normals: (V, 3) float32 unit vectors, which
    turn with the head; None: those of the triangles. reach: (V,) float32, share of the light that arrives; None: all.
    seam: (K,) vertices of the head where the mesh, rings of K vertices, begins; None: it does not touch the head.
    gloss: strength of the highlight.
    """

    vertices: np.ndarray
    faces: np.ndarray
    corners: np.ndarray
    colour: np.ndarray
    labels: np.ndarray
    trunk: np.ndarray
    alpha: np.ndarray = field(default_factory=lambda: kernels.NO_ALPHA)
    normals: np.ndarray | None = None
    reach: np.ndarray | None = None
    seam: np.ndarray | None = None
    gloss: float = 0.0


def grid_faces(rows: int, columns: int, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Triangulate a grid of rows x columns vertices: faces (F, 3) and grid places of their corners (F, 3, 2)."""
    r, c = (index.ravel() for index in np.mgrid[0 : rows - 1, 0 : columns if closed else columns - 1])
    d = (c + 1) % columns
    a, b, e, f = r * columns + c, r * columns + d, (r + 1) * columns + c, (r + 1) * columns + d
    faces = np.stack([a, e, b, b, e, f], 1).reshape(-1, 3)
    places = np.stack([c, r, c, r + 1, c + 1, r, c + 1, r, c, r + 1, c + 1, r + 1], 1).reshape(-1, 3, 2)
    return faces.astype(np.int32), places.astype(np.float32)


def textured(places: np.ndarray, rows: int, columns: int, side: tuple[int, int]) -> np.ndarray:
    """Spread grid places over a texture of ``side`` = (height, width): (F, 3, 2) texel coordinates."""
    scale = np.array([(side[1] - 1) / max(columns, 1), (side[0] - 1) / max(rows - 1, 1)], np.float32)
    return places * scale
