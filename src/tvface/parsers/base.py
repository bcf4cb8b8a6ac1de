"""Base class of face parsers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from tvface.assets.backends import Weighted


class Parser(Weighted, ABC):
    """Labels every pixel with one of 19 classes.

    ``precision`` names the network's arithmetic (``float32``, ``bfloat16``), for the provenance.
    """

    precision: str = "float32"

    @abstractmethod
    def parse(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Label (N, S, S, 3) uint8 RGB pictures of one face each; N may be 0.

        Returns:
            (N, S, S) uint8, classes 0..18 in zllrunning order (:data:`CLASSES`).
        """
