"""What is done to the test footage: kinds of damage, and which frames of a shot they hit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tvface.supervised.damage import KINDS, Kind

FRAMES = 10
"""Frames of a test shot."""


@dataclass(frozen=True)
class Condition:
    """Damage of one kind (None: a kind drawn for each shot) in the frames that ``hit`` draws; no ``hit``: none."""

    name: str
    kind: Kind | None = None
    hit: Callable[[np.random.Generator], Sequence[bool]] | None = None

    def draw(self, rng: np.random.Generator) -> tuple[Kind | None, list[bool]]:
        """Draw the kind for a shot, and which of its frames are damaged."""
        if self.hit is None:
            return None, [False] * FRAMES
        kind = self.kind if self.kind is not None else KINDS[int(rng.integers(len(KINDS)))]
        return kind, list(self.hit(rng))


def _half(rng: np.random.Generator) -> list[bool]:
    """Each frame by itself, half of them on average, one at least damaged and one clean."""
    while True:
        drawn = (rng.random(FRAMES) < 0.5).tolist()
        if any(drawn) and not all(drawn):
            return list(drawn)


def _single(rng: np.random.Generator) -> list[bool]:
    """One frame that has neighbours on both sides."""
    return _run(rng, 1)


def _few(rng: np.random.Generator) -> list[bool]:
    """Two to four frames in a row, with a clean one on both sides."""
    return _run(rng, int(rng.integers(2, 5)))


def _run(rng: np.random.Generator, length: int) -> list[bool]:
    start = int(rng.integers(1, FRAMES - length))
    return [start <= frame < start + length for frame in range(FRAMES)]


def _all(_: np.random.Generator) -> list[bool]:
    return [True] * FRAMES


CONDITIONS = (
    Condition("clean"),
    *(Condition(kind, kind, _half) for kind in KINDS),
    Condition("one frame", None, _single),
    Condition("two to four frames", None, _few),
    Condition("whole shot", None, _all),
)
"""All conditions; ``KINDS`` by name hit half of the frames, each frame with damage of its own."""
