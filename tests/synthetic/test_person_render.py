"""Posing and rendering of persons."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.synthetic.lights import flat_light
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.traits import draw_traits
from tvface.synthetic.person import Person, Stage, rotation_matrix
from tvface.synthetic.render import kernels
from tvface.synthetic.render.scene import Camera, Frame, average_frames, render_scene

BACKGROUND = np.full((180, 180, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def person(stage: Stage, painter: SkinPainter) -> Person:
    # short hair, no spectacles: nothing hides the points
    seed = next(s for s in range(99) if draw_traits(s).hair_style == "short" and not draw_traits(s).spectacles)
    shape = np.random.default_rng(1).normal(0, 0.7, stage.head.shape_basis.shape[2])
    return Person(stage, shape, procedural_texture(painter, stage.head.faces, seed))


def render(person: Person, yaw: float = 0.0, jaw: float = 0.0) -> Frame:
    joints = np.zeros(15)
    joints[1], joints[6] = np.radians(yaw), jaw
    posed = person.place(np.zeros(5), joints, np.array([0.0, 0.0, -1.0]))
    return render_scene([posed], Camera.central(600, 180, 180), flat_light(), BACKGROUND)


@pytest.mark.parametrize("yaw", [-60.0, -20.0, 0.0, 33.0, 70.0])
def test_vertices_and_points_equal_the_head_model(head: HeadData, person: Person, yaw: float) -> None:
    generator = np.random.default_rng(7)
    expression = generator.normal(0, 0.5, 50)
    joints = generator.normal(0, 0.05, 15)
    joints[1] += np.radians(0.6 * yaw)
    joints[4] += np.radians(0.4 * yaw)
    shift = np.array([0.1, -0.05, -1.3])
    model = HeadModel(head, len(person.shape), 50)

    def row(values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32)[None]

    output = model(
        row(person.shape),
        row(expression),
        row(np.concatenate([joints[:3], joints[6:9]])),
        neck=row(joints[3:6]),
        eyes=row(joints[9:]),
    )
    np.testing.assert_allclose(
        person.pose(expression, joints, shift), output.vertices[0].numpy() + shift.astype(np.float32), atol=2e-5
    )
    placed = person.place(expression, joints, shift)
    np.testing.assert_allclose(placed.landmarks, output.landmarks2d[0].numpy() + shift.astype(np.float32), atol=2e-5)


def test_angles_name_the_rotation(person: Person) -> None:
    roll, yaw, pitch = (rotation_matrix(np.radians(v)) for v in ([0, 0, 10.0], [0, 25.0, 0], [-8.0, 0, 0]))
    matrix = roll @ yaw @ pitch
    angle = np.arccos((np.trace(matrix) - 1) / 2)
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    joints = np.zeros(15)
    joints[:3] = axis / (2 * np.sin(angle)) * angle
    posed = person.place(np.zeros(1), joints, np.array([0, 0, -1.0]))
    np.testing.assert_allclose(posed.angles, (25.0, -8.0, 10.0), atol=1e-4)


def test_labels_and_points_agree_on_a_frontal_face(person: Person) -> None:
    frame = render(person)
    assert set(np.unique(frame.labels)) <= set(range(19))
    points = frame.points[0]

    def classes(indices: list[int], radius: int = 2) -> set[int]:
        near: set[int] = set()
        for x, y in np.round(points[indices]).astype(int):
            near |= set(np.unique(frame.labels[y - radius : y + radius + 1, x - radius : x + radius + 1]).tolist())
        return near

    assert {4, 5} <= classes(list(range(36, 48)))
    assert classes([27, 28, 29, 30], radius=0) == {10}
    assert {2, 3} <= classes(list(range(17, 27)))
    assert classes([49, 50, 51, 52, 53]) & {12} and classes([55, 56, 57, 58, 59]) & {13}
    eye = np.round(points[36:42].mean(0)).astype(int)
    assert frame.labels[eye[1], eye[0]] in (4, 5)
    assert frame.visible[0].mean() > 0.9
    # the torso closes the picture's lower edge under the head
    assert (frame.labels[-8:] == 16).any() and frame.labels[-1, 90] in (14, 16) and frame.labels[0, 0] == 0
    assert (frame.image[frame.labels == 0] == 90).mean() > 0.98
    assert np.isinf(frame.depth[frame.person < 0]).all() and np.isfinite(frame.depth[frame.person == 0]).all()


def test_open_mouth_and_turned_head(person: Person) -> None:
    closed, opened = render(person), render(person, jaw=0.3)
    assert (opened.labels == 11).sum() > (closed.labels == 11).sum() + 30
    left, right = render(person, yaw=-60), render(person, yaw=60)
    assert right.points[0, 30, 0] > closed.points[0, 30, 0] + 10 > left.points[0, 30, 0] + 20
    # the far eye is hidden in part; which one depends on the side
    assert left.visible[0, 36:48].sum() < 12 and right.visible[0, 36:48].sum() < 12
    assert right.visible[0, 42:48].sum() < right.visible[0, 36:42].sum()


def test_nearer_person_hides_the_other(person: Person) -> None:
    joints = np.zeros(15)
    far = person.place(np.zeros(1), joints, np.array([0.0, 0.0, -1.6]))
    near = person.place(np.zeros(1), joints, np.array([0.0, 0.0, -1.0]))
    camera = Camera.central(600, 180, 180)
    frame = render_scene([far, near], camera, flat_light(), BACKGROUND)
    alone = render_scene([near], camera, flat_light(), BACKGROUND)
    assert not frame.visible[0, 17:].any() and frame.visible[1].sum() == alone.visible[0].sum()
    np.testing.assert_array_equal(frame.person[frame.labels == 10], 1)


def test_fill_is_perspective_and_keeps_the_nearest() -> None:
    # two triangles over the whole picture, the second nearer in its right half only
    points = np.array([[-9, -9, 1], [40, -9, 1], [-9, 40, 1], [-9, -9, 0.5], [40, -9, 1.5], [-9, 40, 0.5]], np.float32)
    faces = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    face, near = np.full((8, 16), -1, np.int32), np.zeros((8, 16), np.float32)
    kernels.fill(points, faces, 10, face, near)
    expected = np.where(0.5 + (np.arange(16) + 9) / 49 > 1, 11, 10)
    np.testing.assert_array_equal(face, np.broadcast_to(expected, (8, 16)))
    bary = np.zeros((8, 16, 3), np.float32)
    kernels.weights(points, faces, face - 10, bary)
    np.testing.assert_allclose(bary.sum(2), 1, atol=1e-5)
    # perspective-correct weights interpolate depth (1 / nearness), screen weights nearness
    depth = bary[face == 11] @ (1 / points[3:, 2])
    np.testing.assert_allclose(1 / depth, near[face == 11], rtol=1e-4)


def test_bad_input_says_what_is_wrong(person: Person) -> None:
    camera = Camera.central(600, 64, 48)
    with pytest.raises(ValueError, match=r"background is \(180, 180, 3\), expected \(48, 64, 3\)"):
        render_scene([], camera, flat_light(), BACKGROUND)
    with pytest.raises(ValueError, match="samples"):
        render_scene([], camera, flat_light(), BACKGROUND[:48, :64], samples=0)
    with pytest.raises(ValueError, match="sub-frame"):
        average_frames([])
    empty = render_scene([], camera, flat_light(), np.ascontiguousarray(BACKGROUND[:48, :64]))
    assert empty.points.shape == (0, 68, 2) and (empty.labels == 0).all()


def test_motion_blur_averages_sub_frames(person: Person) -> None:
    frames = [render(person, yaw) for yaw in (-4.0, 0.0, 4.0)]
    blurred = average_frames(frames)
    middle = frames[1]
    np.testing.assert_array_equal(blurred.labels, middle.labels)
    expected = np.mean([f.image.astype(float) for f in frames], axis=0)
    assert np.abs(blurred.image - expected).max() <= 0.51
    assert np.abs(blurred.image.astype(int) - middle.image).max() > 10
