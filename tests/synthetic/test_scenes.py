"""Backgrounds: drawn scenes, and windows of them in the light of the picture."""

from __future__ import annotations

import numpy as np
import pytest

from tvface.synthetic.places import rooms, scenery
from tvface.synthetic.places.backgrounds import SCENES, encoded, random_background, scene, scene_background

DRAWERS = sorted({entry[0] for entries in SCENES.values() for entry in entries}, key=lambda draw: draw.__name__)


@pytest.mark.parametrize("draw", DRAWERS, ids=lambda draw: draw.__name__)
def test_scenes_are_finite_and_equal_for_equal_seeds(draw) -> None:  # type: ignore[no-untyped-def]
    for seed in range(2):
        one, two = (draw(100, 72, np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == (72, 100, 3) and np.isfinite(one).all() and one.min() >= -1e-3
        np.testing.assert_array_equal(one, two)
    assert (draw(100, 72, np.random.default_rng(5)) != one).any()


def test_a_room_has_perspective_light_and_things() -> None:
    room = rooms.room(200, 150, np.random.default_rng(2))
    assert (room > 1).mean() < 0.6 and room.std() > 0.05
    # The caster sees walls where they are: a camera in the middle of a box, each wall with its colour.
    walls = np.zeros((5, 8, 8, 3), np.float32)
    for number in range(5):
        walls[number] = 0.1 * (number + 1)
    image = np.empty((90, 90, 3), np.float32)
    size = np.array([4.0, 4.0, 4.0])
    camera = np.array([0.0, 2.0, 4.0, 0.0, 0.0, 1.0])
    cast = (walls, size, camera, np.zeros((0, 9)), np.zeros((0, 7)), np.ones(3), image)
    rooms.cast(*cast)
    shown = [image[y, x, 0] for y, x in ((45, 45), (45, 4), (45, 85), (85, 45), (4, 45))]
    for value, colour in zip(shown, (0.1, 0.2, 0.3, 0.4, 0.5), strict=True):
        assert 0.6 * colour < value <= colour + 1e-5
    # A box before the back wall hides it; a lamp is brighter than white.
    box = np.array([[-0.5, 1.5, 1.0, 0.5, 2.5, 2.0, 0.9, 0.9, 0.9]])
    lamp = np.array([[1.2, 2.0, 1.0, 1.0, 1.0, 1.0, 0.2]])
    rooms.cast(walls, size, camera, box, lamp, np.ones(3), image)
    assert image[45, 45, 0] > 0.8 and image.max() > 2


def test_windows_of_scenes_take_the_light_of_the_picture() -> None:
    bright, dark = (
        scene_background("indoors", np.array(light), 64, 48, np.random.default_rng(3))
        for light in ((1.0, 0.8, 0.5), (0.1, 0.08, 0.05))
    )
    assert bright.shape == (48, 64, 3) and bright.dtype == np.uint8
    assert bright.mean() > 1.8 * dark.mean()
    ratio = [image[:, :, 0].mean() / max(image[:, :, 2].mean(), 1) for image in (bright, dark)]
    cold = scene_background("indoors", np.array((0.5, 0.8, 1.0)), 64, 48, np.random.default_rng(3))
    assert ratio[0] > cold[:, :, 0].mean() / cold[:, :, 2].mean()


def test_backgrounds_depend_on_the_generator_alone() -> None:
    first = [random_background(40, 40, np.random.default_rng(seed), "outdoors") for seed in range(6)]
    scene.cache_clear()  # what was drawn before makes no difference
    for seed in reversed(range(6)):
        again = random_background(40, 40, np.random.default_rng(seed), "outdoors")
        np.testing.assert_array_equal(again, first[seed])
    assert scene(scenery.plain, 0).flags.writeable is False


def test_encoding_keeps_the_order_above_white() -> None:
    values = encoded(np.array([0, 0.2, 0.5, 0.8, 1.0, 2.0, 8.0], np.float32)[None, :, None].repeat(3, 2))[0, :, 0]
    assert (np.diff(values.astype(int)) > 0).all() and values[0] == 0 and values[-1] >= 250
    assert values[1] == pytest.approx(255 * 0.2 ** (1 / 2.2), abs=1.5)


def test_every_kind_of_surroundings_has_shares_of_one() -> None:
    for entries in SCENES.values():
        assert sum(share for _, share, _ in entries) == pytest.approx(1)
