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
    """Float canvases over x = -95..95 mm, y = -135..125 mm of the neutral head."""

    def __init__(self, atlas: Atlas) -> None:
        self.shape = (round(HEIGHT_MM * PIXELS_PER_MM), round(WIDTH_MM * PIXELS_PER_MM))
        pixel = self.pixels(atlas.position.reshape(-1, 3)[:, :2]).reshape(atlas.size, atlas.size, 2)
        self._lookup = np.ascontiguousarray(pixel.astype(np.float32))
        facing = np.clip((88 - np.abs(atlas.theta)) / 12, 0, 1)
        self._weight = (facing * (atlas.part == SKIN)).astype(np.float32)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Convert (N, 2) millimetres to canvas pixels (x right, y down)."""
        return np.stack([(points[:, 0] - LEFT) * PIXELS_PER_MM, (TOP - points[:, 1]) * PIXELS_PER_MM], axis=1)

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

    def to_texture(self, canvas: np.ndarray) -> np.ndarray:
        """Sample a canvas (H, W[, C]) at every texel: (size, size[, C]) float32, 0 behind and off the skin."""
        texels = sample(canvas, self._lookup)
        return texels * (self._weight if texels.ndim == 2 else self._weight[:, :, None])


def smooth_path(points: np.ndarray, count: int = 40, closed: bool = False) -> np.ndarray:
    """Interpolate (N, 2) points by arc length (monotone cubic): (count, 2)."""
    if closed:
        points = np.concatenate([points, points[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    keep = np.concatenate([[True], np.diff(length) > 1e-6])
    return np.asarray(PchipInterpolator(length[keep], points[keep])(np.linspace(0, length[-1], count)))
