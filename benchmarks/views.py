"""Pictures as the label stages see them: a face in the square of ``sequences``, with ``context`` around it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tvface import detectors
from tvface.media.images import Image, read_image, warp_crop
from tvface.mining.quality import crop_square, crop_transform
from tvface.settings import Settings

SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class View:
    """One face: box (4,) in picture pixels, region around it, (2, 3) map from picture to region, and by how many
    pixels the region reaches beyond the crop on every side."""

    picture: Image
    box: NDArray[np.float32]
    region: Image
    transform: NDArray[np.float64]
    pad: int

    @property
    def region_box(self) -> NDArray[np.float32]:
        corners = self.box.reshape(2, 2) * self.transform[0, 0] + self.transform[:, 2]
        return corners.reshape(4).astype(np.float32)

    def to_picture(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map (..., 2) region pixels back to picture pixels."""
        return (np.asarray(points, np.float64) - self.transform[:, 2]) / self.transform[0, 0]


def pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder in order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def framed(
    picture: Image,
    box: NDArray[np.floating],
    settings: Settings,
    context: float,
    square: tuple[NDArray[np.float64], float] | None = None,
) -> View:
    """Frame a face as :class:`tvface.mining.surroundings.Surroundings` does.

    ``square`` is centre and side of the crop, by default those of the box.
    """
    centre, side = crop_square(box, settings.sequences) if square is None else square
    size = settings.sequences.image_size
    pad = round(size * (context - 1) / 2)
    transform = crop_transform(centre, side, size)
    transform[:, 2] += pad
    return View(picture, np.asarray(box, np.float32), warp_crop(picture, transform, size + 2 * pad), transform, pad)


def view(path: Path, settings: Settings, context: float) -> View | None:
    """Frame the largest face of a picture; None if MTCNN finds none."""
    picture = read_image(path)
    found = detectors.create("mtcnn", settings.faces).detect([picture])[0]
    return framed(picture, found.boxes[0], settings, context) if len(found.boxes) else None
