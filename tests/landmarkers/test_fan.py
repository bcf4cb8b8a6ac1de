"""2D-FAN's geometry and decoding against numbers of the original (face-alignment 1.5.0)."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import skimage
import torch

from tests.reference import arrays
from tvface.landmarkers import fan
from tvface.landmarkers.fan import Backend, cut, peaks, to_picture, window, window_corners
from tvface.networks import fan as network
from tvface.settings.labels import Landmarks

BOXES = ("inside", "top_left", "bottom_right", "tiny", "huge")


@pytest.fixture(scope="module")
def crops() -> arrays.Reference:
    return arrays.load("net", "fan_crop")


@pytest.fixture(scope="module")
def decoded() -> arrays.Reference:
    return arrays.load("net", "fan_decode")


@pytest.fixture(scope="module")
def heatmaps(decoded: arrays.Reference) -> np.ndarray:
    maps = decoded.array("heatmaps").copy()
    maps[0, :7] = 0
    maps[0, 0, 0, 0] = maps[0, 1, 63, 63] = maps[0, 2, 10, 63] = maps[0, 3, 20, 30] = 1
    maps[0, 5, 5, 7] = maps[0, 5, 40, 3] = maps[0, 6, 30, 62] = 1
    maps[0, 6, 30, 61] = 0.5
    return maps


@pytest.mark.parametrize("name", BOXES)
def test_window_is_the_originals(crops: arrays.Reference, name: str) -> None:
    note = crops.notes[f"crop_{name}"]
    centre, scale = window(np.array(note["box_xyxy"]))
    np.testing.assert_allclose(centre, note["center"], rtol=1e-12)
    assert scale == pytest.approx(note["scale"], rel=1e-12)
    np.testing.assert_array_equal(window_corners(centre, scale), crops[f"corner_{name}"])


@pytest.mark.parametrize("name", BOXES)
def test_cut_is_the_originals(crops: arrays.Reference, name: str) -> None:
    note = crops.notes[f"crop_{name}"]
    found = cut(skimage.data.astronaut(), np.array(note["center"]), note["scale"])
    step = 2 if name == "inside" else 8
    difference = np.abs(found[::step, ::step].astype(int) - crops[f"crop_{name}"].astype(int))
    assert difference.max() <= 1, "OpenCV's fixed-point resize may round the other way, not more"
    if hashlib.sha256(found.tobytes()).hexdigest() != note["sha256_uint8_hwc"]:
        assert (difference > 0).mean() < 0.05


def test_a_box_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        cut(np.zeros((20, 20, 3), np.uint8), np.array([5.0, 5.0]), 0.001)


@pytest.mark.parametrize("sample", range(3))
def test_quarter_cells_are_the_originals(decoded: arrays.Reference, heatmaps: np.ndarray, sample: int) -> None:
    note = decoded.notes[f"sample_{sample}"]
    cells, score = peaks(heatmaps[sample], "quarter")
    np.testing.assert_array_equal(cells, decoded[f"cell_{sample}"])
    np.testing.assert_allclose(score, decoded[f"score_{sample}"], rtol=1e-6)
    points = to_picture(cells, np.array(note["center"]), note["scale"])
    np.testing.assert_allclose(points, decoded[f"image_float_{sample}"], atol=2e-4)
    whole = np.trunc(points)
    near_integer = np.abs(points - np.rint(points)) < 1e-3
    np.testing.assert_array_equal(whole[~near_integer], decoded[f"image_int_{sample}"][~near_integer])
    assert np.abs(whole - decoded[f"image_int_{sample}"]).max() <= 1


def test_gaussian_decoding_finds_gaussians_between_cells() -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(3, 60, (68, 2))
    axis = np.arange(64) + 0.5
    squared = (axis[None, None] - centres[:, 0, None, None]) ** 2 + (
        axis[None, :, None] - centres[:, 1, None, None]
    ) ** 2
    maps = np.exp(-0.5 * squared).astype(np.float32)
    exact, _ = peaks(maps, "gaussian")
    coarse, _ = peaks(maps, "quarter")
    assert np.abs(exact - centres).max() < 1e-3
    assert np.abs(coarse - centres).max() > 0.2  # what the sub-cell step is for


def test_flat_and_empty_maps_stay_at_their_cell() -> None:
    maps = np.zeros((2, 64, 64), np.float32)
    maps[1] = 0.3
    cells, score = peaks(maps, "gaussian")
    np.testing.assert_array_equal(cells, [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(score, [0, 0.3], rtol=1e-6)


@pytest.fixture(scope="module")
def filled() -> torch.nn.Module:
    return arrays.filled(network.build())


@pytest.mark.parametrize("flip", [False, True])
def test_the_whole_call_is_the_originals(
    crops: arrays.Reference, decoded: arrays.Reference, filled: torch.nn.Module, flip: bool
) -> None:
    backend = Backend(Landmarks(decode="integer", flip=flip, refine=False, batch=2), torch.device("cpu"), filled)
    boxes = np.array([crops.notes[f"crop_{name}"]["box_xyxy"] for name in BOXES[:2]])
    picture = skimage.data.astronaut()
    points, score = backend.find(np.stack([picture, picture]), boxes, fan.S3FD_SCALE)
    for sample in range(2):
        expected = decoded[f"whole_flip{int(flip)}_{sample}"]
        same = (np.abs(points[sample] - expected) <= 1).all(1)
        assert same.mean() > 0.9, "a filled network's flat maps allow a few flips of the maximum, not many"
        # The original adds the mirrored pass, here it is averaged.
        reference = decoded[f"whole_flip{int(flip)}_score_{sample}"] / (2 if flip else 1)
        np.testing.assert_allclose(
            score[sample], np.maximum(reference, 0), rtol=1e-3, atol=1e-3 * np.abs(reference).max()
        )


class _Oracle(torch.nn.Module):
    """Heat maps that peak at the brightest pixel of the window: a network whose right answer is known."""

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        small = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 4)
        return [small.expand(-1, 68, -1, -1)]


def test_points_come_back_to_where_they_are_in_the_crop() -> None:
    rng = np.random.default_rng(1)
    spots = rng.uniform(60, 140, (5, 2))
    y, x = np.mgrid[:200, :200]
    crops = np.stack([np.exp(-((x - a) ** 2 + (y - b) ** 2) / 128) for a, b in spots])
    crops = np.repeat((crops * 255).astype(np.uint8)[..., None], 3, 3)
    boxes = np.tile(np.array([[50.0, 45, 150, 165]], np.float32), (5, 1))
    backend = Backend(Landmarks(refine=False, batch=2), torch.device("cpu"), _Oracle())
    points, confidence = backend.locate(crops, boxes)
    assert points.shape == (5, 68, 2) and confidence.shape == (5, 68)
    assert points.dtype == confidence.dtype == np.float32
    # The original's geometry is a pixel off the exact one: corners are whole pixels, heat cells a 256th smaller.
    assert np.abs(points - spots[:, None]).max() < 1.5
    assert confidence.min() > 0.8


def test_no_crops_no_points() -> None:
    backend = Backend(Landmarks(), torch.device("cpu"), _Oracle())
    points, confidence = backend.locate(np.zeros((0, 64, 64, 3), np.uint8), np.zeros((0, 4), np.float32))
    assert points.shape == (0, 68, 2) and confidence.shape == (0, 68)
