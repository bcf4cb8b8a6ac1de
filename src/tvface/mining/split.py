"""Train, validation and test parts that share neither a person nor an episode.

Persons are assigned to parts, and episodes are assigned to parts; a sequence whose two assignments disagree is
dropped. In television the same people act in every episode, so a disjoint split always costs sequences; the search
here keeps as many as it can. The result depends on the counts alone and is the same on every run and machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tvface.settings import SettingsError
from tvface.settings.model import Split

PARTS = ("train", "validation", "test")
DISJOINT = {
    "identity+episode": (("show", "person"), ("show", "episode")),
    "identity": (("show", "person"),),
    "episode": (("show", "episode"),),
}
"""What no two parts may share, by the setting: groups of columns."""
_STARTS = 64


def split_sequences(rows: pd.DataFrame, settings: Split) -> pd.DataFrame:
    """Assign the sequences of a dataset to its parts.

    Args:
        rows: crops with their ``sequence``, ``show``, ``episode`` and ``person``.
        settings: shares of the parts, and the groups that the parts may not share.

    Returns:
        One row per sequence, by name: these columns and ``split`` (see :func:`assign`).

    Raises:
        SettingsError: the shares leave nothing to train on.
    """
    if settings.validation + settings.test >= 1:
        raise SettingsError(
            f"dataset.split: validation {settings.validation} + test {settings.test} leave nothing to train on; lower "
            "them"
        )
    sequences = rows.drop_duplicates("sequence")[["sequence", "show", "episode", "person"]].sort_values("sequence")
    sequences["split"] = assign(sequences, DISJOINT[settings.disjoint], (settings.validation, settings.test))
    return sequences


def assign(sequences: pd.DataFrame, keys: Sequence[Sequence[str]], shares: tuple[float, float]) -> list[str | None]:
    """Assign every sequence to a part.

    Args:
        sequences: one row per sequence.
        keys: groups of columns of which no value may occur in two parts, e.g. ``[("show", "person"), ("episode",)]``.
        shares: target fractions of validation and test; training gets the rest.

    Returns:
        Per row ``train``, ``validation`` or ``test``, or None where its groups were assigned to different parts.
        The best of all assignments tried, by these criteria in order: a training sequence; the most non-empty parts
        among those with a share above 0; the largest geometric mean of the parts' sizes weighted by their shares. For a
        fixed number of kept sequences that mean is largest at exactly these shares, and it grows with the number kept.
    """
    if sequences.empty:
        return []
    factors = [_codes(sequences, columns) for columns in keys]
    cells, counts = np.unique(np.stack(factors, 1), axis=0, return_counts=True)
    targets = np.array([1 - shares[0] - shares[1], *shares])
    sizes = [int(codes.max()) + 1 for codes in factors]
    generator = np.random.default_rng(0)
    best: tuple[float, list[NDArray[np.intp]]] | None = None
    for start in range(_STARTS):
        # The first start is always valid: everything is training.
        labels = [np.zeros(n, np.intp) if start == 0 else generator.choice(3, n, p=_floor(targets)) for n in sizes]
        score = _climb(cells, counts, labels, targets)
        if best is None or score > best[0] + 1e-9:
            best = (score, labels)
    assert best is not None
    parts = np.stack([labels[codes] for labels, codes in zip(best[1], factors, strict=True)], 1)
    agreed = (parts == parts[:, :1]).all(1)
    return [PARTS[part] if ok else None for part, ok in zip(parts[:, 0], agreed, strict=True)]


def _codes(sequences: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.intp]:
    """Number the distinct values of the columns in sorted order, so that the order of rows does not matter."""
    values = list(zip(*(sequences[column] for column in columns), strict=True))
    number = {value: index for index, value in enumerate(sorted(set(values)))}
    return np.array([number[value] for value in values], np.intp)


def _floor(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give small parts a fair chance in the random starts."""
    share = np.where(targets > 0, np.maximum(targets, 0.15), 0.0)
    return share / share.sum()


def _scores(kept: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one score for (..., 3) kept sequences per part; larger is better."""
    filled = ((kept > 0) & (targets > 0)).sum(-1)
    return (kept[..., 0] > 0) * 1e6 + filled * 1e3 + (targets * np.log(np.maximum(kept, 1))).sum(-1)


def _climb(
    cells: NDArray[np.intp], counts: NDArray[np.intp], labels: list[NDArray[np.intp]], targets: NDArray[np.float64]
) -> float:
    """Move one person or episode at a time to the part that raises the score most, until none does; return it."""
    while True:
        score, move = -np.inf, None
        for factor, parts in enumerate(labels):
            others = [labels[f][cells[:, f]] for f in range(len(labels)) if f != factor]
            # gain[i, s]: sequences that entity i would bring to part s.
            gain = np.zeros((len(parts), 3))
            for part in range(3):
                open_ = np.ones(len(cells), bool)
                for other in others:
                    open_ &= other == part
                np.add.at(gain[:, part], cells[open_, factor], counts[open_])
            here = gain[np.arange(len(parts)), parts]
            kept = np.bincount(parts, here, minlength=3).astype(np.float64)
            after = np.broadcast_to(kept, (len(parts), 3, 3)).copy()
            after[np.arange(len(parts)), :, parts] -= here[:, None]
            for part in range(3):
                after[:, part, part] += gain[:, part]
            scores = _scores(after, targets)
            entity, target = divmod(int(scores.argmax()), 3)
            if scores[entity, target] > score:
                score, move = float(scores[entity, target]), (factor, entity, target)
        current = float(_scores(_kept(cells, counts, labels), targets))
        if move is None or score <= current + 1e-9:
            return current
        labels[move[0]][move[1]] = move[2]


def _kept(cells: NDArray[np.intp], counts: NDArray[np.intp], labels: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    parts = np.stack([part[cells[:, f]] for f, part in enumerate(labels)], 1)
    agreed = (parts == parts[:, :1]).all(1)
    return np.bincount(parts[agreed, 0], counts[agreed], minlength=3).astype(np.float64)
