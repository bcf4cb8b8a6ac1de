"""Head model, camera and albedo by construction. Their numbers are checked by tests/reference."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.reference.arrays import ROOT
from tests.reference.checks.head import head_data
from tests.reference.checks.sheet import Folder, Sheet
from tvface.head.albedo import AlbedoModel
from tvface.head.camera import to_picture
from tvface.head.data import HeadData
from tvface.head.model import HeadModel, contour_row, rodrigues


@pytest.fixture(scope="module")
def data() -> HeadData:
    """The head of flame_free.npz, built from formulas."""
    folder = Folder(ROOT, ROOT, ROOT)
    reference = folder.open("deca", "flame_free")
    return head_data(Sheet("flame_free", folder, reference), reference)


def test_the_skeleton_is_that_of_the_vertices(data: HeadData) -> None:
    """Vertices bound to one joint alone turn about its posed place."""
    jaw = 2
    skinning = np.zeros_like(data.skinning)
    skinning[:, jaw] = 1
    model = HeadModel(dataclasses.replace(data, skinning=skinning, pose_basis=np.zeros_like(data.pose_basis)), 1, 1)
    codes = (torch.zeros(1, 1), torch.zeros(1, 1), torch.tensor([[0.1, -0.4, 0.2, 0.3, 0.0, 0.1]]))
    skeleton = model.skeleton(*codes)
    assert skeleton.rest.shape == skeleton.posed.shape == (1, 5, 3)
    np.testing.assert_allclose(skeleton.rest[0, 0], skeleton.posed[0, 0], atol=1e-7)
    rotation = skeleton.rotations[0, 0] @ skeleton.rotations[0, 1] @ skeleton.rotations[0, jaw]
    expected = (model.v_template - skeleton.rest[0, jaw]) @ rotation.T + skeleton.posed[0, jaw]
    np.testing.assert_allclose(model(*codes).vertices[0], expected, atol=1e-6)


def test_points_return_to_the_picture_they_were_cut_from() -> None:
    """A crop of 200 px at (30, 50) of a picture of 400 x 300: its centre is at (130, 150)."""
    inverse = torch.tensor([[[1.0, 0, 30], [0, 1, 50], [0, 0, 1]]])
    points = torch.tensor([[[0.0, 0.0, 0.3], [-1.0, 1.0, 0.0]]])
    moved = to_picture(points, inverse, 200, height=300, width=400)
    expected = [[130 / 200 - 1, 150 / 150 - 1, 0.3], [30 / 200 - 1, 250 / 150 - 1, 0.0]]
    torch.testing.assert_close(moved[0], torch.tensor(expected))


def test_rows_follow_the_table() -> None:
    yaw = torch.deg2rad(torch.tensor([0.0, 1.0, 39.0, 60.0, -1.0, -39.0, -70.0]))
    rotation = rodrigues(torch.stack([0 * yaw, yaw, 0 * yaw], 1))
    assert contour_row(rotation).tolist() == [0, 1, 39, 39, 40, 78, 78]


def test_neck_and_eyes_move_what_they_should(data: HeadData) -> None:
    skinning = np.zeros_like(data.skinning)
    skinning[:, 1], skinning[:10, 1], skinning[:10, 3] = 1, 0, 1
    plain = dataclasses.replace(data, skinning=skinning, pose_basis=np.zeros_like(data.pose_basis))
    model = HeadModel(plain, 1, 1)
    zero = (torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1, 6))
    rest = model(*zero).vertices[0]
    eyes = model(*zero, eyes=torch.tensor([[0.0, 0.3, 0, 0, 0, 0]])).vertices[0]
    assert (eyes - rest)[:10].norm(dim=1).min() > 1e-3
    assert (eyes - rest)[10:].abs().max() < 1e-7
    turned = model(*zero, neck=torch.tensor([[0.0, 0.3, 0.0]])).vertices[0]
    centre = rest @ torch.eye(3) - torch.from_numpy(plain.joint_regressor[1] @ plain.v_template)
    expected = centre @ rodrigues(torch.tensor([[0.0, 0.3, 0.0]]))[0].T
    np.testing.assert_allclose(turned - (rest - centre), expected, atol=1e-6)


def test_too_many_columns(data: HeadData) -> None:
    with pytest.raises(ValueError, match="n_shape = 101: this head has 100"):
        HeadModel(data, 101, 50)
    with pytest.raises(ValueError, match="n_texture = 3: this head has 2"):
        AlbedoModel(data, 3, 4)


def test_another_albedo_size_takes_the_nearest_pixels(data: HeadData) -> None:
    mean = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
    stored = dataclasses.replace(data, albedo_mean=mean, albedo_basis=np.zeros((2, 8, 8, 3), np.float16))
    albedo = AlbedoModel(stored, 2, 4)(torch.zeros(2, 2))
    np.testing.assert_array_equal(albedo[1].permute(1, 2, 0), mean[::2, ::2])
