"""Things before the face: shape, shading, and what they hide."""

from __future__ import annotations

import numpy as np
import pytest

from tvface.synthetic.foreground.hands import SKIN, hand
from tvface.synthetic.foreground.occluders import KINDS, _strands, occlude
from tvface.synthetic.foreground.tubes import paint_strokes


@pytest.mark.parametrize("draw", [entry[0] for entry in KINDS], ids=lambda draw: draw.__name__)
def test_paints_are_valid_and_equal_for_equal_seeds(draw) -> None:  # type: ignore[no-untyped-def]
    shown = []
    for seed in range(8):
        one, two = (draw(96, np.random.default_rng(seed)) for _ in range(2))
        assert one.colour.shape == (96, 96, 3) and one.opacity.shape == (96, 96)
        assert np.isfinite(one.colour).all() and one.opacity.min() >= 0 and one.opacity.max() <= 1
        np.testing.assert_array_equal(one.opacity, two.opacity)
        np.testing.assert_array_equal(one.colour, two.colour)
        shown.append(one.opacity.max() > 0.2)
    assert np.mean(shown) > 0.5


def test_the_area_is_what_is_more_than_half_hidden() -> None:
    dark, bright = np.zeros((80, 80, 3), np.uint8), np.full((80, 80, 3), 255, np.uint8)
    labels = np.ones((80, 80), np.uint8)
    for seed in range(40):
        first, classes, area = occlude(dark, labels, np.random.default_rng(seed))
        second, _, same = occlude(bright, labels, np.random.default_rng(seed))
        np.testing.assert_array_equal(area, same)  # the shape does not depend on the picture
        np.testing.assert_array_equal(classes == 0, area)
        assert first.dtype == np.uint8 and first.shape == dark.shape
        # Where nothing is hidden the picture stays; under the thing it does not shine through.
        through = second[area].astype(int).min() if area.any() else 0
        assert through <= 255


def test_strands_change_no_label() -> None:
    for seed in range(20):
        assert _strands(120, np.random.default_rng(seed)).opacity.max() < 0.5


def test_a_hand_has_fingers_apart() -> None:
    rng = np.random.default_rng(3)
    strokes = hand(np.array([60.0, 60.0]), np.pi / 2, 36.0, rng, bend=0.05)
    colour, cover = paint_strokes(120, strokes, np.full((4, 3), 180.0), rng)
    # A row through the fingers meets several of them.
    runs = max(int((np.diff(cover[row].astype(int)) == 1).sum()) for row in range(20, 50))
    assert runs >= 3
    fist = hand(np.array([60.0, 60.0]), np.pi / 2, 36.0, np.random.default_rng(3), bend=1.5)
    _, closed = paint_strokes(120, fist, np.full((4, 3), 180.0), rng)
    assert closed[:60].sum() < 0.6 * cover[:60].sum()
    assert colour[cover].std() > 5  # rounded by its shading


def test_the_nearer_stroke_hides_the_other() -> None:
    colours = np.array([(200.0, 0, 0), (0, 200.0, 0), (0, 0, 0), (0, 0, 0)])
    low = (np.array([10.0, 32, 0]), np.array([54.0, 32, 0]), 6.0, 6.0, SKIN)
    high = (np.array([32.0, 10, 20]), np.array([32.0, 54, 20]), 6.0, 6.0, 1)
    for order in ([low, high], [high, low]):
        colour, cover = paint_strokes(64, order, colours, np.random.default_rng(0))
        assert cover[32, 32] and colour[32, 32, 1] > 10 * colour[32, 32, 0]
        assert colour[32, 14, 0] > 20
