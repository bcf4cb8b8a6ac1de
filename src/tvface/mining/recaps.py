"""Footage that is shown twice ("previously on ...", opening titles), found by perceptual hashes of the crops.

Within an episode sequences of other shots are compared, over a show those of other episodes. Copies are sampled at
another phase than the original: at 3 frames/s up to a sixth of a second beside it. Of 28 sequences of seven real clips,
copied at four phases, fewer than 10 differing bits find 86 to 100 %, fewer than 4 find 7 to 36 %; of 311 pairs of two
people neither joins one. Other moments of one shot look like copies in half of the cases (10) or never (4): hence the
stricter limit within an episode, where one set-up of the camera comes back again and again. The limits were chosen on
these clips (``benchmarks/recaps.py``); no other footage has tested them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def hash_distance(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the (N, M) numbers of bits in which (N,) and (M,) hashes differ."""
    return np.bitwise_count((a[:, None] ^ b[None]).view(np.uint64))


def recaps(hashes: Sequence[NDArray[np.int64]], take: Sequence[int], distance: int | None) -> list[bool]:
    """Return which sequences repeat footage of an earlier one of another take.

    A sequence is a repeat if for at least half of its frames one earlier sequence, itself no repeat, holds a frame
    whose hash differs by fewer than ``distance`` bits. A copy need not start at the same frame, so all frames are
    compared. Every sequence is compared with all before it: ten thousand of ten frames take some ten seconds.

    Args:
        hashes: (length,) perceptual hashes per sequence, sequences in order of time.
        take: shot, or episode, of each sequence; those of one take look alike by right and are not compared.
        distance: of hashes, in bits; None finds no repeat.
    """
    if distance is None:
        return [False] * len(hashes)
    known = np.zeros(sum(map(len, hashes)), np.int64)
    ends: list[int] = []  # of the sequences in `known`
    takes: list[int] = []
    result: list[bool] = []
    for own, mine in zip(hashes, take, strict=True):
        filled = ends[-1] if ends else 0
        repeated = False
        if filled:
            near = hash_distance(own, known[:filled]) < distance
            frames = np.logical_or.reduceat(near, [0, *ends[:-1]], axis=1).sum(0)
            repeated = bool(((2 * frames >= len(own)) & (np.asarray(takes) != mine)).any())
        if not repeated:
            known[filled : filled + len(own)] = own
            ends.append(filled + len(own))
            takes.append(mine)
        result.append(repeated)
    return result


def repeated_sequences(rows: pd.DataFrame, distance: int | None) -> set[str]:
    """Return the sequences that repeat footage of an episode of the show which comes before by its name.

    Without this a test sequence could be a copy of a training sequence.

    Args:
        rows: of the shards of the dataset: ``show``, ``episode``, ``sequence``, ``position``, ``phash``.
        distance: as for :func:`recaps`.
    """
    found: set[str] = set()
    for _, of_show in rows.sort_values(["episode", "sequence", "position"], kind="stable").groupby("show", sort=True):
        names, hashes, takes = [], [], []
        number = {episode: index for index, episode in enumerate(of_show["episode"].unique())}
        for name, frames in of_show.groupby("sequence", sort=False):
            names.append(str(name))
            hashes.append(frames["phash"].to_numpy(np.int64))
            takes.append(number[frames["episode"].iloc[0]])
        found |= {name for name, again in zip(names, recaps(hashes, takes, distance), strict=True) if again}
    return found
