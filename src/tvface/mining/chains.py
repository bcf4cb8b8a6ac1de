"""Select sequences among the valid faces of one person, and the sequences to keep."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvface.mining.motion import lively, movement
from tvface.settings.data import Sequences

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """The valid faces of one person in order of time: of one track, or of one scene where shots may be crossed.

    frame (n,) sampled frame, strictly increasing; shot (n,); points (n, 5, 2) and box side (n,) in pixels; unit
    embedding (n, D).
    """

    frame: NDArray[np.int64]
    shot: NDArray[np.int64]
    points: Array
    side: Array
    embedding: Array


def choose(chain: Chain, settings: Sequences, pair_distance: float) -> tuple[list[NDArray[np.int64]], list[str]]:
    """Take disjoint sequences of ``settings.length`` faces greedily from the start.

    From a first face the next ones are taken in order. A face that moved too fast, changed size too much or looks
    like another person than one already taken is passed over; a gap that is too long ends the attempt, and the next
    one begins one face later. After a sequence the search goes on behind its last face.

    Returns:
        The sequences as positions in the chain, and per face ``used`` or the reason why it is in no sequence.
    """
    count = len(chain.frame)
    reasons = ["remainder"] * count
    sequences: list[NDArray[np.int64]] = []
    if count < settings.min_frames:
        return sequences, ["short_track"] * count
    start = 0
    while start < count:
        taken, passed, end = _attempt(chain, start, settings, pair_distance)
        if end == "full":
            for place, reason in passed.items():
                reasons[place] = reason
            for place in taken:
                reasons[place] = "used"
            sequences.append(np.array(taken, np.int64))
            start = taken[-1] + 1
            continue
        reasons[start] = end
        start += 1
    return sequences, reasons


def _attempt(
    chain: Chain, start: int, settings: Sequences, pair_distance: float
) -> tuple[list[int], dict[int, str], str]:
    """Return the faces taken from ``start`` on, those passed over with their reasons, and how the attempt ended."""
    taken = [start]
    passed: dict[int, str] = {}
    shifts: list[float] = []
    deformations: list[float] = []
    crossings = 0
    for place in range(start + 1, len(chain.frame)):
        last = taken[-1]
        crossing = chain.shot[place] != chain.shot[last]
        step = int(chain.frame[place] - chain.frame[last])
        if step > (settings.cross_gap if crossing else settings.max_gap):
            return taken, passed, "gap"
        if crossing and (not settings.cross_shots or crossings == settings.max_crossings):
            return taken, passed, "crossing"
        shift, deformation = movement(chain.points[last], chain.points[place])
        sides = chain.side[[*taken, place]]
        if shift > settings.too_fast and not crossing:
            passed[place] = "too_fast"
        elif sides.max() > settings.max_zoom * sides.min():
            passed[place] = "zoom"
        elif np.linalg.norm(chain.embedding[taken] - chain.embedding[place], axis=1).max() > pair_distance:
            passed[place] = "pair_distance"
        else:
            taken.append(place)
            crossings += int(crossing)
            if not crossing:  # another camera is no movement
                shifts.append(shift)
                deformations.append(deformation)
            if len(taken) == settings.length:
                return taken, passed, lively(np.array(shifts), np.array(deformations), settings) or "full"
    return taken, passed, "remainder"


def contiguity(frame: NDArray[np.integer], shot: NDArray[np.integer]) -> str:
    """Return the class of a sequence: ``continuous``, ``gapped`` or ``cross-shot``."""
    if len(np.unique(shot)) > 1:
        return "cross-shot"
    return "continuous" if (np.diff(frame) == 1).all() else "gapped"


def capped(track: list[int], person: list[str], settings: Sequences) -> list[str | None]:
    """Judge sequences in order of time: None, or ``cap_track`` / ``cap_person`` once enough have been kept.

    Args:
        track, person: of each sequence; None in the settings means no limit.
    """
    tracks: Counter[int] = Counter()
    people: Counter[str] = Counter()
    result: list[str | None] = []
    for its_track, its_person in zip(track, person, strict=True):
        if settings.per_track is not None and tracks[its_track] >= settings.per_track:
            result.append("cap_track")
        elif settings.per_person is not None and people[its_person] >= settings.per_person:
            result.append("cap_person")
        else:
            tracks[its_track] += 1
            people[its_person] += 1
            result.append(None)
    return result
