"""Verification metrics: how well distances separate pairs of one person from pairs of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, roc_curve


@dataclass(frozen=True)
class Verification:
    """Metrics over pairs: ``area`` under the ROC curve and ``true_accepts`` at 1 % false ones in 0..1, higher is
    better; ``equal_error`` rate in 0..1, lower is better; ``same`` and ``different`` pairs counted."""

    area: float
    equal_error: float
    true_accepts: float
    same: int
    different: int


def verify(same: NDArray[np.floating], different: NDArray[np.floating], false_accepts: float = 0.01) -> Verification:
    """Compare the distances of pairs of one person, (S,), with those of pairs of two, (D,).

    Pairs up to a threshold are accepted.

    Args:
        same, different: distances of the two kinds of pairs.
        false_accepts: share of false accepts, 0..1, at which ``true_accepts`` is read.

    Raises:
        ValueError: one of the two kinds has no pair.
    """
    if not len(same) or not len(different):
        raise ValueError(f"{len(same)} pairs of one person and {len(different)} of two; both are needed")
    one_person = np.concatenate([np.ones(len(same), bool), np.zeros(len(different), bool)])
    false_rate, true_rate, _ = roc_curve(one_person, -np.concatenate([same, different]), drop_intermediate=False)
    crossing = int(np.argmin(np.abs(1 - true_rate - false_rate)))
    return Verification(
        area=float(auc(false_rate, true_rate)),
        equal_error=float((1 - true_rate[crossing] + false_rate[crossing]) / 2),
        true_accepts=float(true_rate[false_rate <= false_accepts].max()),
        same=len(same),
        different=len(different),
    )


def pairs(
    vectors: NDArray[np.floating], person: NDArray[np.integer], apart: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distances of the pairs of one person and of two.

    Args:
        vectors: (N, D) of unit length.
        person: (N,) number of the person.
        apart: (N,); pairs of one person whose numbers here are equal are left out (faces of one take).
    """
    x = np.asarray(vectors, np.float32)
    distance = np.sqrt(np.maximum(2 - 2 * (x @ x.T), 0))
    first, second = np.triu_indices(len(x), 1)
    one = person[first] == person[second]
    separate = apart[first] != apart[second]
    distances = distance[first, second].astype(np.float64)
    return distances[one & separate], distances[~one]
