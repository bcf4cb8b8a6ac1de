"""Photographs which reference files name: rebuilt from the packages that bring them, and checked by digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import skimage
from PIL import Image

from tests.reference.checks.sheet import Missing

_SAMPLES = (
    Path(skimage.__file__).parent / "data",
    Path(matplotlib.get_data_path()) / "sample_data",
)


def digest(pixels: np.ndarray) -> str:
    """Return the sha256 of the bytes of an array."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def verified(pixels: np.ndarray, expected: str, name: str) -> np.ndarray:
    """Return ``pixels`` if they have the digest.

    Raises:
        Missing: they have another one; JPEG decoders differ between machines.
    """
    if digest(pixels) != expected:
        raise Missing(f"the picture {name} has other pixels here than where the reference was made")
    return pixels


def photograph(name: str) -> np.ndarray:
    """Return H x W x 3 uint8 RGB of a picture that scikit-image or matplotlib bring along.

    Raises:
        Missing: there is none of that name.
    """
    for folder in _SAMPLES:
        for path in sorted(folder.glob(f"{name}.*")):
            if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff"):
                return np.asarray(Image.open(path).convert("RGB"))
    raise Missing(f"no picture called {name} in {' or '.join(map(str, _SAMPLES))}")


def picture(name: str, records: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """Return the picture that ``records`` (name -> digest and shape, all those of a file) describe under ``name``.

    ``<name>_<side>`` is shrunk to that longer side; ``montage`` has the others of the file side by side on black.

    Raises:
        Missing: no such picture, or other pixels.
    """
    record = records.get(name)
    shrunk = re.fullmatch(r"(.+)_(\d+)", name)
    if shrunk:
        whole, side = picture(shrunk[1], records), int(shrunk[2])
        height, width = whole.shape[:2]
        size = (round(width * side / max(height, width)), round(height * side / max(height, width)))
        pixels = np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.BILINEAR))
    elif name == "montage" and record is not None:
        pixels = np.zeros(record["shape"], np.uint8)
        column = 0
        for other in [n for n in records if n != name and not re.fullmatch(r".+_\d+", n)]:
            part = picture(other, records)
            pixels[: part.shape[0], column : column + part.shape[1]] = part
            column += part.shape[1]
    else:
        pixels = photograph(name)
    return pixels if record is None else verified(pixels, record["sha256_uint8_hwc"], name)
