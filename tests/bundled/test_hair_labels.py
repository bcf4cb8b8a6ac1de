"""Gaps between strands become hair; nothing else does."""

from __future__ import annotations

import numpy as np

from tvface.bundled.hair_labels import HAIR, closed_hair
from tvface.conventions.classes import CLASSES


def test_skin_between_strands_is_hair_and_wide_gaps_stay():
    labels = np.ones((1, 100, 100), np.uint8)
    labels[0, 10:30, 10:90:4] = HAIR  # strands with gaps of three pixels
    labels[0, 50:70, 10:20] = labels[0, 50:70, 50:60] = HAIR  # thirty pixels apart
    labels[0, 20, 13] = eye = CLASSES.index("l_eye")
    points = np.zeros((1, 68, 2), np.float32)
    points[0, :, 0] = np.linspace(0, 80, 68)
    before = labels.copy()
    closed = closed_hair(labels, points)[0]
    assert (closed[14:26, 12:84] != 1).all(), "the gaps are closed"
    assert closed[20, 13] == eye, "what lies between and is no skin stays"
    assert (closed[55:65, 25:45] == 1).all() and (closed[80:] == 1).all()
    np.testing.assert_array_equal(labels, before)


def test_a_tiny_face_keeps_its_labels():
    labels = np.random.default_rng(0).choice([1, HAIR], (1, 40, 40)).astype(np.uint8)
    points = np.zeros((1, 68, 2), np.float32)
    points[0, :, 0] = np.linspace(0, 10, 68)
    np.testing.assert_array_equal(closed_hair(labels, points), labels)
