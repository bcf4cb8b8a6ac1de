"""Between the pixels of crops and the coordinates in which a fit works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvface.fitting.codes import FittedCodes
from tvface.fitting.observed import Observed
from tvface.fitting.start import place
from tvface.head.model import HeadModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """How the coordinates of :class:`tvface.fitting.observed.Observed` lie in the crops.

    A segment's coordinates are at rest in its picture, however the crops move: x right, y up, origin at ``centre``
    (T,2) in picture pixels (x right, y down), ``unit`` (T,) picture pixels long. The unit is the median size of a
    metre of the head in the segment. ``transform`` (T,2,3) maps picture to crop pixels; ``size`` is the crop's side.
    """

    centre: Array
    unit: Array
    transform: Array
    size: int

    def to_crop(self, points: NDArray[np.floating]) -> Array:
        """Return points (T,N,2) in crop pixels, centres at integers."""
        picture = self.centre[:, None] + self.unit[:, None, None] * np.asarray(points, np.float64) * (1, -1)
        return np.einsum("tij,tnj->tni", self.transform[:, :, :2], picture) + self.transform[:, None, :, 2]

    def camera(self, codes: FittedCodes) -> NDArray[np.float32]:
        """Return the orthographic camera of each crop, (T,3): scale, tx, ty as in :func:`tvface.head.camera.project`;
        -1 and 1 are the crop's edges."""
        zoom = self.transform[:, 0, 0] * self.unit * 2 / self.size
        scale = codes.scale * zoom
        origin = (self.to_crop(np.zeros((len(self.unit), 1, 2)))[:, 0] + 0.5) / self.size * 2 - 1
        shift = codes.shift + origin * (1, -1) / scale[:, None]
        return np.concatenate([scale[:, None], shift], 1).astype(np.float32)

    def codes(self, rows: Mapping[str, NDArray[np.floating]]) -> FittedCodes:
        """Return a network's codes in these coordinates, to start the fit from.

        Args:
            rows: ``shape``, ``expression``, ``pose`` and ``camera`` of T frames, whose crops show the same squares; the
                shape becomes their mean.
        """
        camera = np.asarray(rows["camera"], np.float64)
        zoom = self.transform[:, 0, 0] * self.unit * 2 / self.size
        scale = np.maximum(camera[:, 0], 1e-3)
        origin = (self.to_crop(np.zeros((len(self.unit), 1, 2)))[:, 0] + 0.5) / self.size * 2 - 1
        shift = camera[:, 1:] - origin * (1, -1) / scale[:, None]
        pose = np.asarray(rows["pose"], np.float32)
        return FittedCodes(
            np.asarray(rows["shape"], np.float32).mean(0),
            np.asarray(rows["expression"], np.float32),
            pose[:, :3],
            pose[:, 3:],
            (scale / zoom).astype(np.float32),
            shift.astype(np.float32),
        )


def observe(
    head: HeadModel,
    points: NDArray[np.floating],
    confidence: NDArray[np.floating],
    transform: Array,
    segment: NDArray[np.int64],
    time: Array,
    size: int,
    opening: NDArray[np.floating] | None = None,
) -> tuple[Observed, Placed]:
    """Bring the found points of crops into coordinates at rest, one frame of coordinates per segment.

    Args:
        head: restricted to the points; its mean face, placed in each frame, says how large a metre is.
        points: (T,68,2) crop pixels. confidence: (T,68).
        transform: (T,2,3) picture to crop pixels, without rotation.
        segment: (T,), neighbouring rows of one value are neighbours in time. time: (T,) s. size: side of the crops.
        opening: (T,2) see :class:`Observed`; none: not seen anywhere.
    """
    linear = transform[:, 0, 0]
    picture = (np.asarray(points, np.float64) - transform[:, None, :, 2]) / linear[:, None, None]
    local = np.empty_like(picture)
    centre, unit = np.empty((len(points), 2)), np.empty(len(points))
    mean_face = np.zeros(head.n_shape, np.float32)
    for value in np.unique(segment):
        rows = segment == value
        origin = np.median(picture[rows].mean(1), 0)
        upright = (picture[rows] - origin) * (1, -1)
        metre = float(np.median(place(head, upright, confidence[rows], mean_face).scale))
        centre[rows], unit[rows], local[rows] = origin, metre, upright / metre
    seen = np.full((len(points), 2), np.nan, np.float32) if opening is None else np.asarray(opening, np.float32)
    observed = Observed(
        local.astype(np.float32),
        np.asarray(confidence, np.float32),
        np.asarray(segment, np.int64),
        np.asarray(time, np.float64),
        seen,
    )
    return observed, Placed(centre, unit, np.asarray(transform, np.float64), size)
