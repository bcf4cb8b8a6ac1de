"""The training of the network that reads eyes, on drawn eyes: dark discs between bright lids."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tvface.bundled import eye_crops, eyes
from tvface.networks.eyes import CompactEyes

SIZE = 96


def drawn(count: int) -> dict[str, np.ndarray]:
    """Crops of two eyes with lids of any opening; heads look straight ahead, eyes to the picture's right."""
    rng = np.random.default_rng(2)
    points = np.zeros((count, 68, 2), np.float32)
    points[:, [27, 28, 29, 30, 33], 1] = (48, 54, 60, 66, 72)
    points[..., 0] += SIZE / 2
    images = np.full((count, SIZE, SIZE, 3), 160, np.uint8)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for picture, face in zip(images, points, strict=True):
        half = rng.uniform(0, 4)
        for first, x in ((36, 28), (42, 68)):
            face[first : first + 6] = np.array([[-10, 0], [-4, -half], [4, -half], [10, 0], [4, half], [-4, half]])
            face[first : first + 6] += (x, 48)
            picture[((columns - x) / 10) ** 2 + ((rows - 48) / max(half, 0.2)) ** 2 < 1] = 20
    return {
        "images": images,
        "points": points,
        "lids": points[:, 36:48],
        "visible": np.ones((count, 12), bool),
        "classes": np.full((count, 2, 5), 4, np.uint8),
        "rotations": np.repeat(np.eye(3, dtype=np.float32)[None], count, 0),
        "gaze": np.tile(np.array([0, 0.3, 0], np.float32), (count, 2, 1)),
    }


@pytest.fixture(scope="module")
def truth() -> eyes.Truth:
    return eyes.truth_of(drawn(40))


def test_left_eyes_are_mirrored_right_eyes(truth: eyes.Truth) -> None:
    assert len(truth.opening) == 80
    torch.testing.assert_close(truth.opening[:40], truth.opening[40:])
    assert truth.gaze[0].tolist() == pytest.approx([np.sin(0.3), 0], abs=1e-6)
    assert truth.gaze[40].tolist() == pytest.approx([-np.sin(0.3), 0], abs=1e-6)
    assert truth.shown.all() and truth.wide.min() > 0.99
    arrays = drawn(2)
    arrays["classes"][:, 1] = 17  # hair over the subject's left eye
    assert eyes.truth_of(arrays).shown.tolist() == [True, True, False, False]


def test_stretched_views_open_the_eye(truth: eyes.Truth) -> None:
    seen = eyes.views(truth, torch.Generator().manual_seed(1))
    ratio = seen.opening / truth.opening
    assert 0.75 < ratio.min() < 0.9 and 1.1 < ratio.max() < 1.3
    assert seen.patches.shape == (80, 3, 24, 40) and 0 <= seen.patches.min() <= seen.patches.max() <= 1


def test_training_learns_and_repeats(truth: eyes.Truth) -> None:
    recipe = eyes.Recipe(40, batch=40)
    net, curve = eyes.train(truth, truth, recipe)
    again, _ = eyes.train(truth, truth, recipe)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    assert curve[-1]["loss"] < 0.7 * curve[0]["loss"]
    eyes.finish(net, truth)
    assert eyes.judge(net, truth)["opening from the front slope"] == pytest.approx(1, abs=0.01)


def test_too_few_numbers_are_refused() -> None:
    with pytest.raises(RuntimeError):
        CompactEyes()(torch.rand(2, 3, 24, 40), torch.rand(2, 5))


@pytest.mark.parametrize("place", [(0.0, 0.0, -1.0), (0.3, -0.2, -1.5)])
def test_straightened_line_of_sight(place: tuple[float, float, float]) -> None:
    turn = eye_crops.straightened(np.array(place))
    np.testing.assert_allclose(turn @ -np.array(place) / np.linalg.norm(place), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
