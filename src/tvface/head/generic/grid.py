"""Topology of the generic head: one warped cylinder grid with three slits, two eyeballs, a mouth bag and teeth.

Columns are azimuths (0 = front, 180 deg = the seam at the back), rows are heights of the unlifted head in mm. A slit
(right eye, left eye, mouth) is a row whose vertices are doubled between two corner columns: the quads above use the
first copy, the quads below the second. So opening an eye or the mouth only displaces vertices.
The topology depends on nothing but the constants here; every head of this family shares it, mirror symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POLE_HEIGHT = 115.0  # mm, crown
EYE_ROW = 0.0  # mm, height of the row that is slit for the eyes
MOUTH_ROW = -65.0  # mm, height of the row that is slit for the mouth
EYE_CORNERS = (16.8, 44.5)  # mm from the mid-plane, inner and outer
MOUTH_CORNER = 25.5  # mm from the mid-plane
EAR_SPAN = (74.0, 114.0)  # deg, columns are denser here

_CROWN = 20 + 95 * np.sin(np.radians([90, 85, 76, 65, 54, 43.5, 34, 26, 19, 12.5, 6.5]))
_ROWS = np.concatenate(
    [
        _CROWN,
        [25.5, 20.5, 16.0],
        np.arange(12.0, -13.0, -2.0),
        [-15.5, -19.0, -22.5, -26.0, -29.0],
        [-31.5, -34.0, -36.3, -38.4, -40.4, -42.3, -44.1, -46.0, -48.0],
        [
            -50.4,
            -53.0,
            -55.5,
            -57.6,
            -59.4,
            -61.2,
            -63.2,
            -65.0,
            -66.8,
            -68.8,
            -70.8,
            -72.8,
            -75.0,
            -77.4,
            -80.0,
            -83.2,
        ],
        [-87.2, -91.6, -96.0, -100.2, -104.0],
        [-107.6, -111.0, -114.4, -118.0],
        [-123.0, -131.0, -141.0, -151.0, -161.0, -172.0],
    ]
)


@dataclass(frozen=True)
class Grid:
    """The skin's grid.

    theta (C,) rad in (-pi, pi], ascending; height (R,) mm, descending; row, column, lower (N,): grid place of every
    skin vertex and whether it is the second copy of a slit vertex; above, below (R, C): vertex that the quads above
    and below use at each crossing; eye_u (C,): 0 at the inner and 1 at the outer corner of the eye of that side, NaN
    outside; corner columns per slit (right eye, left eye, mouth) as (first, last).
    """

    theta: np.ndarray
    height: np.ndarray
    row: np.ndarray
    column: np.ndarray
    lower: np.ndarray
    above: np.ndarray
    below: np.ndarray
    eye_u: np.ndarray
    slits: tuple[tuple[int, int, int], ...]  # (row, first corner column, last corner column)

    @property
    def n(self) -> int:
        return len(self.row)

    def mirror(self) -> np.ndarray:
        """Return (N,) the index of each skin vertex's mirror image."""
        columns = len(self.theta)
        swapped = np.where(self.column == columns - 1, columns - 1, columns - 2 - self.column)
        copy = np.where(self.lower, self.below[self.row, swapped], self.above[self.row, swapped])
        return copy


