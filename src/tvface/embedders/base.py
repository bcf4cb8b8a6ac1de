"""Base class of identity embedders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tvface.assets.backends import Weighted

SIDE = 160  # pixels of the crops that embedders take


class Embedder(Weighted, ABC):
    """Maps face crops to unit vectors whose Euclidean distance (0..2) is small for the same person.

    Class attributes, calibrated per embedder, are distances: ``track_distance`` of a face to its track inside a shot,
    ``person_distance`` between tracks of one person, ``pair_distance`` between any two faces of a sequence.
    ``crop`` is the kind of crops it takes: ``box`` (the detected box with a margin, stretched to a square) or
    ``aligned`` (similarity from the five points).
    """

    dimension: ClassVar[int]
    track_distance: ClassVar[float]
    person_distance: ClassVar[float]
    pair_distance: ClassVar[float]
    crop: ClassVar[Literal["box", "aligned"]]

    @abstractmethod
    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed (N, 160, 160, 3) uint8 RGB crops, N >= 0, as (N, dimension) float32 rows of unit length."""


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale the rows of (N, D) to unit length; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)
