"""Training crops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from facenet_pytorch import MTCNN

from tests.synthetic.lights import flat_light
from tvface.head.data import HeadData
from tvface.synthetic.camera.degrade import degrade
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.foreground.occluders import letterbox, occlude
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.expressions import draw_mien
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.render.scene import Camera, render_scene


def made_crops(head: HeadData, count: int, seed: int, size: int) -> dict[str, np.ndarray]:
    """Return crops, stacked: images, points, visible, labels."""
    crops = list(CropMaker(head, size).crops(count, np.random.default_rng([seed, 0xC209])))
    names = {"images": "image", "points": "points", "visible": "visible", "labels": "labels"}
    return {several: np.stack([getattr(crop, one) for crop in crops]) for several, one in names.items()}


@pytest.fixture(scope="module")
def crops(head: HeadData) -> dict[str, np.ndarray]:
    return made_crops(head, 24, seed=3, size=96)


def test_crops_have_valid_classes_points_and_shapes(crops: dict[str, np.ndarray]) -> None:
    assert crops["images"].shape == (24, 96, 96, 3) and crops["images"].dtype == np.uint8
    assert crops["labels"].max() <= 18 and {0, 1, 10, 17} <= set(np.unique(crops["labels"]).tolist())
    points, visible = crops["points"], crops["visible"]
    assert visible.mean() > 0.6
    inside = ((points > -0.51) & (points < 95.51)).all(2)
    assert (visible <= inside).all()  # nothing outside is called visible
    height = np.ptp(points[:, :, 1], axis=1) / 96
    assert height.min() > 0.25 and height.max() < 1.0
    # the box of a detector lies around the points: their centre is a little below the crop's middle
    assert 0.42 < np.median(0.5 * (points.max(1) + points.min(1))[:, 1]) / 96 < 0.65


def test_visible_nose_and_mouth_points_lie_on_their_classes(crops: dict[str, np.ndarray]) -> None:
    right, total = 0, 0
    for points, visible, labels in zip(crops["points"], crops["visible"], crops["labels"], strict=True):
        for index, classes in ((28, (10,)), (29, (10,)), (62, (11, 12, 13)), (66, (11, 12, 13)), (57, (13, 1))):
            if visible[index]:
                x, y = np.round(points[index]).astype(int)
                around = labels[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                right += bool(np.isin(around, classes).any())
                total += 1
    assert total > 60 and right / total > 0.97


def test_equal_seeds_give_equal_crops(head: HeadData) -> None:
    one = made_crops(head, 3, seed=11, size=64)
    two = made_crops(head, 3, seed=11, size=64)
    other = made_crops(head, 3, seed=12, size=64)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    assert (one["images"] != other["images"]).any()


def test_many_heads_are_turned_far() -> None:
    generator = np.random.default_rng(0)
    rotations = [CropMaker.joints(draw_mien(generator, 0.4), generator) for _ in range(400)]
    yaw = np.degrees([abs(joints[1] + joints[4]) for joints in rotations])
    assert 0.25 < (yaw > 30).mean() < 0.6


def test_another_head_is_refused(head: HeadData) -> None:
    flame = dataclasses.replace(head, meta='{"source": "flame", "licence": "x"}')
    with pytest.raises(ValueError, match=r"need head\.model: human"):
        CropMaker(flame)


def test_occluder_takes_classes_away_and_damage_keeps_the_size() -> None:
    generator = np.random.default_rng(4)
    image, labels = np.full((64, 64, 3), 120, np.uint8), np.ones((64, 64), np.uint8)
    for _ in range(10):
        covered, classes, area = occlude(image, labels, generator)
        np.testing.assert_array_equal(classes == 0, area)
        assert area.any() == (np.abs(covered.astype(int) - 120).max() > 0) or not area.any()
        assert degrade(covered, generator).shape == (64, 64, 3)
    image[:] = 200
    bars, classes, area = letterbox(image, labels, np.random.default_rng(1))
    assert area.any() and (bars[area] < 20).all() and (bars[~area] == 200).all() and (classes[area] == 0).all()
    assert area.all(0).any() or area.all(1).any()  # whole columns or whole rows


def test_a_stranger_behind_is_background_in_the_labels_and_does_not_move_the_points(head: HeadData) -> None:
    maker = CropMaker(head, 96)
    rng = np.random.default_rng(0)
    person = maker.person(rng)
    posed = person.place(np.zeros(50), np.zeros(15), np.array([0, 0, -1.0]))
    other = maker.stranger(person, 1.0, np.random.default_rng(3))
    assert other.landmarks[:, 2].max() < posed.landmarks[:, 2].min()
    assert not np.allclose(
        other.landmarks - other.landmarks.mean(0), posed.landmarks - posed.landmarks.mean(0), atol=3e-3
    )
    for _ in range(30):
        crop = maker.crop(person, rng)
        low, high = crop.points.min(0), crop.points.max(0)
        rows, columns = np.nonzero(np.isin(crop.labels, (1, 2, 3, 10, 12, 13)))
        if len(rows):  # skin of the face lies around its points, never only beside them
            assert columns.min() > low[0] - 40 and columns.max() < high[0] + 40 and rows.min() > low[1] - 70


def test_mtcnn_finds_frontal_people(stage: Stage, painter: SkinPainter) -> None:
    detector = MTCNN(keep_all=False, device="cpu")
    generator = np.random.default_rng(8)
    detected = 0
    for seed in range(20):
        texture = procedural_texture(painter, stage.head.faces, seed)
        person = Person(stage, generator.normal(0, 0.8, 100), texture)
        joints = np.zeros(15)
        joints[:3] = generator.normal(0, 0.12, 3)
        posed = person.place(np.zeros(1), joints, np.array([0.0, -0.02, -1.1]))
        frame = render_scene(
            [posed], Camera.central(480, 160, 160), flat_light(), np.full((160, 160, 3), 110, np.uint8)
        )
        boxes, _ = detector.detect(frame.image)
        low, high = frame.points[0].min(0), frame.points[0].max(0)
        if boxes is not None:
            box = np.asarray(boxes[0], float)
            centre = 0.5 * (box[:2] + box[2:])
            detected += bool((centre > low).all() and (centre < high).all())
    assert detected >= 18
