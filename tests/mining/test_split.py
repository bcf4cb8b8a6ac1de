"""Disjoint parts that keep as much as possible."""

import itertools

import numpy as np
import pandas as pd
import pytest

from tvface.mining.split import PARTS, assign

KEYS = {
    "identity+episode": [("show", "person"), ("show", "episode")],
    "identity": [("show", "person")],
    "episode": [("show", "episode")],
}


def show(episodes: int, people: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        ("s", f"e{e}", f"p{p}") for e in range(episodes) for p in range(people) for _ in range(int(rng.integers(0, 4)))
    ]
    return pd.DataFrame(rows, columns=["show", "episode", "person"])


def mean_size(counts: np.ndarray) -> float:
    """Weighted geometric mean of the parts, at shares 0.7, 0.1, 0.2; empty parts count least of all."""
    return float((counts > 0).sum() * 100 + (np.array([0.7, 0.1, 0.2]) * np.log(np.maximum(counts, 1))).sum())


@pytest.mark.parametrize("seed", range(4))
def test_no_assignment_of_a_small_show_is_better(seed):
    rows = show(3, 5, seed)
    parts = pd.Series(assign(rows, KEYS["identity+episode"], (0.1, 0.2)))
    counts = np.array([(parts == part).sum() for part in PARTS])
    table = pd.crosstab(rows["episode"], rows["person"]).to_numpy()
    best = -1.0
    for episodes in itertools.product(range(3), repeat=table.shape[0]):
        for people in itertools.product(range(3), repeat=table.shape[1]):
            kept = [table[np.ix_(np.array(episodes) == s, np.array(people) == s)].sum() for s in range(3)]
            best = max(best, mean_size(np.array(kept)) if kept[0] else -1.0)
    np.testing.assert_allclose(mean_size(counts), best)


@pytest.mark.parametrize("disjoint", list(KEYS))
def test_parts_are_disjoint_in_what_was_asked(disjoint):
    rows = show(4, 6, 7)
    rows["part"] = assign(rows, KEYS[disjoint], (0.1, 0.2))
    kept = rows[rows["part"].notna()]
    assert set(kept["part"]) == set(PARTS)
    for columns in KEYS[disjoint]:
        assert (kept.groupby(list(columns))["part"].nunique() == 1).all()
    if disjoint != "identity+episode":
        assert len(kept) == len(rows), "a split by one thing loses nothing"


def test_the_order_of_rows_does_not_matter():
    rows = show(3, 5, 1)
    rows["part"] = assign(rows, KEYS["identity+episode"], (0.1, 0.2))
    mixed = rows.sample(frac=1, random_state=0)
    again = assign(mixed, KEYS["identity+episode"], (0.1, 0.2))
    assert [p or "" for p in again] == [p or "" for p in mixed["part"]]


def test_a_part_without_share_stays_empty():
    parts = assign(show(4, 6, 2), KEYS["identity+episode"], (0.0, 0.2))
    assert "validation" not in parts and "test" in parts and "train" in parts


def test_no_sequences():
    assert assign(show(0, 0, 0), KEYS["identity"], (0.1, 0.2)) == []
