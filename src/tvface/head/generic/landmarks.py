"""The 68 points of 300-W on the generic head: 51 static ones, the jaw by yaw, the jaw of the 3D convention.

Brows, ridge and foot of the nose are lower than the sculpted features: as low as annotators put them on three
photographs of LFPW and on the portraits of ``resources/portraits.tsv``.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from tvface.head.data import CONTOUR_ROWS
from tvface.head.generic.grid import Grid
from tvface.head.generic.parts import SKIN, parts
from tvface.head.generic.sculpt import grid, skin, smoothstep

# frontal (x, y) in mm of the points on the subject's right; the others are mirrored
_BROW = ((-51, 14.5), (-43.5, 19.0), (-35, 20.5), (-26, 19.3), (-16.5, 16.6))
_RIDGE = ((0, 1), (0, -11), (0, -22.5), (0, -34))
_FOOT = ((-12.0, -44.0), (-6.3, -46.4), (0, -48.5))
_UPPER_LIP = ((-16, -60.3), (-6, -57.6), (0, -58.4))
_LOWER_LIP = ((0, -75.2), (-8, -74.4), (-16, -71.2))
_INNER_LIP = (9.0, 0.0, -9.0)
JAW = np.array(
    [
        [-72, 0, 14],
        [-71.5, -18, 16],
        [-70, -36, 18],
        [-66.5, -53, 22],
        [-60, -69, 30],
        [-52, -84, 42],
        [-41, -97, 58],
        [-24, -107, 72],
        [0, -111.5, 80],
    ],
    float,
)
_CONTOUR_CENTRE = np.array([0, -30, 45.0])

Embedding = tuple[np.ndarray, np.ndarray]


def _mirror(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    return [(-x, y) for x, y in reversed(points)]


class _Surface:
    """The skin, and points on it as (face, barycentric weights)."""

    def __init__(self) -> None:
        p = parts()
        self.faces = p.faces[p.face_part == SKIN]
        self.position = skin().position
        corners = self.position[self.faces]
        self.normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.corners = corners

    def frontal(self, x: float, y: float) -> Embedding:
        """Return the foremost front-facing point at frontal (x, y)."""
        a, b, c = np.moveaxis(self.corners[:, :, :2], 1, 0)
        area = self.normal[:, 2]
        safe = np.where(np.abs(area) < 1e-9, 1.0, area)
        p = np.array([x, y], float)
        w1 = _cross(p - a, c - a) / safe
        w2 = _cross(b - a, p - a) / safe
        bary = np.stack([1 - w1 - w2, w1, w2], 1)
        hit = (area > 1e-9) & (bary > -1e-7).all(1)
        if not hit.any():
            raise RuntimeError(f"no skin at x = {x}, y = {y} mm of the generic head")
        depth = np.where(hit, (bary * self.corners[:, :, 2]).sum(1), -np.inf)
        face = int(np.argmax(depth))
        weights = np.clip(bary[face], 0, 1)
        return np.array([face]), (weights / weights.sum())[None]

    def on_edge(self, first: int, second: int, share: float) -> Embedding:
        """Return the point at ``share`` of the way from vertex ``first`` to ``second``, which share a face."""
        face = int(np.flatnonzero((self.faces == first).any(1) & (self.faces == second).any(1))[0])
        weights = (self.faces[face] == first) * (1.0 - share)
        if second != first:
            weights = weights + (self.faces[face] == second) * share
        return np.array([face]), (weights / weights.sum())[None]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _join(items: list[Embedding]) -> Embedding:
    return np.concatenate([i[0] for i in items]), np.concatenate([i[1] for i in items])


def _at_u(surface: _Surface, g: Grid, row: int, columns: np.ndarray, copies: np.ndarray, u: float) -> Embedding:
    """Return the point at share ``u`` of a slit's columns, on one of its copies."""
    place = u * (len(columns) - 1)
    k = min(int(place), len(columns) - 2)
    return surface.on_edge(int(copies[row, columns[k]]), int(copies[row, columns[k + 1]]), place - k)


def _at_x(surface: _Surface, row: int, columns: np.ndarray, copies: np.ndarray, x: float) -> Embedding:
    xs = surface.position[copies[row, columns], 0]
    k = int(np.clip(np.searchsorted(xs, x) - 1, 0, len(columns) - 2))
    share = float(np.clip((x - xs[k]) / (xs[k + 1] - xs[k]), 0, 1))
    return surface.on_edge(int(copies[row, columns[k]]), int(copies[row, columns[k + 1]]), share)