def make_grid(half_angles: np.ndarray, inner: int, outer: int, mouth: int) -> Grid:
    """Build the grid from the angles of one half.

    Args:
        half_angles: (H+1,) rad, ascending from 0 to pi.
        inner, outer, mouth: positions in ``half_angles`` of the eye corners and of the mouth corner.
    """
    theta = np.concatenate([-half_angles[-2:0:-1], half_angles])
    centre = len(half_angles) - 2  # column of theta = 0
    columns, rows = len(theta), len(_ROWS)
    eye_row, mouth_row = int(np.argmin(np.abs(_ROWS - EYE_ROW))), int(np.argmin(np.abs(_ROWS - MOUTH_ROW)))
    slits = (
        (eye_row, centre - outer, centre - inner),
        (eye_row, centre + inner, centre + outer),
        (mouth_row, centre - mouth, centre + mouth),
    )
    above = np.zeros((rows, columns), np.int64)
    above[1:] = 1 + np.arange((rows - 1) * columns).reshape(rows - 1, columns)
    below = above.copy()
    row = np.concatenate([[0], np.repeat(np.arange(1, rows), columns)])
    column = np.concatenate([[centre], np.tile(np.arange(columns), rows - 1)])
    extra_row: list[int] = []
    extra_column: list[int] = []
    for slit_row, first, last in slits:
        for c in range(first + 1, last):
            below[slit_row, c] = len(row) + len(extra_row)
            extra_row.append(slit_row)
            extra_column.append(c)
    lower = np.concatenate([np.zeros(len(row), bool), np.ones(len(extra_row), bool)])
    eye_u = np.full(columns, np.nan)
    for side in (-1, 1):
        eye_u[centre + side * np.arange(inner, outer + 1)] = np.linspace(0, 1, outer - inner + 1)
    return Grid(
        theta=theta,
        height=_ROWS,
        row=np.concatenate([row, np.array(extra_row, np.int64)]),
        column=np.concatenate([column, np.array(extra_column, np.int64)]),
        lower=lower,
        above=above,
        below=below,
        eye_u=eye_u,
        slits=slits,
    )


def skin_faces(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return faces (F,3) of the skin and their corners' UV vertices (F,3), outward counter-clockwise.

    UV vertex of row r and column position k (0..C, where 0 and C are both the seam) is ``r * (C + 1) + k``. Diagonals
    run towards the mid-plane on both sides, so that the triangulation is mirror symmetric.
    """
    rows, columns = grid.above.shape
    faces, corners = [], []
    for r in range(rows - 1):
        for k in range(columns):
            left, right = (k - 1) % columns, k
            a, b = grid.below[r, left], grid.below[r, right]
            c, d = grid.above[r + 1, left], grid.above[r + 1, right]
            ua, ub = r * (columns + 1) + k, r * (columns + 1) + k + 1
            uc, ud = ua + columns + 1, ub + columns + 1
            if r == 0:
                faces.append((a, c, d))
                corners.append((ua, uc, ud))
            elif k <= columns // 2 - 1:
                faces += [(a, c, d), (a, d, b)]
                corners += [(ua, uc, ud), (ua, ud, ub)]
            else:
                faces += [(a, c, b), (b, c, d)]
                corners += [(ua, uc, ub), (ub, uc, ud)]
    return np.array(faces, np.int64), np.array(corners, np.int64)


def strip_faces(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return faces (2(n-1),3) of the strip between two vertex rows (n,), facing the viewer if ``first`` is above and
    both run from image left to image right."""
    a, b, c, d = first[:-1], first[1:], second[:-1], second[1:]
    half = len(a) // 2
    left = np.arange(len(a)) < half
    one = np.where(left[:, None], np.stack([a, c, d], 1), np.stack([a, c, b], 1))
    two = np.where(left[:, None], np.stack([a, d, b], 1), np.stack([b, c, d], 1))
    return np.concatenate([one, two])


def cap(rings: int, segments: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return unit directions (1+rings*segments, 3) and faces of a spherical cap around +z, outward.

    Args:
        angle: polar angle of the rim, rad.
    """
    polar = angle * np.arange(1, rings + 1) / rings
    around = 2 * np.pi * np.arange(segments) / segments
    ring = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(around),
            np.sin(polar)[:, None] * np.sin(around),
            np.cos(polar)[:, None] * np.ones(segments),
        ],
        -1,
    )
    points = np.concatenate([[[0.0, 0.0, 1.0]], ring.reshape(-1, 3)])
    index = 1 + np.arange(rings * segments).reshape(rings, segments)
    following = np.roll(index, -1, 1)
    faces = [np.stack([np.zeros(segments, np.int64), index[0], following[0]], 1)]
    for r in range(rings - 1):
        faces.append(np.stack([index[r], index[r + 1], following[r + 1]], 1))
        faces.append(np.stack([index[r], following[r + 1], following[r]], 1))
    return points, np.concatenate(faces)
