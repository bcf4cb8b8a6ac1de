"""The networks that read from pictures what the fit needs beside the points: eyes and a guess of the shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvface.assets import registry
from tvface.fitting import shape_guess
from tvface.fitting.eyes import Eyes, Network, look
from tvface.fitting.shape_guess import ShapeGuess
from tvface.head.data import HeadData
from tvface.networks.bundles import load_bundle
from tvface.networks.compact import CompactShape
from tvface.settings.fit import Fit


@dataclass(frozen=True)
class Readers:
    """The bundled networks; ``shape`` is None where no guess is wanted."""

    eyes: Network
    shape: CompactShape | None

    @classmethod
    def of(cls, settings: Fit, head: HeadData) -> Readers:
        """Load what the settings ask for; the guess knows the codes of the human head alone."""
        return cls.load(settings.guess > 0 and head.notes.get("source") == "human")

    @classmethod
    def load(cls, with_guess: bool) -> Readers:
        """Load the bundled networks.

        Args:
            with_guess: guess shapes too; the codes are those of the human head.

        Raises:
            WeightsError: a file is missing or damaged.
        """
        shape = load_bundle(registry.place("compact_shape")).net if with_guess else None
        assert shape is None or isinstance(shape, CompactShape)
        return cls(load_bundle(registry.place("compact_eyes")).net, shape)

    def look_at_eyes(self, images: NDArray[np.uint8], points: NDArray[np.floating]) -> Eyes:
        """Return what the eyes of T pictures (T,H,W,3) with points (T,68,2) show."""
        return look(images, points, self.eyes)

    def guesses(self, images: NDArray[np.uint8], points: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """Return the guesses (T,S) of T pictures; None if none are wanted."""
        return None if self.shape is None else shape_guess.look(images, points, self.shape)

    def pooled(self, guesses: NDArray[np.floating], weights: NDArray[np.floating], n_shape: int) -> ShapeGuess:
        """Return what guesses (T,S) with weights (T,) say together; see :func:`tvface.fitting.shape_guess.pooled`."""
        assert self.shape is not None
        return shape_guess.pooled(guesses, weights, self.shape, n_shape)
