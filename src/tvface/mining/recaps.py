"""Search for footage that is shown twice ("previously on ...", opening titles) by perceptual hashes of the crops.

Within an episode sequences of other shots are compared, over a show those of other episodes. Copies are sampled at
another phase than the original: at 3 frames/s up to a sixth of a second beside it. Of 28 sequences of seven real clips,
copied at four phases, a limit of 10 differing bits finds 86 to 100 %, a limit of 4 finds 7 to 36 %; neither limit joins
one of 311 pairs of two people. Other moments of one shot look like copies in half of the cases (10) or never (4): hence
the stricter limit within an episode, where one set-up of the camera comes back again and again. The limits were tuned
on these clips (``benchmarks/recaps.py``); no other footage has tested them.
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
        take: shot, or episode, of each sequence; sequences of one take look alike anyway and are not compared.
        distance: of hashes, in bits; None finds no repeat.
    """
    if distance is None:
        return [False] * len(hashes)
    known = np.zeros(sum(map(len, hashes)), np.int64)
    ends: list[int] = []  # of the sequences in `known`
    takes: list[int] = []
    result: list[bool] = []
    for bits, its_take in zip(hashes, take, strict=True):
        filled = ends[-1] if ends else 0
        repeated = False
        if filled:
            near = hash_distance(bits, known[:filled]) < distance
            frames = np.logical_or.reduceat(near, [0, *ends[:-1]], axis=1).sum(0)
            repeated = bool(((2 * frames >= len(bits)) & (np.asarray(takes) != its_take)).any())
        if not repeated:
            known[filled : filled + len(bits)] = bits
            ends.append(filled + len(bits))
            takes.append(its_take)
        result.append(repeated)
    return result


def repeated_sequences(rows: pd.DataFrame, distance: int | None) -> set[str]:
    """Return the sequences that repeat footage of an earlier episode of the show, in order of the names.

    Without this a test sequence could be a copy of a training sequence.

    Args:
        rows: of the shards of the dataset: ``show``, ``episode``, ``sequence``, ``position``, ``phash``.
        distance: as for :func:`recaps`.
    """
    repeats: set[str] = set()
    for _, of_show in rows.sort_values(["episode", "sequence", "position"], kind="stable").groupby("show", sort=True):
        names, hashes, takes = [], [], []
        number = {episode: index for index, episode in enumerate(of_show["episode"].unique())}
        for name, frames in of_show.groupby("sequence", sort=False):
            names.append(str(name))
            hashes.append(frames["phash"].to_numpy(np.int64))
            takes.append(number[frames["episode"].iloc[0]])
        repeats |= {name for name, again in zip(names, recaps(hashes, takes, distance), strict=True) if again}
    return repeats
