"""Fake training crops: drawn, not rendered, so that the tests need no head model and take no time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tvface.bundled.samples import Samples

LAYOUT = np.random.default_rng(3).uniform(-1, 1, (68, 2)).astype(np.float32)
LAYOUT[36], LAYOUT[45] = (-0.8, -0.3), (0.8, -0.3)


def draw(count: int, seed: int = 0, size: int = 96) -> Samples:
    """Bright dots on a dark ground at the points of a fixed layout, moved and scaled; an ellipse of class 1 behind."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, size, size, 3), np.uint8)
    labels = np.zeros((count, size, size), np.uint8)
    centre = size / 2 + rng.uniform(-4, 4, (count, 1, 2))
    points = centre + LAYOUT * rng.uniform(16, 20, (count, 1, 1))
    for image, label, face in zip(images, labels, points, strict=True):
        middle = tuple(int(v) for v in face.mean(0))
        cv2.ellipse(image, middle, (26, 30), 0, 0, 360, (200, 120, 80), -1)
        cv2.ellipse(label, middle, (26, 30), 0, 0, 360, 1, -1)
        for x, y in face:
            cv2.circle(image, (round(x * 16), round(y * 16)), 24, (250, 250, 250), -1, cv2.LINE_AA, 4)
    return Samples(images, points.astype(np.float32), labels)


@pytest.fixture(scope="session")
def drawn() -> Samples:
    return draw(24)
