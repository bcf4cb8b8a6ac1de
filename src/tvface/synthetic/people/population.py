"""Who the synthetic people are: identity codes with the sex, age and origin that made them, so that looks fit the bone.

The people come from the table beside the human head, drawn in MakeHuman's slider space (``tvface.head.human.people``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tvface.head import human
from tvface.head.data import HeadData

# Standard deviation that is added to a code of the table: the 2,048 people become neighbours of theirs, of the same
# sex, age and origin.
JITTER = 0.2
NEAR = 24

Part = Literal["all", "train", "test"]
PARTS: tuple[str, ...] = get_args(Part)
# Every eighth row of the table is of the part "test": neighbours of a row that nobody of "train" comes from.
_TEST_EVERY = 8


@dataclass(frozen=True)
class Nature:
    """What bone and looks share: ``male``, share of the male shape; ``age`` in years; ``african``, ``asian`` and
    ``caucasian``, shares of origin that sum to 1; ``weight`` in [0, 1], .5 the average."""

    male: float
    age: float
    african: float
    asian: float
    caucasian: float
    weight: float = 0.5

    @property
    def man(self) -> bool:
        """Return whether the person has a man's looks, e.g. a beard."""
        return self.male >= 0.5

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Nature:
        """Draw a nature without a bone, as the table's people are drawn."""
        male = float(rng.random() < 0.5)
        african, asian, caucasian = (float(share) for share in rng.dirichlet([0.3] * 3))
        return cls(male, float(25 + 55 * rng.beta(1.0, 1.8)), african, asian, caucasian)


class Population:
    """The people of a head model.

    Args:
        head: the human head, whose identity columns are the table's.
        part: rows of the table that are drawn from: all, or those of the people to train with or to test on, of which
            none comes from a row of the other part.

    Raises:
        ValueError: the head is another one, or there is no such part.
    """

    def __init__(self, head: HeadData, part: str = "all") -> None:
        if head.notes.get("source") != "human":
            raise ValueError(f"synthetic people need head.model: human; this head is {head.notes.get('source')!r}")
        if part not in PARTS:
            raise ValueError(f"part {part!r} of the people: valid are {', '.join(PARTS)}")
        codes, traits = human.table_of_people()
        number = np.arange(len(codes))
        test = number % _TEST_EVERY == _TEST_EVERY - 1
        kept = {"all": number, "train": number[~test], "test": number[test]}[part]
        self.codes = codes[kept, : head.shape_basis.shape[2]]
        names = ("male", "age", "african", "asian", "caucasian", "weight")
        self.natures = [Nature(*(float(traits[name][k]) for name in names)) for k in kept]

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, Nature]:
        """Draw a person: identity code (S,) float32 and nature."""
        row = int(rng.integers(len(self.codes)))
        code = self.codes[row] + JITTER * rng.standard_normal(self.codes.shape[1], dtype=np.float32)
        return code.astype(np.float32), self.natures[row]

    def draw_like(self, nature: Nature, rng: np.random.Generator) -> tuple[np.ndarray, Nature]:
        """Draw a person of the same sex, and of the nearest age and origin among :data:`NEAR` draws."""
        candidates = [self.draw(rng) for _ in range(NEAR)]
        return min(candidates, key=lambda pair: _unlikeness(pair[1], nature))


def _unlikeness(one: Nature, other: Nature) -> float:
    origins = zip((one.african, one.asian, one.caucasian), (other.african, other.asian, other.caucasian), strict=True)
    return (
        3 * abs(one.man - other.man)
        + abs(one.age - other.age) / 20
        + sum(abs(first - second) for first, second in origins)
    )
