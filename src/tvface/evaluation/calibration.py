"""Calibrate distances between embeddings on a run's footage, by pairs known to show one person or two people.

The footage has no labels, but much of it labels itself. Boxes of neighbouring sampled frames of one shot that
cover each other are one person, whatever the embedder says (a *stay*); faces of one frame are different people;
people of different shows count as different. The decisions of a human (:mod:`tvface.mining.decisions`) give what the
footage alone never shows: the same person in two shots. Tracks are not used for pairs of one person, because the
distance to be calibrated has formed them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tvface.conventions.boxes import iou
from tvface.embedders.base import unit
from tvface.evaluation.verification import Verification, verify
from tvface.mining.decisions import Decisions, Track, joined

Distances = NDArray[np.float64]

STAYS_OVERLAP = 0.5
# The threshold lies between what 99 % of the pairs of one person need and what two people allow.
NEEDED = 0.99
_PAIRS_OF_A_STAY = 30
_TRACKS_OF_AN_EPISODE = 40
_PAIRS_OF_SHOWS = 20_000


@dataclass
class Known:
    """Distances (0..2) of pairs known to be one person (``same``) and two people (``different``), in chunks."""

    same: list[Distances] = field(default_factory=list)
    different: list[Distances] = field(default_factory=list)

    def arrays(self) -> tuple[Distances, Distances]:
        """Return all distances of pairs of one person, (S,), and of two people, (D,)."""
        nothing = [np.zeros(0)]
        return np.concatenate([*self.same, *nothing]), np.concatenate([*self.different, *nothing])


@dataclass(frozen=True)
class Choice:
    """A suggested threshold beside the one in use.

    ``accepted`` and ``false`` are the shares, 0..1, of the pairs of one person and of two people that the thresholds
    join, each as (now, suggested).
    """

    now: float
    suggested: float
    figures: Verification
    accepted: tuple[float, float]
    false: tuple[float, float]


def choose(known: Known, now: float, false_accepts: float) -> Choice:
    """Suggest a threshold from known pairs.

    It is the middle between the distance that 99 % of the pairs of one person need and the largest one that joins at
    most ``false_accepts`` of the pairs of two people; where the two kinds overlap, it is the latter.

    Args:
        known: distances of both kinds of pairs.
        now: the threshold in use.
        false_accepts: share of the pairs of two people that may be joined, 0..1; of fewer pairs than its inverse, none.

    Raises:
        ValueError: one of the two kinds has no pair.
    """
    same, different = known.arrays()
    figures = verify(same, different, false_accepts)
    allowed = float(np.quantile(different, false_accepts, method="lower"))
    if false_accepts * len(different) < 1:
        allowed = float(np.nextafter(allowed, 0))
    needed = float(np.quantile(same, NEEDED, method="higher"))
    suggested = (needed + allowed) / 2 if needed < allowed else allowed
    part = [tuple(float((kind <= threshold).mean()) for threshold in (now, suggested)) for kind in (same, different)]
    return Choice(now, suggested, figures, (part[0][0], part[0][1]), (part[1][0], part[1][1]))


def stays(frame: NDArray[np.integer], shot: NDArray[np.integer], boxes: NDArray[np.floating]) -> NDArray[np.int64]:
    """Follow faces by position alone, as long as there is no doubt.

    A face continues the one in the sampled frame before, of the same shot, whose box it covers to at least
    :data:`STAYS_OVERLAP` (intersection over union), if no other box touches either of the two.

    Args:
        frame: (N,) ascending; shot: (N,); boxes: (N, 4) x0, y0, x1, y1 in pixels.

    Returns:
        (N,) number of each face's stay, from 0 in order of first appearance.
    """
    stay = np.full(len(frame), -1, np.int64)
    total = 0
    rows_of = {int(number): np.flatnonzero(frame == number) for number in np.unique(frame)}
    for number, rows in rows_of.items():
        before = rows_of.get(number - 1, rows[:0])
        before = before[shot[before] == shot[rows[0]]]
        overlap = iou(boxes[rows], boxes[before])
        alone = ((overlap > 0).sum(0) == 1)[None] & ((overlap > 0).sum(1) == 1)[:, None]
        for row, one in zip(rows, (overlap >= STAYS_OVERLAP) & alone, strict=True):
            if one.any():
                stay[row] = stay[before[int(one.argmax())]]
            else:
                stay[row] = total
                total += 1
    return stay


class Calibration:
    """Collects episodes with :meth:`add`; then :attr:`tracks`, :attr:`people` and :attr:`pairs` hold the distances that
    ``faces.tracks.distance``, ``identities.threshold`` and ``sequences.pair_distance`` are compared with.

    Args:
        min_faces: faces that a mean needs to count, as ``identities.min_faces``.
        seed: of what is drawn where there are too many pairs.
    """

    def __init__(self, min_faces: int, seed: int) -> None:
        self.tracks, self.people, self.pairs = Known(), Known(), Known()
        self._min_faces = min_faces
        self._random = np.random.default_rng(seed)
        self._means: dict[str, list[NDArray[np.float32]]] = {}

    def add(
        self,
        show: str,
        frame: NDArray[np.integer],
        shot: NDArray[np.integer],
        boxes: NDArray[np.floating],
        embeddings: NDArray[np.float32],
    ) -> None:
        """Add the faces of an episode: (N,), (N,), (N, 4) in pixels and (N, D) of unit length, by ascending frame."""
        stay = stays(frame, shot, boxes)
        members = [np.flatnonzero(stay == number) for number in range(int(stay.max(initial=-1)) + 1)]
        for rows in members:
            self._one_person(embeddings[rows])
        means: dict[int, NDArray[np.float32]] = {
            number: unit(embeddings[rows].mean(0))
            for number, rows in enumerate(members)
            if len(rows) >= self._min_faces
        }
        self._beside_each_other(frame, stay, embeddings, means)
        drawn = self._random.permutation(sorted(means))[:_TRACKS_OF_AN_EPISODE]
        self._means.setdefault(show, []).extend(means[int(number)] for number in drawn)

    def _one_person(self, faces: NDArray[np.float32]) -> None:
        count = len(faces)
        if count < 2:
            return
        before = np.cumsum(faces, axis=0)[:-1]
        self.tracks.same.append(_apart(faces[1:], unit(before)))
        first, second = np.triu_indices(count, 1)
        drawn = self._random.permutation(len(first))[:_PAIRS_OF_A_STAY]
        self.pairs.same.append(_apart(faces[first[drawn]], faces[second[drawn]]))
        if count >= 2 * self._min_faces:
            halves = np.stack([unit(half.mean(0)) for half in np.array_split(faces, 2)])
            self.people.same.append(_apart(halves[:1], halves[1:]))

    def _beside_each_other(
        self,
        frame: NDArray[np.integer],
        stay: NDArray[np.int64],
        embeddings: NDArray[np.float32],
        means: Mapping[int, NDArray[np.float32]],
    ) -> None:
        together: set[tuple[int, int]] = set()
        so_far: dict[int, NDArray[np.float32]] = {}
        for number in np.unique(frame):
            rows = np.flatnonzero(frame == number)
            first, second = np.triu_indices(len(rows), 1)
            self.pairs.different.append(_apart(embeddings[rows[first]], embeddings[rows[second]]))
            for row, other in itertools.permutations(rows, 2):
                if stay[other] in so_far:
                    mean = unit(so_far[stay[other]])
                    self.tracks.different.append(_apart(embeddings[[row]], mean[None]))
                together.add((int(min(stay[row], stay[other])), int(max(stay[row], stay[other]))))
            for row in rows:
                so_far[stay[row]] = so_far.get(stay[row], 0) + embeddings[row]
        for first_stay, second_stay in sorted(together):
            if first_stay in means and second_stay in means:
                self.people.different.append(_apart(means[first_stay][None], means[second_stay][None]))

    def add_shows(self) -> None:
        """Count people of different shows as different, drawing where there are too many pairs."""
        shows = sorted(name for name, means in self._means.items() if means)
        pairs = [(a, b) for index, a in enumerate(shows) for b in shows[index + 1 :]]
        each = -(-_PAIRS_OF_SHOWS // max(1, len(pairs)))
        for a, b in pairs:
            one, other = np.stack(self._means[a]), np.stack(self._means[b])
            drawn = self._random.permutation(len(one) * len(other))[:each]
            self.people.different.append(_apart(one[drawn // len(other)], other[drawn % len(other)]))

    def add_decisions(self, decided: Decisions, means: Mapping[Track, NDArray[np.float32]]) -> None:
        """Add the decisions of a human about the tracks of a show.

        Args:
            decided: the decisions.
            means: unit mean of every track in a decision (:meth:`Decisions.tracks`).
        """
        known = sorted(decided.tracks())
        first, second = np.triu_indices(len(known), 1)
        if not len(first):
            return
        place = {track: row for row, track in enumerate(known)}
        names: dict[str, list[int]] = {}
        for track, name, _ in decided.names:
            names.setdefault(name, []).append(place[track])
        links = [(place[a], place[b]) for a, b, _ in decided.same]
        links += [pair for rows in names.values() for pair in itertools.pairwise(rows)]
        person = joined(len(known), links)
        two = {frozenset((person[place[a]], person[place[b]])) for a, b, _ in decided.apart}
        two |= {frozenset(pair) for pair in itertools.combinations([person[rows[0]] for rows in names.values()], 2)}
        vectors = np.stack([means[track] for track in known])
        distance = _apart(vectors[first], vectors[second])
        one = person[first] == person[second]
        other = np.array([frozenset(pair) in two for pair in zip(person[first], person[second], strict=True)])
        self.people.same.append(distance[one])
        self.people.different.append(distance[~one & other])


def _apart(a: NDArray[np.floating], b: NDArray[np.floating]) -> Distances:
    """Return the distances of the rows of (N, D) and (N, D)."""
    return np.asarray(np.linalg.norm(np.asarray(a, np.float64) - b, axis=-1), np.float64)
