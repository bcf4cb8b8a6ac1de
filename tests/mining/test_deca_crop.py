"""DECA's own crops by construction. Their numbers are checked by tests/reference."""

import numpy as np

from tvface.mining import deca_crop


def points_in(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    inner = np.random.default_rng(0).uniform((x0, y0), (x1, y1), (66, 2))
    return np.concatenate([inner, [[x0, y0], [x1, y1]]])


def test_a_landmark_box_of_100_px() -> None:
    """Scale 1.6 makes a square of 160 px that spans 223 px of the crop; the test loader's is int(110 * 1.25)."""
    points = points_in(100, 50, 200, 150)
    centre, side = deca_crop.landmark_square(points, 1.6)
    assert centre.tolist() == [150, 100] and side == 160
    transform = deca_crop.square_transform(centre, side)
    np.testing.assert_allclose(transform @ [70, 20, 1], [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(transform @ [230, 180, 1], [223, 223, 1], atol=1e-9)
    assert deca_crop.landmark_square(points, deca_crop.TEST_SCALE, test=True)[1] == 137


def test_a_detectors_box_is_moved_down_and_a_box_of_landmarks_is_not() -> None:
    centre, side = deca_crop.box_square(np.array([0.0, 0, 80, 120]))
    assert centre.tolist() == [40, 72] and side == 125
    centre, side = deca_crop.box_square(np.array([0.0, 0, 80, 120]), of_landmarks=True)
    assert centre.tolist() == [40, 60] and side == 137


def test_pictures_that_are_crops_already() -> None:
    whole = deca_crop.whole_transform(101, 101)
    np.testing.assert_allclose(whole, np.diag([2.23, 2.23, 1]), atol=1e-9)
    turned = deca_crop.whole_transform(100, 140)
    assert abs(turned[0, 1]) > 0.01, "three corners of a picture off the square fit no upright square"
    centre, side = deca_crop.no_face_square(100, 140)
    assert centre.tolist() == [49.5, 69.5] and side == int(1.1 * 119 * 1.25)


def test_the_crop_reads_between_pixels_and_is_black_outside() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, 10:] = 200
    shifted = np.array([[1.0, 0, -4.5], [0, 1, 0], [0, 0, 1]])
    crop = deca_crop.crop(image, shifted, 20)
    np.testing.assert_allclose(crop[5, 4:7, 0], [0, 100 / 255, 200 / 255], atol=1e-9)
    assert not crop[:, 16:].any()
    np.testing.assert_allclose(deca_crop.normalised(np.array([[14.5, 10.0]]), shifted, 20), [[0, 0]])
