"""Pixels of a rasterised picture whose face float32 leaves open.

A pixel centre that lies on an edge within the rounding of the vertices belongs to one face on one processor and to its
neighbour, or to none, on another. So does one where two surfaces meet in depth. These pixels are found from the
geometry alone, in float64, without looking at any picture; all others must agree exactly.
"""

from __future__ import annotations

import numpy as np

from tests.reference.checks.rounding import ROUNDING, TIMES, Result, as_array, moved
from tvface.rendering.rasterizer import DEPTH_SHIFT, pixel_centres

DEPTH = 8 * 2.0**-23 * (DEPTH_SHIFT + 1)
"""Depths are compared after the shift, so their last digits are those of numbers up to 11."""
LEAST_AREA = 4e-8
"""Twice the area below which a triangle may be dropped, or turned by the 1e-8 that is added to it."""


def undecided(vertices: Result, faces: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the pixels (B, 1, H, W) bool whose face may differ between processors.

    Args:
        vertices: (B, V, 3) in normalised image coordinates, with what disturbed runs made of them: how far a vertex
            may be off follows from that as any tolerance does.
        faces: (F, 3) indices.
    """
    exact = as_array(vertices.value).astype(np.float64)
    reach = ROUNDING * float(np.abs(exact).max()) + TIMES * moved(vertices).largest
    if width != height:  # the longer side spans more than [-1, 1]
        exact = exact * ([width / height, 1.0, 1.0] if width > height else [1.0, height / width, 1.0])
    columns, rows = (pixel_centres(*sides).astype(np.float64) for sides in ((width, height), (height, width)))
    return np.stack([_open(one[faces], rows, columns, reach) for one in exact])[:, None]


def near(value: Result, threshold: float) -> np.ndarray:
    """Return where an image lies so near to a threshold that it may be on its other side elsewhere."""
    reach = ROUNDING * float(np.abs(as_array(value.value)).max()) + TIMES * moved(value).typical
    return np.abs(as_array(value.value) - threshold) <= reach


def _open(corners: np.ndarray, rows: np.ndarray, columns: np.ndarray, reach: float) -> np.ndarray:
    """The same for the triangles (F, 3, 3) of one picture; ``reach``: how far a corner may be off."""
    shape = (len(rows), len(columns))
    nearest, second, doubtful = (np.full(shape, np.inf) for _ in range(3))
    low, high = corners[..., :2].min(1) - reach, corners[..., :2].max(1) + reach
    left, right = np.searchsorted(columns, low[:, 0]), np.searchsorted(columns, high[:, 0], "right")
    top, bottom = np.searchsorted(rows, low[:, 1]), np.searchsorted(rows, high[:, 1], "right")
    for index in np.flatnonzero((left < right) & (top < bottom)):
        place = np.s_[top[index] : bottom[index], left[index] : right[index]]
        inside, depth, is_sliver = _distances(corners[index], rows[place[0], None], columns[None, place[1]])
        possible, sure = (inside >= -reach) | is_sliver, (inside > reach) & (not is_sliver)
        behind = np.where(sure, depth, np.inf)
        second[place] = np.minimum(second[place], np.maximum(nearest[place], behind))
        nearest[place] = np.minimum(nearest[place], behind)
        doubtful[place] = np.minimum(doubtful[place], np.where(possible & ~sure, depth, np.inf))
    slack = DEPTH + reach
    return ((doubtful < np.inf) & (doubtful <= nearest + slack)) | ((second < np.inf) & (second <= nearest + slack))


def _distances(triangle: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return how far pixels lie inside a triangle (negative: outside), its depth there, and whether it is a sliver."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = triangle
    area = (cx - ax) * (by - ay) - (cy - ay) * (bx - ax)
    edges = []
    inside = None
    for px, py, qx, qy in ((bx, by, cx, cy), (cx, cy, ax, ay), (ax, ay, bx, by)):
        edge = ((x - px) * (qy - py) - (y - py) * (qx - px)) * (1 if area >= 0 else -1)
        distance = edge / max(float(np.hypot(qx - px, qy - py)), 1e-30)
        inside = distance if inside is None else np.minimum(inside, distance)
        edges.append(edge)
    assert inside is not None
    if abs(area) < LEAST_AREA:
        return inside, np.full(inside.shape, min(az, bz, cz)), True
    depth = sum(edge * z for edge, z in zip(edges, (az, bz, cz), strict=True)) / abs(area)
    # Beyond an edge the plane goes on, but no further than the corners' depths.
    return inside, np.clip(depth, min(az, bz, cz), max(az, bz, cz)), False
