"""The crop of a face over time, between the frames in which it was detected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tvface.conventions.squares import crop_squares, square_transform


@dataclass(frozen=True)
class CropPath:
    """The square crop of one track over time.

    ``frames`` (K,) source frames, rising; ``centres`` (K,2) and ``sides`` (K,) in pixels of the sampled frames.
    ``open_end``: the face is there in the last sampled frame, so the track lasts until the video ends.
    """

    frames: NDArray[np.int64]
    centres: NDArray[np.float64]
    sides: NDArray[np.float64]
    open_end: bool = False

    def covers(self, frame: int) -> bool:
        """Return whether the track lasts at this source frame."""
        return bool(self.frames[0] <= frame and (self.open_end or frame <= self.frames[-1]))

    def transform(self, frame: int, size: int, scale: float = 1.0) -> NDArray[np.float64]:
        """Return the (2,3) map from picture to crop pixels (centres at integers) at a source frame.

        Args:
            frame: source frame inside the track.
            size: side of the crop.
            scale: picture pixels per pixel of the sampled frames in which the boxes were detected.
        """
        x, y = (float(np.interp(frame, self.frames, self.centres[:, axis])) * scale for axis in range(2))
        return square_transform((x, y), float(np.interp(frame, self.frames, self.sides)) * scale, size)


def crop_paths(
    faces: pd.DataFrame, crop_scale: float, crop_down: float, last_sampled: int | None = None
) -> dict[int, CropPath]:
    """Return the crop of every track of the ``faces`` manifest over time. A track of one face lasts one frame.

    Tracks that reach the source frame ``last_sampled`` last until the video ends.
    """
    paths = {}
    for track, rows in faces.sort_values("source_frame").groupby("track"):
        squares = crop_squares(rows[["x0", "y0", "x1", "y1"]].to_numpy(np.float64), crop_scale, crop_down)
        frames = rows["source_frame"].to_numpy(np.int64)
        paths[int(track)] = CropPath(frames, *squares, open_end=bool(frames[-1] == last_sampled))
    return paths


def smoothed_centres(
    centres: NDArray[np.float64], frame: NDArray[np.int64], shot: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (N, 2) crop centres averaged 1:2:1 with those of the neighbouring sampled frames of the same shot."""
    result = centres.copy()
    for place in range(len(centres)):
        for other in (place - 1, place + 1):
            if 0 <= other < len(centres) and abs(frame[other] - frame[place]) == 1 and shot[other] == shot[place]:
                result[place] += (centres[other] - centres[place]) / 4
    return result
