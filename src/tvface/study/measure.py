"""A model on test shots under every condition: a row per frame, and what they say of each person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tvface.model.face_model import FaceModel
from tvface.study.conditions import CONDITIONS, FRAMES, Condition
from tvface.study.judge import Judge, codes_of, smoothed, windows
from tvface.supervised.lesson import similar_mm
from tvface.supervised.shots import Shots

MEANS = ("nme", "rigid", "similar", "mouth", "eyes", "bend", "neutral", "spread")
"""Columns of :meth:`Judge.rows` whose mean is reported."""


def measure(
    model: FaceModel,
    shots: Shots,
    classes: Sequence[int],
    length: int,
    conditions: Sequence[Condition] = CONDITIONS,
    smoothings: Sequence[float] = (),
    seed: int = 0,
    people: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return the rows of :meth:`Judge.rows` for every condition, with ``condition``, ``smoothing`` and ``person``.

    Args:
        model: trained.
        shots: to test on, of FRAMES frames.
        classes: of the face mask.
        length: frames that the model sees at once.
        conditions: of the footage.
        smoothings: sigmas in frames; the codes smoothed by each are measured too. 0 is the codes themselves.
        seed: of the damage.
        people: numbers of the people in :meth:`Shots.people`; None: all.
    """
    judge = Judge(model, shots.head)
    everyone = shots.people()
    who = range(len(everyone)) if people is None else people
    person_of = {shot: person for person in who for shot in everyone[person]}
    parts = []
    for condition in conditions:
        for window, hit, numbers in windows(shots, model.spec.image_size, classes, condition, seed, who):
            codes = codes_of(model, window, length)
            for sigma in (0.0, *smoothings):
                shown = smoothed(codes, FRAMES, sigma) if sigma else codes
                rows = judge.rows(shown, window, hit, numbers)
                parts.append(rows.assign(condition=condition.name, smoothing=sigma))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(person=table["shot"].map(person_of))


def means(rows: pd.DataFrame, which: str = "all") -> pd.DataFrame:
    """Return the mean of every metric by condition, smoothing and person.

    Args:
        rows: of :func:`measure`.
        which: frames that count: ``all``, ``damaged`` or ``clean``.
    """
    if which != "all":
        rows = rows[rows["damaged"] == (which == "damaged")]
    return rows.groupby(["condition", "smoothing", "person"], sort=False)[list(MEANS)].mean()


def agreement(rows: pd.DataFrame, name: str) -> tuple[float, float]:
    """Return correlation and slope of a column over ``true_<name>``: of gaps about the means of their shots, of skins
    over people."""
    if name == "skin":
        table = rows.groupby("person")[[name, f"true_{name}"]].mean()
        table = table - table.mean()
    else:
        columns = [name, f"true_{name}"]
        table = rows[columns] - rows.groupby(["condition", "shot"])[columns].transform("mean")
    found, true = (table[column].to_numpy(np.float64) for column in (name, f"true_{name}"))
    both = float(found @ true)
    return both / float(np.sqrt((found @ found) * (true @ true))), both / float(true @ true)


def mean_head(shots: Shots, model: FaceModel, people: Sequence[int] | None = None) -> float:
    """Return the neutral error of the mean head, mm: what any model must beat."""
    judge = Judge(model, shots.head)
    everyone = shots.people()
    chosen = everyone if people is None else [everyone[person] for person in people]
    codes = torch.from_numpy(np.stack([shots.take(group[0], 0, 1)["shape"][0] for group in chosen])).float()
    return float(similar_mm(judge.face.neutral(0 * codes), judge.face.neutral(codes)).mean())


def bootstrap(values: NDArray[np.floating], seed: int = 0, draws: int = 4000) -> tuple[float, float, float]:
    """Return the mean of values per person (P,), and the 2.5 and 97.5 % quantiles of it over resampled people."""
    values = np.asarray(values, np.float64)
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(len(values), size=(draws, len(values)))].mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
