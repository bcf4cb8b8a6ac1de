"""Inputs that the label stages share: pictures of a region around each crop, paths and the device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tvface.manifests import ManifestError
from tvface.media.images import Image, read_image, warp_crop
from tvface.runtime.device import torch_device
from tvface.settings import Settings


class Surroundings:
    """Cuts the region around a crop from the source picture, at the crop's own scale.

    The region is ``2 * pad`` pixels larger than the crop with the same centre, so region pixel (x, y) is crop pixel
    (x - pad, y - pad) exactly, and a label map of the region holds the crop's as a slice.
    """

    def __init__(self, sequences: pd.DataFrame, frames: pd.DataFrame, context: float) -> None:
        """Take rows (at least one) of the sequences manifest, those of the frames manifest, and region / crop side."""
        first = sequences.iloc[0]
        self.crop = len(read_image(first.image_file, int(first.image_offset), int(first.image_length)))
        self.pad = round(self.crop * (context - 1) / 2)
        self.sequences = sequences
        self._pictures = frames.set_index(["episode", "frame"])[["image_file", "image_offset", "image_length"]]
        self._last: tuple[tuple[str, int, int], Image] | None = None

    @property
    def size(self) -> int:
        """Side of the region in pixels."""
        return self.crop + 2 * self.pad

    def read(self, index: int) -> Image:
        """Return the region of row ``index`` of the sequences, size x size x 3 uint8; black outside the picture.

        Raises:
            ManifestError: the frames manifest lacks the row's frame.
        """
        row = self.sequences.iloc[index]
        if self.pad == 0:
            return read_image(row.image_file, int(row.image_offset), int(row.image_length))
        key = (row.episode, row.frame)
        if key not in self._pictures.index:
            raise ManifestError(
                f"sequence {row.sequence} position {row.position}: the frames manifest has no frame {row.frame} of "
                f"{row.episode}; run frames and what follows again"
            )
        file, offset, length = self._pictures.loc[key]
        transform = np.asarray(row["transform"], np.float64).reshape(2, 3).copy()
        transform[:, 2] += self.pad
        return warp_crop(self._picture((file, int(offset), int(length))), transform, self.size)

    def batch(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the regions of rows start .. stop - 1, (N, size, size, 3)."""
        return np.stack([self.read(index) for index in range(start, stop)])

    def _picture(self, address: tuple[str, int, int]) -> Image:
        if self._last is None or self._last[0] != address:
            self._last = (address, read_image(*address))
        return self._last[1]


def device(settings: Settings) -> torch.device:
    """Return the device of ``settings.device``; ``auto`` is CUDA where there is one."""
    return torch_device(settings.device)


def path_of(inputs: Mapping[str, object], name: str) -> Path:
    """Return one input path.

    Raises:
        KeyError: the rule lacks this input.
    """
    if name not in inputs:
        raise KeyError(f"this stage needs the input '{name}' and has {', '.join(inputs)}; add it to its rule")
    return Path(str(inputs[name]))
