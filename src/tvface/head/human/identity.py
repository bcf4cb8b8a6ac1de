"""Identity columns: principal components of the drawn people, symmetric and antisymmetric ones apart.

The mean is mirror symmetric, and so is the population (a face and its mirror image are equally likely), so every
component is either symmetric or antisymmetric; both kinds are computed separately and merged by variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COLUMNS = 100


@dataclass(frozen=True)
class Components:
    """Identity columns.

    basis (S,V,3) mm per unit normal coefficient, in decreasing variance; sign (S,): 1 symmetric, -1 antisymmetric;
    codes (N,S) of the people; share: of the variance in the columns; residual: rms error in mm without the rest.
    """

    basis: np.ndarray
    sign: np.ndarray
    codes: np.ndarray
    share: float
    residual: float


def aligned(heads: np.ndarray, target: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Return the heads (N,V,3) moved rigidly (no scale) onto ``target`` (V,3) by least squares on the vertices ``on``.

    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors" (1976).
    """
    goal = target[on] - target[on].mean(0)
    result = np.empty_like(heads)
    for k, head in enumerate(heads):
        centre = head[on].mean(0)
        u, _, vt = np.linalg.svd((head[on] - centre).T @ goal)
        flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        result[k] = (head - centre) @ (u @ flip @ vt) + target[on].mean(0)
    return result


def components(heads: np.ndarray, mean: np.ndarray, mirror: np.ndarray, columns: int = COLUMNS) -> Components:
    """Return the principal components of aligned heads (N,V,3) about the symmetric ``mean`` (V,3)."""
    deviation = heads - mean
    flipped = deviation[:, mirror] * (-1, 1, 1)
    count, total = len(heads), float((deviation**2).sum())
    half = np.flatnonzero(np.arange(len(mirror)) <= mirror)
    ranked: list[tuple[float, int, np.ndarray]] = []
    for sign in (1, -1):
        part = (0.5 * (deviation + sign * flipped)).reshape(count, -1)
        # The smaller of the two products: people by people.
        values, vectors = np.linalg.eigh(part @ part.T)
        for k in np.argsort(values)[::-1][:columns]:
            if values[k] < 1e-9 * total:
                break
            direction = (vectors[:, k] @ part / np.sqrt(values[k])).reshape(-1, 3)
            # The sign of a component is free: the largest entry of the half that is stored is positive.
            stored = direction[half].ravel()
            direction = direction * np.sign(stored[np.argmax(np.abs(stored))])
            ranked.append((float(values[k]), sign, direction))
    ranked = sorted(ranked, key=lambda component: -component[0])[:columns]
    scale = np.sqrt([value / count for value, _, _ in ranked])
    directions = np.stack([direction for _, _, direction in ranked])
    codes = deviation.reshape(count, -1) @ directions.reshape(len(ranked), -1).T / scale
    held = sum(value for value, _, _ in ranked)
    return Components(
        directions * scale[:, None, None],
        np.array([sign for _, sign, _ in ranked], np.int8),
        codes,
        held / total,
        float(np.sqrt(max(total - held, 0) / (count * len(mean)))),
    )
