"""2D-FAN's geometry and decoding by construction. Their numbers are checked by tests/reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tvface.landmarkers.fan import Backend, cut, peaks
from tvface.settings.labels import Landmarks


def test_a_box_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        cut(np.zeros((20, 20, 3), np.uint8), np.array([5.0, 5.0]), 0.001)


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


class _Oracle(torch.nn.Module):
    """Heat maps that peak at the brightest pixel of the window: a network whose right answer is known."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        small = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 4)
        return small.expand(-1, 68, -1, -1)


def test_points_come_back_to_where_they_are_in_the_crop() -> None:
    rng = np.random.default_rng(1)
    spots = rng.uniform(60, 140, (5, 2))
    y, x = np.mgrid[:200, :200]
    crops = np.stack([np.exp(-((x - a) ** 2 + (y - b) ** 2) / 128) for a, b in spots])
    crops = np.repeat((crops * 255).astype(np.uint8)[..., None], 3, 3)
    boxes = np.tile(np.array([[50.0, 45, 150, 165]], np.float32), (5, 1))
    backend = Backend(Landmarks(refine=0, batch=2), torch.device("cpu"), _Oracle())
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
