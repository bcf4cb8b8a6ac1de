"""Encoding, decoding and warping of pictures: RGB, uint8, H x W x 3, pixel centres at integers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tvface.media.tarstore import read_bytes

Image = NDArray[np.uint8]


class MediaError(ValueError):
    """A picture or video cannot be read or written; the message names it and says how to mend it."""


def encode_jpeg(rgb: Image, quality: int = 95) -> bytes:
    """Return the JPEG bytes of an H x W x 3 uint8 RGB picture; ``quality`` is 1..100.

    Raises:
        MediaError: the array is not such a picture.
    """
    return _encode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_png(rgb: Image) -> bytes:
    """Return the PNG bytes of an H x W x 3 (RGB) or H x W (grey, class map) uint8 picture.

    Raises:
        MediaError: the array is not such a picture.
    """
    return _encode(".png", rgb, [cv2.IMWRITE_PNG_COMPRESSION, 6])


def decode(data: bytes) -> Image:
    """Return the H x W x 3 uint8 RGB picture of JPEG or PNG bytes; grey pictures are repeated to three channels.

    EXIF rotation is applied. A JPEG that ends early is an error, not a half grey picture.

    Raises:
        MediaError: the bytes are not a whole picture.
    """
    _require_whole(data)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError(f"{len(data)} bytes are not a picture that can be decoded")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def decode_labels(data: bytes) -> Image:
    """Return the H x W uint8 class map of the bytes of an 8-bit grey PNG.

    Raises:
        MediaError: the bytes are not an 8-bit grey picture.
    """
    _require_whole(data)
    labels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.ndim != 2 or labels.dtype != np.uint8:
        raise MediaError(f"{len(data)} bytes are not an 8-bit grey PNG")
    return np.asarray(labels, np.uint8)


def read_image(file: str | Path, offset: int = 0, length: int | None = None) -> Image:
    """Read the picture at a byte range of a file (a tar member or, by default, the whole file).

    Returns:
        H x W x 3 uint8 RGB.

    Raises:
        MediaError: the bytes are not a whole picture; the message names file and offset.
        EOFError: the file is shorter than ``offset + length``.
    """
    if length is None:
        length = Path(file).stat().st_size - offset
    try:
        return decode(read_bytes(file, offset, length))
    except MediaError as error:
        raise MediaError(f"{file} at byte {offset}: {error}; replace the picture or run its stage again") from error


def warp_crop(rgb: Image, transform: NDArray[np.floating], size: int) -> Image:
    """Resample a crop of ``size`` x ``size`` pixels; outside the picture it is black.

    Args:
        rgb: H x W x 3 (or H x W) uint8.
        transform: (2, 3) map from picture to crop pixel coordinates, pixel centres at integers in both.
        size: side of the crop in pixels.

    Returns:
        size x size x 3 (or size x size) uint8, bilinear; shrinking is low-pass filtered first against aliasing.
    """
    matrix = np.asarray(transform, np.float64).reshape(2, 3)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.9:
        # Enough blur that the picture is band-limited at the crop's sampling rate (a pixel is taken as sigma 0.5).
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1))), np.uint8)
    warped = cv2.warpAffine(rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(warped, np.uint8)


def shrink(rgb: Image, long_side: int) -> Image:
    """Shrink a picture to a longer side of ``long_side`` pixels; smaller pictures stay, and 0 keeps every size."""
    height, width = rgb.shape[:2]
    if long_side == 0 or max(height, width) <= long_side:
        return rgb
    factor = long_side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encode(suffix: str, picture: Image, parameters: list[int]) -> bytes:
    channels = picture.shape[2:] if picture.ndim == 3 else ()
    if picture.dtype != np.uint8 or picture.size == 0 or picture.ndim not in (2, 3) or channels not in ((), (3,)):
        raise MediaError(f"cannot encode {picture.dtype} {picture.shape}: expected uint8 of H x W x 3 or H x W")
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    ok, data = cv2.imencode(suffix, stored, parameters)
    if not ok:
        raise MediaError(f"the {suffix} encoder refused a picture of {picture.shape}")
    return data.tobytes()


def _require_whole(data: bytes) -> None:
    # OpenCV fills a cut JPEG with grey and says nothing; files may carry padding after the end marker.
    if not data:
        raise MediaError("no bytes where a picture should be")
    if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[2:]:
        raise MediaError(f"a JPEG that ends early, after {len(data)} bytes")
