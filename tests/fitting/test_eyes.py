"""Lids and gaze: the opening of points and heads, the patches, and what is made of the network's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tvface.fitting import eyes
from tvface.fitting.eyes import Lids, eye_joints, look, mirrored, opening, patches, windows
from tvface.head import human
from tvface.head.data import HeadData
from tvface.head.model import HeadModel, rodrigues
from tvface.networks.bundles import EYES, FOLDER, load_bundle
from tvface.settings.model import Head

EYE = np.array([[-10, 0], [-4, -4], [4, -4], [10, 0], [4, 4], [-4, 4]], np.float32)
SIDE = np.array([20, 0], np.float32)


@pytest.fixture(scope="module")
def head() -> HeadData:
    return human.build(Head())


@pytest.fixture(scope="module")
def model(head: HeadData) -> HeadModel:
    return HeadModel(head, 20, 52)


def face(turn: float = 0.0) -> np.ndarray:
    """A face of 200 px: only eyes and nose matter; (1, 68, 2), turned in the picture by ``turn`` rad."""
    points = np.zeros((68, 2), np.float32)
    points[36:42], points[42:48] = EYE - SIDE, EYE + SIDE
    points[27:31] = np.stack([np.zeros(4), np.linspace(0, 18, 4)], 1)
    points[33] = 0, 26
    cos, sin = np.cos(turn), np.sin(turn)
    return (points @ np.array([[cos, sin], [-sin, cos]], np.float32) + 50)[None].astype(np.float32)


def projected(model: HeadModel, expression: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """Return vertices and the 68 points of a head in a frontal orthographic view, y down."""
    output = model(torch.zeros(len(expression), 20), expression, pose)
    down = torch.tensor([1.0, -1.0])
    return output.vertices[..., :2] * down, output.landmarks2d[..., :2] * down


def test_opening_of_lids() -> None:
    assert opening(torch.from_numpy(EYE)) == pytest.approx(8 / 20)
    shut = EYE * (1, 0)
    assert opening(torch.from_numpy(shut.astype(np.float32))) == pytest.approx(0)
    crossed = torch.from_numpy(EYE * np.array([1, -0.1], np.float32))
    assert opening(crossed) == pytest.approx(-0.04)
    turned = torch.from_numpy(face(0.4)[0])
    assert opening(turned[36:42]) == pytest.approx(0.4, abs=1e-5)
    assert opening(turned[42:48] * 3 + 7) == pytest.approx(0.4, abs=1e-5)


def test_head_has_the_opening_of_its_points(head: HeadData, model: HeadModel) -> None:
    lids = Lids(head)
    assert len(lids.vertices) == 12  # each point of the human head's eyes is a vertex
    pose = torch.tensor([[0.1, 0.3, 0.05, 0.1, 0, 0]])
    vertices, points = projected(model, torch.rand(1, 52) * 0.3, pose)
    measured = lids(vertices[:, torch.from_numpy(lids.vertices)])
    wanted = opening(points[:, 36:48].unflatten(1, (2, 6)))
    assert measured.shape == (1, 2)
    torch.testing.assert_close(measured, wanted)


def test_blink_closes_the_eye_of_its_side_with_a_gradient(head: HeadData, model: HeadModel) -> None:
    lids = Lids(head)
    code = torch.zeros(2, 52)
    left = head.notes["expression_names"].index("eyeBlinkLeft")
    code[1, left] = 0.95
    code.requires_grad_()
    vertices, _ = projected(model, code, torch.zeros(2, 6))
    right_eye, left_eye = lids(vertices[:, torch.from_numpy(lids.vertices)]).unbind(1)
    assert abs(float((right_eye[1] - right_eye[0]).detach())) < 0.01
    assert left_eye[0] > 0.25 and left_eye[1] < 0.03
    (slope,) = torch.autograd.grad(left_eye[0], code)
    assert slope[0, left] < -0.2


def test_patches_follow_a_turn_and_a_mirror() -> None:
    rng = np.random.default_rng(0)
    picture = torch.from_numpy(rng.random((1, 3, 100, 100), np.float32))
    points = torch.from_numpy(face(0.2))
    place = windows(points)
    assert place.axes[0].norm(dim=0) == pytest.approx([20, 20], rel=1e-4)
    torch.testing.assert_close(place.centre[0], points[0, 36:42].mean(0))
    # The left eye of the mirrored picture is the right eye of the picture.
    back = windows(mirrored(mirrored(points, 100), 100))
    torch.testing.assert_close(back.places, place.places)
    turned = windows(torch.from_numpy(face(-0.5)))
    torch.testing.assert_close(turned.places, place.places, atol=1e-4, rtol=0)
    left = windows(mirrored(points, 100))
    cut = patches(picture.flip(-1), left)
    assert cut.shape == (1, 3, *eyes.SIZE)
    same = left.centre[0] * torch.tensor([-1.0, 1.0]) + torch.tensor([99.0, 0.0])
    torch.testing.assert_close(same, points[0, 42:48].mean(0))


class Fixed:
    """A network that returns fixed rows, one for the right eyes, then one for the mirrored left eyes."""

    def __init__(self, right: list[float], left: list[float]) -> None:
        self.rows = [torch.tensor([row]) for row in (right, left)]

    def __call__(self, patches: Tensor, places: Tensor) -> Tensor:
        return self.rows.pop(0).repeat(len(patches), 1)


def test_gaze_of_both_eyes_is_one() -> None:
    images = np.zeros((1, 100, 100, 3), np.uint8)
    # Both look to the picture's right: in the mirrored patch to the left.
    found = look(images, face(), Fixed([0.3, 0.5, 0.0, -4, -4], [0.3, -0.5, 0.0, -4, -4]))
    assert np.degrees(found.gaze[0]) == pytest.approx([30, 0], abs=0.1)
    down = look(images, face(), Fixed([0.3, 0.0, 0.5, -4, -4], [0.3, 0.0, 0.5, -4, -4]))
    assert np.degrees(down.gaze[0]) == pytest.approx([0, 30], abs=0.1)
    # A closed eye says nothing; one that is surer counts more.
    one = look(images, face(), Fixed([0.0, 0.9, 0.9, -4, -4], [0.3, 0.0, 0.0, -4, -4]))
    assert np.abs(one.gaze).max() < 1e-3
    both = look(images, face(), Fixed([0.3, 0.4, 0.0, -3, -3], [0.3, 0.0, 0.0, -3, -2.5]))
    assert np.sin(both.gaze[0, 0]) == pytest.approx(0.4 / (1 + np.exp(-1)), rel=1e-3)


def test_gaze_is_refused() -> None:
    images = np.zeros((1, 100, 100, 3), np.uint8)
    for row in ([0.05, 0, 0, -4, -4], [0.3, 0, 0, -4, -1]):  # closed; unsure
        assert np.isnan(look(images, face(), Fixed(row, row)).gaze).all()
    small = (face() - 50) * 0.3 + 50
    row = [0.3, 0, 0, -4, -4]
    assert np.isnan(look(images, small, Fixed(row, row)).gaze).all()


def test_opening_of_a_hidden_eye_is_that_of_the_other() -> None:
    images = np.zeros((2, 100, 100, 3), np.uint8)
    points = np.repeat(face(), 2, 0)
    found = look(images, points, Fixed([0.3, 0, 0, 0.0, 0], [0.02, 0, 0, -5, 0]))
    assert found.opening.shape == found.confidence.shape == (2, 2)
    assert found.opening.dtype == np.float32
    assert found.opening[0] == pytest.approx([0.02, 0.02], abs=0.01)
    assert found.confidence[0, 0] < found.confidence[0, 1]
    wink = look(images, points, Fixed([0.3, 0, 0, -5, 0], [-0.02, 0, 0, -5, 0]))
    assert wink.opening[0] == pytest.approx([0.3, 0.0], abs=0.015)


def test_joints_of_a_gaze() -> None:
    pose = torch.tensor([[0.2, -0.4, 0.1]])
    head = rodrigues(pose)
    joints = eye_joints(np.radians([[25.0, -10.0]]), head.numpy())
    assert joints.shape == (1, 6) and joints[0, :3].tolist() == joints[0, 3:].tolist()
    x, y, z = (head @ rodrigues(torch.from_numpy(joints[:, :3])))[0, :, 2].tolist()
    assert np.degrees([np.arctan2(x, z), np.arcsin(-y)]) == pytest.approx([25, -10], abs=1e-3)
    assert np.isnan(eye_joints(np.full((1, 2), np.nan), head.numpy())[0, :2]).all()
    assert eye_joints(np.zeros((1, 2)), np.eye(3)[None]).tolist() == [[0.0] * 6]


def test_no_frames() -> None:
    found = look(np.zeros((0, 100, 100, 3), np.uint8), np.zeros((0, 68, 2), np.float32), Fixed([0.0] * 5, [0.0] * 5))
    assert found.opening.shape == found.gaze.shape == found.confidence.shape == (0, 2)


def test_bundled_network_fits() -> None:
    bundle = load_bundle(FOLDER / EYES)
    assert (FOLDER / EYES).stat().st_size < 200_000
    assert bundle.size == eyes.SIZE[1] and bundle.window == eyes.SPAN
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (2, 100, 100, 3)).astype(np.uint8)
    points = np.repeat(face(), 2, 0)
    first, again = (look(images, points, bundle.net) for _ in range(2))
    assert np.array_equal(first.opening, again.opening)
    assert ((first.confidence > 0) & (first.confidence < 1)).all()
