"""The neutral surface of the generic head, by formulas, in millimetres.

Frame: x to the subject's left, y up, z towards the viewer, origin between the eyes on the ear axis. A cross-section is
a superellipse whose half axes depend on the row; rows are lifted towards the back, which draws the line of the jaw;
features are smooth bumps along z; the lids follow the eyeballs. The constants were set for this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from tvface.head.generic.grid import EAR_SPAN, EYE_CORNERS, MOUTH_CORNER, Grid, make_grid

EYE_CENTRE = np.array([31.3, 0.3, 63.5])  # of the eye on the subject's left
# Larger than life (12 mm), so that no gap opens beside it in the corners; its front stays in place.
EYE_RADIUS = 16.0
LID_RADIUS = 16.8
UPPER_LID, LOWER_LID = 4.9, 3.6  # heights of the open lids over the slit's row
LID_CLOSED = -3.3  # height of the upper lid that meets the lower one

# row height, half width, front, exponent
_SECTIONS = np.array(
    [
        [20, 74, 94, 2.30],
        [5, 73, 90, 2.35],
        [-10, 71.5, 88.5, 2.35],
        [-30, 70, 88, 2.30],
        [-45, 67.5, 88, 2.20],
        [-65, 63.5, 87, 2.10],
        [-80, 59.5, 85, 2.05],
        [-95, 55.5, 84, 2.00],
        [-104, 52, 82, 2.00],
        [-110, 49.5, 76, 2.00],
        [-114, 48, 66, 2.00],
        [-119, 48, 56, 2.00],
        [-128, 50, 49, 2.00],
        [-145, 54, 47, 2.00],
        [-172, 60, 50, 2.00],
    ]
)

# y, half width, back: behind the ears the section goes by the height itself, not by the lifted row
_BACK = np.array(
    [
        [20, 74, 98],
        [5, 73.2, 98.5],
        [-10, 71.0, 96],
        [-25, 66.5, 90.5],
        [-40, 60.5, 80],
        [-52, 55.5, 71],
        [-66, 52.0, 64.5],
        [-85, 51.0, 61],
        [-110, 53.0, 60],
        [-140, 57.0, 61.5],
        [-172, 60.0, 63],
    ]
)

_BLUR = np.linspace(-7.0, 7.0, 9)  # mm

# cx, cy, sx, sy, height along z
_BUMPS = (
    (24, 17.5, 17, 7, 3.0),  # brow ridge
    (0, 15, 10, 8, 1.5),  # glabella
    (31.3, 1, 14, 10.5, -8.0),  # eye socket
    (14.5, 3, 5, 9, -3.5),  # inner corner of the socket
    (47, -24, 15, 13, 4.5),  # cheekbone
    (30, -20, 12, 9, 1.5),  # under the eye
    (44, -54, 14, 14, -2.5),  # cheek hollow
    (0, -61, 24, 17, 7.0),  # muzzle
    (29, -46, 7, 10, -1.5),  # nasolabial
    (27, -65, 4.5, 5, -2.2),  # mouth corner
    (0, -79.5, 16, 5, -4.0),  # mentolabial fold
    (0, -97, 17, 10, 6.5),  # chin
    (0, -54, 2.6, 5, -1.1),  # philtrum groove
    (4.6, -54, 1.8, 5, 0.6),  # philtrum ridges
    (12.8, -39.0, 4.8, 5.4, 7.5),  # nose wings
    (19.5, -39, 3.5, 7, -1.6),  # groove beside the wing
    (6.4, -45.0, 2.9, 2.0, -4.5),  # nostrils
)

# height over the face of the nose's ridge, and its half width, by y
_RIDGE = np.array(
    [
        [12, 0, 8.0],
        [6, 0.5, 7.4],
        [0, 2.6, 7.0],
        [-8, 7.0, 7.2],
        [-16, 11.4, 7.8],
        [-24, 16.2, 8.8],
        [-30, 19.4, 9.7],
        [-34, 20.6, 10.4],
        [-37.5, 19.8, 10.8],
        [-40.5, 16.8, 10.8],
        [-43.5, 11.4, 9.8],
        [-46.0, 5.6, 8.2],
        [-48.5, 1.2, 6.4],
        [-52, 0, 5.0],
    ]
)


def smoothstep(x: np.ndarray | float, a: float, b: float) -> np.ndarray:
    """Return 0 below a, 1 above b, and 3t^2 - 2t^3 between."""
    t = np.clip((np.asarray(x, float) - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def gauss(x: np.ndarray, y: np.ndarray, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """Return exp(-((x-cx)/sx)^2 - ((y-cy)/sy)^2)."""
    return np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)


def sections(height: np.ndarray) -> np.ndarray:
    """Return (n,3) half width, front depth (mm) and exponent of the cross-sections at the row heights (n,)."""
    table = _smooth(_SECTIONS, height)
    return np.concatenate([table[:, :2] * _dome(height), table[:, 2:]], -1)


def back_sections(y: np.ndarray) -> np.ndarray:
    """Return (n,2) half width and depth (mm) of the back of the head at the heights y (n,)."""
    return _smooth(_BACK, y) * _dome(y)


def _dome(height: np.ndarray) -> np.ndarray:
    up = np.clip((height - 20) / 95, 0, 1)
    return np.maximum(1 - up**2.25, 0)[:, None] ** (1 / 2.25)


def _smooth(table: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate a table (descending first column) and average over neighbours: its kinks would show as bands."""
    table = table[::-1]
    curve = PchipInterpolator(table[:, 0], table[:, 1:])
    share = np.exp(-((_BLUR / _BLUR[-1] * 2) ** 2))
    return np.tensordot(share / share.sum(), curve(np.clip(at + _BLUR[:, None], table[0, 0], table[-1, 0])), 1)


