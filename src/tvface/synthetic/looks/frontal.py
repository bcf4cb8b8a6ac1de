"""Painting on the face as seen from the front: strokes and areas in millimetres, sampled at the texels."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from tvface.synthetic.atlas import SKIN, Atlas

PIXELS_PER_MM = 3.0
LEFT, TOP, WIDTH_MM, HEIGHT_MM = -95.0, 125.0, 190.0, 260.0


def sample(image: np.ndarray, place: np.ndarray, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Sample an image (H, W[, C]) at places (h, w, 2), x and y in pixels with centres at integers; 0 outside."""
    x, y = (np.ascontiguousarray(place[:, :, k], np.float32) for k in (0, 1))
    return np.asarray(cv2.remap(image, x, y, interpolation), image.dtype)


class Frontal:
    """Float canvases over a rectangle of the neutral head seen from the front.

    Args:
        atlas: of the head.
        box: left, top, width and height of the rectangle, mm; by default x = -95..95, y = -135..125.
    """

    def __init__(self, atlas: Atlas, box: tuple[float, float, float, float] = (LEFT, TOP, WIDTH_MM, HEIGHT_MM)) -> None:
        self.left, self.top = box[:2]
        self.shape = (round(box[3] * PIXELS_PER_MM), round(box[2] * PIXELS_PER_MM))
        pixel = self.pixels(atlas.position.reshape(-1, 3)[:, :2]).reshape(atlas.size, atlas.size, 2)
        self._lookup = np.ascontiguousarray(pixel.astype(np.float32))
        facing = np.clip((88 - np.abs(atlas.theta)) / 12, 0, 1)
        self._weight = (facing * (atlas.part == SKIN)).astype(np.float32)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Convert (N, 2) millimetres to canvas pixels (x right, y down)."""
        return np.stack([(points[:, 0] - self.left) * PIXELS_PER_MM, (self.top - points[:, 1]) * PIXELS_PER_MM], axis=1)

    def empty(self) -> np.ndarray:
        """Return an empty canvas."""
        return np.zeros(self.shape, np.float32)

    def stroke(self, canvas: np.ndarray, points: np.ndarray, width: float, value: float = 1.0) -> None:
        """Draw an open polyline (N, 2) mm of ``width`` mm."""
        path = np.round(self.pixels(points) * 16).astype(np.int32)
        cv2.polylines(canvas, [path], False, value, max(1, round(width * PIXELS_PER_MM)), cv2.LINE_AA, 4)

    def area(self, canvas: np.ndarray, points: np.ndarray, value: float = 1.0) -> None:
        """Fill a polygon (N, 2) mm."""
        cv2.fillPoly(canvas, [np.round(self.pixels(points) * 16).astype(np.int32)], value, cv2.LINE_AA, 4)

    def soften(self, canvas: np.ndarray, sigma: float) -> np.ndarray:
        """Blur a canvas by ``sigma`` mm."""
        return cv2.GaussianBlur(canvas, (0, 0), sigma * PIXELS_PER_MM)

    def window(self) -> tuple[slice, slice]:
        """Return rows and columns of the texels that may show the rectangle."""
        x, y = self._lookup[:, :, 0], self._lookup[:, :, 1]
        shown = (self._weight > 0) & (y > -1) & (y < self.shape[0]) & (x > -1) & (x < self.shape[1])
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        if not len(rows):
            return slice(0, 0), slice(0, 0)
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def to_texture(self, canvas: np.ndarray, part: tuple[slice, slice] | None = None) -> np.ndarray:
        """Sample a canvas (H, W[, C]) at every texel: (size, size[, C]) float32, 0 behind and off the skin.

        ``part`` limits the texels to a window; the result has its size.
        """
        part = part or (slice(None), slice(None))
        texels = sample(canvas, self._lookup[part])
        weight = self._weight[part]
        return np.asarray(texels * (weight if texels.ndim == 2 else weight[:, :, None]))


def smooth_path(points: np.ndarray, count: int = 40, closed: bool = False) -> np.ndarray:
    """Interpolate (N, 2) points by arc length (monotone cubic): (count, 2)."""
    if closed:
        points = np.concatenate([points, points[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    keep = np.concatenate([[True], np.diff(length) > 1e-6])
    return np.asarray(PchipInterpolator(length[keep], points[keep])(np.linspace(0, length[-1], count)))
