"""Fitted heads as photometry sees them: vertices in the camera's axes beside the picture of each frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.fitting.codes import FittedCodes
from tvface.fitting.skin_pixels import View
from tvface.head.camera import project
from tvface.head.model import HeadModel

_CHUNK = 32  # heads that are posed at once
Picture = tuple[NDArray[np.uint8], NDArray[np.uint8], int]


def views(
    head: HeadModel, codes: FittedCodes, camera: NDArray[np.float32], pictures: Iterable[Picture]
) -> Iterator[View]:
    """Yield the view of every frame.

    Args:
        head: with all vertices.
        codes: of T frames.
        camera: (T,3) of each frame's crop.
        pictures: T crops (S,S,3) with their label maps (S,S) and shots; read one by one.
    """
    waiting = iter(pictures)
    for start in range(0, len(codes), _CHUNK):
        part = codes.take(slice(start, start + _CHUNK))
        shape = torch.from_numpy(part.shape).expand(len(part), -1)
        with torch.no_grad():
            vertices = head(shape, torch.from_numpy(part.expression), torch.from_numpy(part.pose)).vertices
            projected = project(vertices, torch.from_numpy(camera[start : start + _CHUNK]))
        for k in range(len(part)):
            image, labels, shot = next(waiting)
            yield View(vertices[k].numpy(), projected[k].numpy(), image, labels, shot)