def lift(theta: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the height (mm) of a grid point over its row: the rows under the chin run up to jaw angle and nape."""
    angle = np.degrees(np.abs(theta))
    raised = 38 * smoothstep(angle, 12, 85) + 12 * smoothstep(angle, 75, 170)
    return raised * smoothstep(-height, 5, 108) * (1 - 0.75 * smoothstep(-height, 122, 172))


def _angle_at(x: float, height: float) -> float:
    a, front, n = sections(np.array([height]))[0]
    z = front * (1 - (x / a) ** n) ** (1 / n)
    return float(np.arctan2(x, z))


@cache
def grid() -> Grid:
    """Return the one grid of the family; columns pass through the eye corners."""
    first, last = _angle_at(EYE_CORNERS[0], 0.0), _angle_at(EYE_CORNERS[1], 0.0)
    low, high = np.radians(EAR_SPAN)
    half = np.concatenate(
        [
            np.linspace(0, first, 6),
            np.linspace(first, last, 12)[1:],
            np.linspace(last, low, 8)[1:],
            np.linspace(low, high, 11)[1:],
            np.linspace(high, np.pi, 7)[1:],
        ]
    )
    mouth = int(np.argmin(np.abs(half - _angle_at(MOUTH_CORNER, -65.0))))
    return make_grid(half, 5, 16, mouth)


@dataclass(frozen=True)
class Skin:
    """The skin of one head.

    position (N,3) mm, and the coordinates that define its features: height (N,) of the row, theta (N,).
    """

    position: np.ndarray
    height: np.ndarray
    theta: np.ndarray


def skin(upper_lid: tuple[float, float] = (UPPER_LID, UPPER_LID)) -> Skin:
    """Return the neutral skin with the upper lids at these heights (subject's right, left)."""
    g = grid()
    height, theta = g.height[g.row], g.theta[g.column]
    y = height + lift(theta, height)
    a, front, n = np.moveaxis(sections(height), -1, 0)
    back_a, back = np.moveaxis(back_sections(y), -1, 0)
    a = a + smoothstep(np.degrees(np.abs(theta)), 78, 118) * (back_a - a)
    depth = np.where(np.abs(theta) <= np.pi / 2, front, back)
    a, depth = np.maximum(a, 1e-9), np.maximum(depth, 1e-9)
    radius = ((np.abs(np.sin(theta)) / a) ** n + (np.abs(np.cos(theta)) / depth) ** n) ** (-1 / n)
    x, z = radius * np.sin(theta), radius * np.cos(theta)
    x[g.column == len(g.theta) - 1] = 0.0
    front_side = smoothstep(np.cos(theta), 0, 0.35)
    x = x - np.sign(x) * 3 * np.exp(-(((np.degrees(np.abs(theta)) - 62) / 20) ** 2) - ((y - 22) / 16) ** 2)
    z = z + front_side * _relief(np.abs(x), y)
    x, y, z = _mouth_line(x, y, z, height, front_side)
    position = _ears(np.stack([x, y, z], 1), theta, y)
    for side, amount in ((-1, upper_lid[0]), (1, upper_lid[1])):
        position = _lids(position, g, height, side, amount)
    return Skin(position, height, theta)


def _relief(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    total = np.zeros_like(x)
    for cx, cy, sx, sy, amount in _BUMPS:
        total += amount * gauss(x, y, cx, cy, sx, sy)
    table = _RIDGE[::-1]
    curve = PchipInterpolator(table[:, 0], table[:, 1:], extrapolate=False)
    ridge, width = np.moveaxis(curve(np.clip(y, -52, 12)), -1, 0)
    total += ridge * np.exp(-((x / width) ** 2.1))
    span = np.maximum(1 - (x / 27) ** 2, 0) ** 0.8
    total += span * (3.4 * np.exp(-(((y + 61) / 4.0) ** 2)) + 4.6 * np.exp(-(((y + 69.8) / 4.4) ** 2)))
    return total - span * 2.4 * np.exp(-(((y + 65.2) / 1.6) ** 2))


def _mouth_line(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, height: np.ndarray, front_side: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    near = np.exp(-(((height + 65) / 7) ** 2)) * front_side
    bow = 0.7 * np.exp(-(((np.abs(x) - 5) / 3.5) ** 2)) - 0.5 * np.exp(-((x / 3) ** 2))
    return x, y + near * (bow - 0.3 * smoothstep(np.abs(x), 16, 27) * (1 - smoothstep(np.abs(x), 30, 45))), z


def _ears(position: np.ndarray, theta: np.ndarray, y: np.ndarray) -> np.ndarray:
    along = 72 * (np.abs(theta) - np.radians(97))
    up = y + 8 - 0.12 * along
    q = np.hypot(along / 12.5, up / np.where(up > 0, 29, 30))
    rim = (1 - smoothstep(q, 0.8, 1.12)) * (9 + 7 * np.clip(along / 12, -1, 1.2))
    concha = 6.5 * np.exp(-(np.hypot((along + 3) / 5.5, (up + 3) / 11) ** 2))
    outward = np.stack([np.sin(theta), np.zeros_like(theta), np.cos(theta)], 1)
    return position + outward * (rim - concha)[:, None]


def _lids(position: np.ndarray, g: Grid, height: np.ndarray, side: int, upper: float) -> np.ndarray:
    """Open the slit of one eye and lay the lids on the eyeball."""
    centre = EYE_CENTRE * (side, 1, 1)
    theta = g.theta[g.column]
    here = (np.sign(theta) == side) & (np.abs(theta) < 1.2)
    u = np.where(here, g.eye_u[g.column], np.nan)
    inside = np.nan_to_num(np.where((u > 0) & (u < 1), u, 0.0))
    is_upper = (height > 0) | ((height == 0) & ~g.lower)
    is_lower = (height < 0) | ((height == 0) & g.lower)
    arch_up = np.sin(np.pi * inside**0.86) ** 0.75 * np.clip(1 - height / 15, 0, 1) ** 1.5
    arch_down = np.sin(np.pi * inside**1.12) ** 0.85 * np.clip(1 + height / 13, 0, 1) ** 1.5
    out = position.copy()
    out[:, 1] += upper * arch_up * is_upper - LOWER_LID * arch_down * is_lower
    offset = side * (out[:, 0] - centre[0])
    tilt = 1.6 * smoothstep(offset, -14, 16) * np.exp(-((height / 13) ** 2)) * np.exp(-((offset / 24) ** 2))
    out[:, 1] += np.where(here, tilt, 0)
    dx, dy = out[:, 0] - centre[0], out[:, 1] - centre[1]
    out[:, 2] += _corner_depth(out, g, side) * here
    distance = np.hypot(dx, dy)
    ball = centre[2] + np.sqrt(np.maximum(LID_RADIUS**2 - np.minimum(distance, LID_RADIUS - 0.05) ** 2, 0))
    soft = 1.6
    gap = (ball - out[:, 2]) / soft
    raised = out[:, 2] + soft * np.logaddexp(0, np.clip(gap, -40, 40))
    near = np.where(here, 1 - smoothstep(distance, LID_RADIUS - 2.5, LID_RADIUS + 1), 0)
    out[:, 2] += near * (raised - out[:, 2])
    edge = (height == 0) & (u > 0) & (u < 1)
    rim = np.sin(np.pi * np.nan_to_num(u)) ** 0.5
    out[edge, 2] += (rim * (ball - 0.2 - out[:, 2]))[edge]
    return out


def _corner_depth(position: np.ndarray, g: Grid, side: int) -> np.ndarray:
    """Return the shift of z that brings the corners of the slit close to the eyeball."""
    change = np.zeros(len(position))
    slit_row, first, last = g.slits[0] if side < 0 else g.slits[1]
    inner, outer = (last, first) if side < 0 else (first, last)
    for corner, target, sx, sy in ((inner, 70.9, 5.0, 6.5), (outer, 72.3, 6.0, 6.5)):
        vertex = g.above[slit_row, corner]
        at = position[vertex]
        change += (target - at[2]) * gauss(position[:, 0], position[:, 1], at[0], at[1], sx, sy)
    return change
