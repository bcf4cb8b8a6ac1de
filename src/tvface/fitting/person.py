"""The fit of all frames of one person, in bounded memory: first the shape, then the frames in overlapping pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tvface.fitting.bridges import bridged
from tvface.fitting.codes import PER_FRAME, FittedCodes, joined
from tvface.fitting.eyes import Lids
from tvface.fitting.observed import Observed
from tvface.fitting.shape_guess import ShapeGuess
from tvface.fitting.solver import solve
from tvface.fitting.verdicts import judge, residuals
from tvface.head.model import HeadModel
from tvface.manifests.fit import FITTED
from tvface.settings.fit import Fit

PIECE, OVERLAP = 128, 12  # frames that are solved at once, and that two neighbouring pieces share


class PersonFit(NamedTuple):
    """``codes`` of T frames, ``residual`` (T,68) in % of the eye distance, ``verdict`` (T,)."""

    codes: FittedCodes
    residual: NDArray[np.float32]
    verdict: NDArray[np.object_]


def fit_person(
    head: HeadModel,
    observed: Observed,
    settings: Fit,
    names: Sequence[str] = (),
    start: FittedCodes | None = None,
    lids: Lids | None = None,
    guess: ShapeGuess | None = None,
) -> PersonFit:
    """Fit every frame of one person with one shape.

    Up to ``settings.frames`` frames decide the shape. Those that fail are taken out, and the shape is fitted again, so
    that wrong points do not bend it. With this shape all frames are fitted, in pieces of :data:`PIECE` frames, unless
    all of them decided it.

    Args:
        head: restricted to the points.
        observed: T >= 1 frames, segments in one piece.
        settings: weights, limits and steps.
        names: of the expression columns if these are face units, else none.
        start: codes of T frames to start from (of a network); none: the mean head, placed rigidly.
        lids, guess: see :class:`tvface.fitting.energy.Energy`.
    """
    rows = deciding_rows(observed, settings.frames)
    decided, verdict = _decide(head, observed.take(rows), settings, names, start and start.take(rows), lids, guess)
    good = verdict == FITTED
    again = 0 < good.sum() < len(rows)
    if again:
        rows = rows[good]
        decided, _ = _decide(head, observed.take(rows), settings, names, start and start.take(rows), lids, guess)
    if again or len(rows) < len(observed):
        parts = [
            _piece(head, observed, settings, names, decided.shape, start, lids, piece) for piece in pieces(observed)
        ]
        codes = _merge(parts, len(observed), decided.shape)
    else:
        codes = decided  # every frame was there, so a second fit would find the same
    residual = residuals(codes.points(head), observed)
    verdict = judge(codes, residual, observed, settings)
    failed = verdict != FITTED
    if failed.any() and not failed.all():
        # A failed frame pulls at its neighbours in time: once more without its points.
        confidence = np.where(failed[:, None], 0, observed.confidence).astype(np.float32)
        rest = replace(observed, confidence=confidence)
        begin = _bridged(codes, ~failed, observed)
        parts = [_piece(head, rest, settings, names, codes.shape, begin, lids, piece) for piece in pieces(rest)]
        codes = _merge(parts, len(observed), codes.shape)
        residual = residuals(codes.points(head), observed)
        verdict = np.where(failed, verdict, judge(codes, residual, observed, settings))
    return PersonFit(codes, residual, verdict)


def _bridged(codes: FittedCodes, good: NDArray[np.bool_], observed: Observed) -> FittedCodes:
    """Return the codes with those of bad frames taken from the frames around, segment by segment."""
    rows = [np.flatnonzero(observed.segment == value) for value in dict.fromkeys(observed.segment.tolist())]
    return joined([bridged(codes.take(each), good[each], observed.time[each]) for each in rows])


def deciding_rows(observed: Observed, count: int) -> NDArray[np.int64]:
    """Return the rows of at most ``count`` frames that lie evenly over all, whole neighbourhoods left out."""
    return np.unique(np.linspace(0, len(observed) - 1, min(count, len(observed))).round().astype(np.int64))


def pieces(observed: Observed) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of pieces of at most :data:`PIECE` frames; a longer segment's pieces share :data:`OVERLAP`."""
    edges = np.flatnonzero(np.diff(observed.segment)) + 1
    waiting: list[NDArray[np.int64]] = []
    for rows in np.split(np.arange(len(observed)), edges):
        if waiting and sum(map(len, waiting)) + len(rows) > PIECE:
            yield np.concatenate(waiting)
            waiting = []
        while len(rows) > PIECE:
            yield rows[:PIECE]
            rows = rows[PIECE - OVERLAP :]
        waiting.append(rows)
    if waiting:
        yield np.concatenate(waiting)


def _decide(
    head: HeadModel,
    observed: Observed,
    settings: Fit,
    names: Sequence[str],
    start: FittedCodes | None,
    lids: Lids | None,
    guess: ShapeGuess | None,
) -> tuple[FittedCodes, NDArray[np.object_]]:
    """Return codes with the shape that fits best, and the frames' verdicts."""
    codes = solve(head, observed, settings, names, start=start, lids=lids, guess=guess)
    return codes, judge(codes, residuals(codes.points(head), observed), observed, settings)


def _piece(
    head: HeadModel,
    observed: Observed,
    settings: Fit,
    names: Sequence[str],
    shape: NDArray[np.float32],
    start: FittedCodes | None,
    lids: Lids | None,
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], FittedCodes]:
    before = None if start is None else replace(start.take(rows), shape=shape)
    return rows, solve(head, observed.take(rows), settings, names, shape=shape, start=before, lids=lids)


def _merge(
    parts: Sequence[tuple[NDArray[np.int64], FittedCodes]], count: int, shape: NDArray[np.float32]
) -> FittedCodes:
    """Return the codes of all frames; where pieces overlap, one passes into the next linearly."""
    everything = joined([codes for _, codes in parts])
    values = {name: np.zeros((count, *getattr(everything, name).shape[1:]), np.float32) for name in PER_FRAME}
    done = np.zeros(count, bool)
    ramp = (np.arange(OVERLAP, dtype=np.float32) + 1) / (OVERLAP + 1)
    for rows, codes in parts:
        share = np.ones(len(rows), np.float32)
        again = done[rows]
        share[again] = ramp[: again.sum()]
        for name, value in values.items():
            weight = share.reshape(-1, *(1,) * (value.ndim - 1))
            value[rows] += weight * (getattr(codes, name) - value[rows])
        done[rows] = True
    return FittedCodes(shape=np.asarray(shape, np.float32), **values)
