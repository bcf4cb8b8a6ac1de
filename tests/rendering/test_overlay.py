"""Shapes drawn over a picture."""

from __future__ import annotations

import numpy as np
import torch

from tests.training.conftest import bumpy_head
from tvface.conventions.squares import square_transform
from tvface.head.camera import project
from tvface.rendering.overlay import LARGEST, MARGIN, canvas, paste, shape_layer
from tvface.rendering.renderer import Renderer


def test_paste_covers_only_the_shape() -> None:
    picture = np.full((60, 80, 3), 100, np.uint8)
    shape = np.zeros((32, 32, 4), np.float32)
    shape[8:24, 8:24] = (1.0, 0.0, 0.0, 1.0)
    matrix = np.array([[1.0, 0.0, -20.0], [0.0, 1.0, -10.0]])
    laid = paste(picture, shape, matrix)
    assert laid[26, 36].tolist() == [255, 0, 0]
    assert laid[10 + 7, 20 + 7].tolist() == [100, 100, 100]
    changed = np.argwhere((laid != picture).any(-1))
    assert changed.min(0).tolist() == [18, 28] and changed.max(0).tolist() == [33, 43]
    # Cut at the picture's edge, and outside of it.
    edge = paste(picture, shape, np.array([[1.0, 0.0, 12.0], [0.0, 1.0, 0.0]]))
    assert np.argwhere((edge != picture).any(-1)).max(0).tolist() == [23, 11]
    outside = paste(picture, shape, np.array([[1.0, 0.0, 500.0], [0.0, 1.0, 0.0]]))
    assert (outside == picture).all() and outside is not picture


def test_a_canvas_has_the_pictures_resolution_and_the_crops_centre() -> None:
    crop = square_transform((100.0, 80.0), 60.0, 32)
    wide, size = canvas(crop, 32)
    assert size == 120 and abs(wide[0, 0] - 1) < 1e-6
    np.testing.assert_allclose(wide @ [100, 80, 1], [59.5, 59.5])
    big, size = canvas(square_transform((0.0, 0.0), 4000.0, 32), 32)
    assert size == LARGEST
    np.testing.assert_allclose(big[0, 0], LARGEST / (MARGIN * 4000))


def test_a_head_larger_than_its_crop_is_drawn_whole_and_in_its_place() -> None:
    head = bumpy_head()
    renderer = Renderer(head, 32, 32)
    vertices = torch.from_numpy(head.v_template)
    projected = project(vertices[None], torch.tensor([[16.0, 0.0, 0.0]]))[0]  # 1.28 crops half wide
    assert projected[:, 0].abs().max() > 1.05
    normals = torch.zeros(3, 32, 32)
    normals[2] = 1
    crop = square_transform((100.0, 80.0), 60.0, 32)
    wide, size = canvas(crop, 32)
    layer = shape_layer(renderer, vertices, projected, normals, size)
    assert layer.shape == (size, size, 4) and set(np.unique(layer[..., 3].round(3))) == {0.0, 1.0}
    laid = paste(np.zeros((160, 200, 3), np.uint8), layer, wide)
    drawn = np.argwhere(laid.any(-1))
    # Where the camera puts the head: normalised crop coordinates are +-1 at the square's edges, 30 px from its middle.
    shown = 100 + 30 * projected[:, 0].numpy(), 80 + 30 * projected[:, 1].numpy()
    for axis, places in ((1, shown[0]), (0, shown[1])):
        assert abs(drawn[:, axis].min() - places.min()) < 4 and abs(drawn[:, axis].max() - places.max()) < 4
    assert drawn[:, 1].max() > 100 + 30, "beyond the crop"
    assert not layer[layer[..., 3] == 0].any()
