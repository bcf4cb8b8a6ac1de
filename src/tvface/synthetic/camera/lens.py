"""The lens of a camera: discs out of focus, colour fringes and motion, in linear light. Nothing moves a picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

BRIGHT = 0.92  # display value above which a picture of 8 bits may hide a much brighter spot


def _decode_table(headroom: float) -> np.ndarray:
    """Return the linear light of the 256 display values: (256,) float32, 1 at BRIGHT, up to 1 + ``headroom``."""
    value = np.arange(256) / 255
    over = np.clip((value - BRIGHT) / (1 - BRIGHT), 0, 1)
    return np.asarray(value**2.2 + headroom * over**2, np.float32)


LINEAR = _decode_table(1.0)
HIGHLIGHTS = _decode_table(7.0)  # of backgrounds: lamps and windows become discs of light


def to_linear(image: np.ndarray, table: np.ndarray = LINEAR) -> np.ndarray:
    """Return the linear light of a picture: (H, W, 3) uint8 to (H, W, 3) float32."""
    return np.asarray(cv2.LUT(image, table), np.float32)


@lru_cache(maxsize=128)
def disc_kernel(radius: float) -> np.ndarray:
    """Return the blur of a lens out of focus: a disc of ``radius`` pixels with a soft rim, sum 1, odd side."""
    half = int(np.ceil(radius))
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    kernel /= kernel.sum()
    kernel.setflags(write=False)
    return kernel


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """Return a line-shaped blur kernel of ``length`` pixels at ``angle`` radians, sum 1."""
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = (middle - step) * 16, (middle + step) * 16
    # Whole pixels of the line's ends would move its middle: both ends are rounded to sixteenths in opposite ways.
    place = [round(float(v)) for v in (*start, *end)]
    cv2.line(kernel, (place[0], place[1]), (place[2], place[3]), 1.0, 1, cv2.LINE_AA, 4)
    kernel += kernel[::-1, ::-1]
    return np.asarray(kernel / kernel.sum())


def defocus(linear: np.ndarray, radius: float) -> np.ndarray:
    """Blur linear light (H, W, 3) float32 by a disc of ``radius`` pixels, steps of a quarter; large discs at half size.

    Below .4 px the picture is returned unchanged.
    """
    if radius < 0.4:
        return linear
    if radius < 5:
        return cv2.filter2D(linear, -1, disc_kernel(round(4 * radius) / 4), borderType=cv2.BORDER_REFLECT_101)
    height, width = linear.shape[:2]
    half = cv2.resize(linear, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    half = cv2.filter2D(half, -1, disc_kernel(round(2 * radius) / 4), borderType=cv2.BORDER_REFLECT_101)
    return cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)


def _fringe(linear: np.ndarray, amount: float) -> np.ndarray:
    """Enlarge red and shrink blue about the middle, by ``amount`` pixels at the corners."""
    height, width = linear.shape[:2]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    result = linear.copy()
    for channel, sign in ((0, 1.0), (2, -1.0)):
        scale = 1 + sign * amount / np.hypot(*middle)
        matrix = np.array([[scale, 0, (1 - scale) * middle[0]], [0, scale, (1 - scale) * middle[1]]])
        plane = np.ascontiguousarray(linear[:, :, channel])
        result[:, :, channel] = cv2.warpAffine(plane, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return result


def lens(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return linear light (H, W, 3) float32 as a lens shows it: often sharp, else defocused, fringed or moved."""
    unit = linear.shape[0] / 128
    kind = rng.random()
    if kind < 0.3:
        linear = defocus(linear, float(rng.uniform(0.4, 1.1)) * unit)
    elif kind < 0.42:
        linear = defocus(linear, float(rng.uniform(1.0, 2.6)) * unit)
    elif kind < 0.55:
        linear = cv2.GaussianBlur(linear, (0, 0), float(rng.uniform(0.35, 1.2)) * unit)
    if rng.random() < 0.12:
        linear = _fringe(linear, float(rng.uniform(0.3, 1.2)) * unit)
    if rng.random() < 0.09:
        kernel = motion_kernel(float(rng.uniform(2, 8)) * unit, float(rng.normal(0, 0.5)) + (rng.random() < 0.25) * 1.5)
        linear = cv2.filter2D(linear, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    if rng.random() < 0.08:  # veiling glare of a bright window or an old lens
        glow = cv2.GaussianBlur(
            cv2.resize(linear, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), (0, 0), 3 * unit
        )
        glow = cv2.resize(glow, linear.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        linear = linear + np.float32(rng.uniform(0.08, 0.3)) * (glow - 0.3 * linear)
    return linear
