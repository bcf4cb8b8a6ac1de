"""A compiled ray caster for rooms: a box with painted walls, boxes of furniture, lamps; one ray a pixel."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath=True)
def cast(
    walls: np.ndarray,
    size: np.ndarray,
    camera: np.ndarray,
    boxes: np.ndarray,
    lamps: np.ndarray,
    glow: np.ndarray,
    image: np.ndarray,
) -> None:
    """Look into a room.

    Args:
        walls: (5, h, w, 3) float32 linear colours of the back, left, right wall, floor and ceiling; first row: top or
            far edge; above 1 they shine and need no light.
        size: (3,) width, height, depth in metres; x from -width / 2, y from the floor 0, z from the back wall 0.
        camera: (6,) place, yaw, pitch in radians, tangent of half of the picture's width.
        boxes: (B, 9) least and greatest corner, colour.
        lamps: (L, 7) place, colour times metres squared, radius of the visible ball (0: none).
        glow: (3,) even light.
        image: (H, W, 3) float32, written.
    """
    height, width = image.shape[0], image.shape[1]
    rows, columns = walls.shape[1], walls.shape[2]
    sy, cy, sp, cp = np.sin(camera[3]), np.cos(camera[3]), np.sin(camera[4]), np.cos(camera[4])
    for j in range(height):
        b = -(2.0 * j + 1.0 - height) / width * camera[5]
        for i in range(width):
            a = (2.0 * i + 1.0 - width) / width * camera[5]
            ry, rz = b * cp - sp, -(cp + b * sp)
            dx, dy, dz = a * cy - rz * sy, ry, rz * cy + a * sy
            dx = dx if abs(dx) > 1e-6 else 1e-6
            dy = dy if abs(dy) > 1e-6 else 1e-6
            dz = dz if abs(dz) > 1e-6 else 1e-6
            tx = ((size[0] / 2 if dx > 0 else -size[0] / 2) - camera[0]) / dx
            ty = ((size[1] if dy > 0 else 0.0) - camera[1]) / dy
            tz = ((3 * size[2] if dz > 0 else 0.0) - camera[2]) / dz
            t = min(tx, ty, tz)
            px, py, pz = camera[0] + t * dx, camera[1] + t * dy, camera[2] + t * dz
            u, v, wall = px / size[0] + 0.5, 1 - py / size[1], 0
            nx, ny, nz = 0.0, 0.0, 1.0
            if t == tx:
                wall, u = (2, pz / size[2]) if dx > 0 else (1, 1 - pz / size[2])
                nx, nz = (-1.0 if dx > 0 else 1.0), 0.0
            elif t == ty:
                wall, v = (4, pz / size[2]) if dy > 0 else (3, pz / size[2])
                ny, nz = (-1.0 if dy > 0 else 1.0), 0.0
            s, q = min(max(u, 0.0), 1.0) * (columns - 1.001), min(max(v, 0.0), 1.0) * (rows - 1.001)
            x, y = int(s), int(q)
            s, q = s - x, q - y
            red, green, blue = 0.0, 0.0, 0.0
            for k in range(3):
                value = (1 - q) * ((1 - s) * walls[wall, y, x, k] + s * walls[wall, y, x + 1, k]) + q * (
                    (1 - s) * walls[wall, y + 1, x, k] + s * walls[wall, y + 1, x + 1, k]
                )
                if k == 0:
                    red = value
                elif k == 1:
                    green = value
                else:
                    blue = value
            # Corners get less light.
            corner = min(px + size[0] / 2, size[0] / 2 - px) * abs(ny + nz)
            if abs(nx) + abs(nz) > 0:
                corner = min(py, size[1] - py)
            shade = 1 - 0.35 * np.exp(-corner / 0.25)
            for n in range(boxes.shape[0]):
                enter, leave, axis = 0.0, t, -1
                for k in range(3):
                    o = camera[k]
                    d = dx if k == 0 else (dy if k == 1 else dz)
                    first, second = (boxes[n, k] - o) / d, (boxes[n, 3 + k] - o) / d
                    if first > second:
                        first, second = second, first
                    if first > enter:
                        enter, axis = first, k
                    leave = min(leave, second)
                if axis >= 0 and enter < leave:
                    t = enter
                    px, py, pz = camera[0] + t * dx, camera[1] + t * dy, camera[2] + t * dz
                    red, green, blue = boxes[n, 6], boxes[n, 7], boxes[n, 8]
                    nx = (-1.0 if dx > 0 else 1.0) if axis == 0 else 0.0
                    ny = (-1.0 if dy > 0 else 1.0) if axis == 1 else 0.0
                    nz = (-1.0 if dz > 0 else 1.0) if axis == 2 else 0.0
                    shade = 0.75 + 0.25 * min(max((py - boxes[n, 1]) / 0.4, 0.0), 1.0)
            lr, lg, lb = glow[0], glow[1], glow[2]
            shining = 0.0
            for n in range(lamps.shape[0]):
                ox, oy, oz = lamps[n, 0] - px, lamps[n, 1] - py, lamps[n, 2] - pz
                square = ox * ox + oy * oy + oz * oz
                facing = (ox * nx + oy * ny + oz * nz) / np.sqrt(square + 1e-6)
                power = max(facing * 0.85 + 0.15, 0.03) / (square + 0.15)
                lr, lg, lb = lr + power * lamps[n, 3], lg + power * lamps[n, 4], lb + power * lamps[n, 5]
                if lamps[n, 6] > 0:
                    cx, cz = lamps[n, 0] - camera[0], lamps[n, 2] - camera[2]
                    ch = lamps[n, 1] - camera[1]
                    long = dx * dx + dy * dy + dz * dz
                    along = (cx * dx + ch * dy + cz * dz) / long
                    away = cx * cx + ch * ch + cz * cz - along * along * long
                    if 0 < along < t and away < lamps[n, 6] ** 2:
                        shining = 4.0
                        top = max(lamps[n, 3], lamps[n, 4], lamps[n, 5])
                        red, green, blue = lamps[n, 3] / top, lamps[n, 4] / top, lamps[n, 5] / top
            if shining == 0.0 and max(red, green, blue) > 1.0:
                shining = 1.0
            if shining > 0.0:
                image[j, i, 0], image[j, i, 1], image[j, i, 2] = red * shining, green * shining, blue * shining
            else:
                image[j, i, 0], image[j, i, 1], image[j, i, 2] = red * lr * shade, green * lg * shade, blue * lb * shade
