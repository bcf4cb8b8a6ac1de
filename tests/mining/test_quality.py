"""Scores of single faces."""

import cv2
import numpy as np
import pytest
from skimage import data

from tvface.media.images import warp_crop
from tvface.mining import quality
from tvface.mining.recaps import hash_distance
from tvface.settings.data import Sequences

FACE = np.array([170.0, 60, 280, 200])  # of the astronaut


def crop_of(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    centre, side = quality.crop_square(box, Sequences())
    return warp_crop(picture, quality.crop_transform(centre, side, 224), 224)


def test_box_scores() -> None:
    boxes = np.array([[10, 10, 50, 90], [-20, 0, 20, 40]])
    scores = quality.box_scores(boxes, np.array([100, 100]), np.array([100, 100]))
    assert np.allclose(scores["side"], [np.sqrt(3200), 40])
    assert np.allclose(scores["inside"], [1, 0.5]) and np.allclose(scores["aspect"], [0.5, 1])
    assert len(quality.box_scores(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, int))) == 0


def test_pose_is_blind_to_size_and_roll() -> None:
    frontal = np.array([(-1, 0), (1, 0), (0, 1), (-0.7, 2), (0.7, 2)], float)
    turned = frontal.copy()
    turned[2, 0] = 0.8
    roll = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert np.allclose(quality.pose(np.stack([frontal, turned, 30 * turned @ roll.T + 5])), [0, 0.4, 0.4])


def test_a_second_large_sure_face_crowds_the_frame() -> None:
    frame = np.array([0, 0, 1, 1, 2, 2, 3])
    scores = np.array([0.99, 0.99, 0.99, 0.99, 0.99, 0.5, 0.99])
    areas = np.array([100.0, 40, 100, 10, 100, 90, 100])
    crowded = quality.crowded(frame, scores, areas, Sequences()).tolist()
    assert crowded == [True, True, False, True, False, True, False]


@pytest.mark.parametrize(("part", "allowed"), [(0.149, True), (0.151, False)])
def test_a_second_face_is_allowed_up_to_fifteen_hundredths_of_the_area(part: float, allowed: bool) -> None:
    areas = np.array([1.0, part])
    crowded = quality.crowded(np.zeros(2, int), np.array([0.99, 0.99]), areas, Sequences())
    assert crowded[0] != allowed and crowded[1]


def test_crop_maps_the_edges_of_the_square_to_the_edges_of_the_crop() -> None:
    transform = quality.crop_transform(np.array([50.0, 40]), 20.0, 224)
    for picture, crop in (((40, 30), -0.5), ((60, 50), 223.5)):
        assert np.allclose(transform @ (*picture, 1), crop)
    centre, side = quality.crop_square(np.array([0.0, 0, 80, 100]), Sequences())
    assert side == pytest.approx(1.25 * 90) and np.allclose(centre, [40, 50 + 0.12 * 90])


def test_padding_is_the_part_outside() -> None:
    assert quality.padding(np.array([49.5, 49.5]), 100, 100, 100) == 0
    assert quality.padding(np.array([-0.5, 49.5]), 100, 100, 100) == pytest.approx(0.5)
    white = np.full((100, 100, 3), 255, np.uint8)
    crop = warp_crop(white, quality.crop_transform(np.array([80.0, 60]), 60, 224), 224)
    assert quality.padding(np.array([80.0, 60]), 60, 100, 100) == pytest.approx((crop == 0).mean(), abs=0.01)


def test_clarity_falls_with_blur_and_ignores_light_and_size() -> None:
    picture = data.astronaut()
    sharp = quality.clarity(crop_of(picture, FACE))
    values = [quality.clarity(crop_of(cv2.GaussianBlur(picture, (0, 0), sigma), FACE)) for sigma in (1, 2, 4)]
    assert sharp > values[0] > values[1] > values[2] and values[1] < 0.5 * sharp
    darker = (picture.astype(float) * 0.5).astype(np.uint8)
    assert quality.clarity(crop_of(darker, FACE)) == pytest.approx(sharp, rel=0.1)
    double = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert quality.clarity(crop_of(double, FACE * 2)) == pytest.approx(sharp, rel=0.25)
    assert quality.clarity(np.full((224, 224, 3), 90, np.uint8)) == 0


def test_hashes_of_recoded_pictures_are_near_and_of_others_far() -> None:
    face = crop_of(data.astronaut(), FACE)
    recoded = cv2.imdecode(cv2.imencode(".jpg", (face * 0.9).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    other = cv2.resize(data.cat(), (224, 224))
    original, again, far = (np.array([quality.phash(p)], np.int64) for p in (face, recoded, other))
    assert hash_distance(original, original)[0, 0] == 0
    assert hash_distance(original, again)[0, 0] < 4 and hash_distance(original, far)[0, 0] > 15