def static_embedding() -> Embedding:
    """Return faces (51,) and barycentric weights (51,3) of points 17..67; face numbers count from the skin's first."""
    surface, g = _Surface(), grid()
    points = [*_BROW, *_mirror(_BROW), *_RIDGE, *_FOOT, *_mirror(_FOOT)[1:]]
    embeddings = [surface.frontal(x, y) for x, y in points]
    for slit in (0, 1):
        row, first, last = g.slits[slit]
        columns = np.arange(first, last + 1)
        # image left to right; 300-W goes: left corner, two upper, right corner, two lower from right to left
        order = ((g.above, 0.0), (g.above, 0.34), (g.above, 0.66), (g.above, 1.0), (g.below, 0.66), (g.below, 0.34))
        embeddings += [_at_u(surface, g, row, columns, copies, u) for copies, u in order]
    row, first, last = g.slits[2]
    columns = np.arange(first, last + 1)
    right, left = (_at_u(surface, g, row, columns, g.above, u) for u in (0.0, 1.0))
    embeddings += [right, *(surface.frontal(x, y) for x, y in [*_UPPER_LIP, *_mirror(_UPPER_LIP)[1:]])]
    embeddings += [left, *(surface.frontal(x, y) for x, y in [*_mirror(_LOWER_LIP), *_LOWER_LIP[1:]])]
    embeddings += [_at_x(surface, row, columns, g.above, x) for x in (-21.0, *_INNER_LIP[::-1], 21.0)]
    embeddings += [_at_x(surface, row, columns, g.below, x) for x in _INNER_LIP]
    return _join(embeddings)


def _samples() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return face, weights and position of dense points on cheeks and jaw (no ears, nose, neck)."""
    surface = _Surface()
    rest = skin()
    height = rest.height[surface.faces].mean(1)
    angle = np.degrees(np.abs(rest.theta[surface.faces])).mean(1)
    x = np.abs(surface.corners[:, :, 0]).mean(1)
    cheeks = np.flatnonzero((height < 32) & (height > -113) & (angle < 82) & ((x > 26) | (height < -84)))
    steps = 6
    weights = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)], float) / steps
    faces = np.repeat(cheeks, len(weights))
    bary = np.tile(weights, (len(cheeks), 1))
    position = np.einsum("fk,fkc->fc", bary, surface.corners[faces])
    return faces, bary, position


def jaw_embedding() -> tuple[Embedding, Embedding]:
    """Return the jaw by yaw (79,17) with weights (79,17,3), and the 3D jaw (17,) with weights (17,3).

    At yaw 0 and on the side that turns towards the viewer the points are the 3D jaw. On the far side they follow the
    silhouette as annotators of pictures do: along the ray from the middle of the face through the point, the outermost
    visible skin, reached within the first twelve degrees. Each half between ear and chin is then divided evenly in
    the picture at that yaw, as annotators do (see :mod:`tvface.conventions.annotation`).
    """
    faces, bary, position = _samples()
    static = np.concatenate([JAW, JAW[-2::-1] * (-1, 1, 1)])
    nearest = [int(np.argmin((((position - p) * (1, 1, 0.35)) ** 2).sum(1))) for p in static]
    for k in range(8):  # exactly mirrored
        flipped = position[nearest[k]] * (-1, 1, 1)
        nearest[16 - k] = int(np.argmin(((position - flipped) ** 2).sum(1)))
    rest = position[nearest]
    tree = cKDTree(position)
    halves = {sign: np.flatnonzero(np.sign(position[:, 0]) == sign) for sign in (-1.0, 1.0)}
    table = np.zeros((CONTOUR_ROWS, 17), np.int64)
    for row in range(CONTOUR_ROWS):
        yaw = row if row <= 39 else 39 - row
        table[row] = nearest
        if yaw:
            far = np.arange(9, 17) if yaw > 0 else np.arange(0, 8)
            outermost = _silhouette(np.radians(yaw), position[halves[float(np.sign(yaw))]], rest[far])
            share = float(smoothstep(abs(yaw), 0, 12))
            table[row, far] = tree.query((1 - share) * rest[far] + share * outermost)[1]
        table[row] = tree.query(_even_halves(position[table[row]], np.radians(yaw)))[1]
    return (faces[table], bary[table]), (faces[nearest], bary[nearest])


def _even_halves(jaw: np.ndarray, yaw: float) -> np.ndarray:
    """Return the points (17,3) moved along their own line so that each half has equal steps in the picture of a head
    turned by ``yaw`` rad; ear, chin and ear stay."""
    picture = _turn(jaw, yaw)[:, :2]
    result = jaw.copy()
    for first, last in ((0, 8), (8, 16)):
        part = slice(first, last + 1)
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(picture[part], axis=0), axis=1))])
        place = np.linspace(0, length[-1], last - first + 1)
        result[part] = np.stack([np.interp(place, length, jaw[part, k]) for k in range(3)], 1)
    return result


def _silhouette(yaw: float, position: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return (k,3) the outermost of the points (n,3) along the frontal rays from the middle of the face to ``rest``
    (k,3), seen after a turn by ``yaw`` rad about the middle."""
    turned = _turn(position - _CONTOUR_CENTRE, yaw)[:, :2]
    rays = rest[:, :2] - _CONTOUR_CENTRE[:2]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    along = turned @ rays.T
    across = turned @ np.stack([-rays[:, 1], rays[:, 0]])
    return position[np.argmax(along - across**2 / 6.0, axis=0)]


def _turn(points: np.ndarray, yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return points @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
