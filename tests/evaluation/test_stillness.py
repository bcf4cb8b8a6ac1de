"""The stillest second of a synthetic clip."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import torch

from tvface.evaluation.stillness import face_motion, stillest_run
from tvface.flow.dis import Backend
from tvface.settings.model import Flow

SIDE = 96


@pytest.fixture(scope="module")
def clip() -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures of a pattern that moves 2, then .2, then 2 px per frame, and the motion."""
    noise = np.random.default_rng(0).uniform(0, 255, (40, 40, 3)).astype(np.float32)
    pattern = cv2.resize(noise, (200, 200), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    steps = np.array([0, *[2.0] * 7, *[0.2] * 6, *[2.0] * 5])
    shift = 20 + np.cumsum(steps)
    pictures = [
        cv2.warpAffine(pattern, np.array([[1, 0, -x], [0, 1, -30.0]]), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        for x in shift
    ]
    return pictures, steps


def test_motion_is_the_shift_over_the_side(clip) -> None:
    pictures, steps = clip
    backend = Backend(Flow(), torch.device("cpu"))
    for index in (3, 10):
        moved = face_motion(pictures[index - 1], pictures[index], backend)
        assert moved * SIDE == pytest.approx(steps[index], abs=0.15)
    with pytest.raises(ValueError, match="one size"):
        face_motion(pictures[0], pictures[1][:-1], backend)


def test_the_stillest_run_is_where_the_pattern_is_still(clip) -> None:
    pictures, _ = clip
    backend = Backend(Flow(), torch.device("cpu"))
    motion = [float("nan")] + [face_motion(a, b, backend) for a, b in itertools.pairwise(pictures)]
    run = stillest_run(np.array(motion), 7)
    assert run is not None and run[0] == 7
    assert run[1] * SIDE == pytest.approx(0.2, abs=0.1)


def test_no_run_goes_across_a_break() -> None:
    nan = float("nan")
    motion = np.array([nan, 5, 5, nan, 1, nan, 4, 3, 3, 9])
    assert stillest_run(motion, 3) == (6, 3.0)  # frames 6, 7, 8; the still pair 3, 4 is too short
    assert stillest_run(motion, 2) == (3, 1.0)
    assert stillest_run(motion, 6) is None
    assert stillest_run(np.array([nan]), 2) is None
    with pytest.raises(ValueError, match="at least 2"):
        stillest_run(motion, 1)
