"""Openings and gaze of pictures, brought to the head; the solver closes lids that the points leave open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tests.fitting.conftest import talking
from tvface.fitting.eyes import Eyes, Lids
from tvface.fitting.seen_eyes import joints, openings, smoothed
from tvface.fitting.solver import solve
from tvface.settings.fit import Fit


def eyes(opening, confidence=1.0, gaze=(0.0, 0.0)) -> Eyes:
    opening = np.asarray(opening, np.float32)
    count = len(opening)
    gaze = np.broadcast_to(np.asarray(gaze, np.float32), (count, 2))
    return Eyes(opening, gaze, np.full((count, 2), confidence, np.float32))


def lid_points(gap: float, count: int) -> np.ndarray:
    points = np.zeros((count, 68, 2), np.float32)
    for first in (36, 42):
        points[:, first : first + 6] = [[0, 0], [3, -5 * gap], [7, -5 * gap], [10, 0], [7, 5 * gap], [3, 5 * gap]]
    return points


def test_open_eyes_get_the_level_of_the_points_and_closed_ones_stay_closed():
    seen = np.tile([[0.24, 0.24]], (10, 1)) * np.array([1] * 8 + [0.1, 0])[:, None]
    result = openings(eyes(seen), lid_points(0.3, 10))
    np.testing.assert_allclose(result[:8], 0.3, rtol=0.02)
    assert result[8:].max() < 0.04
    assert np.isnan(openings(eyes(seen, confidence=0.1), lid_points(0.3, 10))).all()
    np.testing.assert_allclose(openings(eyes(seen), lid_points(0.9, 10))[0], 0.24 * 1.4, rtol=0.01)


def test_eyes_turn_to_the_side_they_look_to_and_rest_where_nobody_knows():
    left = joints(eyes(np.ones((3, 2)), gaze=(0.3, 0.2)), np.zeros((3, 3), np.float32))
    np.testing.assert_allclose(left[0], [0, 0.3, 0, 0, 0.3, 0], atol=0.02)
    unknown = joints(eyes(np.ones((1, 2)), gaze=(np.nan, np.nan)), np.zeros((1, 3), np.float32))
    turned = joints(eyes(np.ones((1, 2)), gaze=(0.3, 0)), np.array([[0, 0.9, 0]], np.float32))
    assert not unknown.any() and not turned.any()


def test_a_flicker_of_one_frame_is_taken_out_and_a_jump_stays():
    turned = np.zeros((12, 6), np.float32)
    turned[3] = 1
    turned[8:] = 0.5
    calm = smoothed(turned, np.arange(12) / 25)
    assert not calm[:7].any() and (calm[9:] == 0.5).all()


def test_the_picture_closes_lids_that_the_points_leave_open(full, data, names):
    lids = Lids(data)
    small = full.restricted(torch.from_numpy(lids.vertices))
    shown = talking(small, names, 8).observed
    seen = np.full((8, 2), 0.3, np.float32)
    seen[3:5] = 0.0
    codes = solve(small, replace(shown, opening=seen), Fit(), names, lids=lids)
    blink = codes.expression[:, [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]]
    assert blink[3:5].min() > 0.5 and blink[[0, 1, 6, 7]].max() < 0.3
    unseen = solve(small, shown, Fit(), names, lids=lids)
    assert unseen.expression[3:5, names.index("eyeBlinkLeft")].max() < 0.3
