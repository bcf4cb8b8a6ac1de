"""The damage of the test footage hits the frames it should."""

from __future__ import annotations

import numpy as np

from tvface.study.conditions import CONDITIONS, FRAMES
from tvface.supervised.damage import KINDS


def drawn(name: str, count: int = 200) -> tuple[set[str | None], np.ndarray]:
    (condition,) = [each for each in CONDITIONS if each.name == name]
    pairs = [condition.draw(np.random.default_rng((1, k))) for k in range(count)]
    return {kind for kind, _ in pairs}, np.array([hit for _, hit in pairs])


def test_each_condition() -> None:
    assert [each.name for each in CONDITIONS] == [
        "clean", *KINDS, "one frame", "two to four frames", "whole shot"
    ]  # fmt: skip
    kinds, hit = drawn("clean")
    assert kinds == {None} and not hit.any()
    for kind in KINDS:
        kinds, hit = drawn(kind)
        assert kinds == {kind} and hit.shape == (200, FRAMES) and 0.45 < hit.mean() < 0.55
        assert hit.any(1).all() and not hit.all(1).any()
    kinds, hit = drawn("one frame")
    assert kinds == set(KINDS) and (hit.sum(1) == 1).all() and not hit[:, [0, -1]].any() and hit[:, 1:-1].any(0).all()
    _, hit = drawn("two to four frames")
    assert set(hit.sum(1)) == {2, 3, 4} and not hit[:, [0, -1]].any()
    assert (np.abs(np.diff(hit.astype(int), axis=1)).sum(1) == 2).all(), "in a row"
    assert drawn("whole shot")[1].all()


def test_all_kinds_hit_the_same_frames() -> None:
    """So that kinds can be compared."""
    first, *others = (drawn(kind)[1] for kind in KINDS)
    assert all(np.array_equal(first, other) for other in others)
