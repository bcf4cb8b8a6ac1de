"""Pictures as the label stages see them: the largest MTCNN face, framed as ``sequences`` and ``context`` frame it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tvface import detectors
from tvface.landmarkers.geometry import centre_and_sides, window_transform
from tvface.media.images import Image, read_image, warp_crop
from tvface.settings import Settings

SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class View:
    """One face: picture, box (4,) in picture pixels, region around it, and the (2, 3) map from picture to region."""

    path: Path
    picture: Image
    box: NDArray[np.float32]
    region: Image
    transform: NDArray[np.float64]

    @property
    def region_box(self) -> NDArray[np.float32]:
        corners = self.box.reshape(2, 2) * self.transform[0, 0] + self.transform[:, 2]
        return corners.reshape(4).astype(np.float32)


def pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder in order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def view(path: Path, settings: Settings, context: float) -> View | None:
    """Frame the largest face of a picture; None if MTCNN finds none."""
    picture = read_image(path)
    found = detectors.create("mtcnn", settings.faces).detect([picture])[0]
    if len(found.boxes) == 0:
        return None
    box = found.boxes[0]
    centres, sides = centre_and_sides(box[None])
    side, sequences = sides[0].mean(), settings.sequences
    centre = centres[0] + (0, sequences.crop_down * side)
    size = round(sequences.image_size * context)
    transform = window_transform(centre, sequences.crop_scale * side * context, size)
    return View(path, picture, box, warp_crop(picture, transform, size), transform)
