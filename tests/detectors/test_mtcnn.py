"""MTCNN: batches, pictures without faces. Its numbers are checked by tests/reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.reference.arrays import load
from tests.reference.checks import people
from tests.reference.checks.sheet import Missing
from tvface import detectors
from tvface.detectors.base import Detections
from tvface.settings import SettingsError
from tvface.settings.data import Faces


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """The photographs of the reference at half size."""
    known = people.records(load("net", "mtcnn_detect"))
    try:
        return {name: people.picture(name, known) for name in ("astronaut_360", "grace_hopper_360")}
    except Missing as other_pixels:
        pytest.skip(str(other_pixels))


@pytest.fixture(scope="module")
def detector() -> detectors.base.Detector:
    return detectors.create("mtcnn", replace(Faces(), min_face=20), "cpu")


def test_settings_reach_the_detector(pictures) -> None:
    picture = pictures["grace_hopper_360"]
    small, large = (
        detectors.create("mtcnn", replace(Faces(), min_face=size)).detect([picture])[0].boxes for size in (20, 40)
    )
    assert small.shape == large.shape == (1, 4) and not np.allclose(small, large, atol=0.02)


def test_a_batch_with_a_face_less_picture(detector, pictures) -> None:
    face = pictures["astronaut_360"]
    detections = detector.detect([face, np.zeros_like(face), np.ascontiguousarray(face[:, ::-1])])
    assert [len(one.boxes) for one in detections] == [1, 0, 1]
    assert detections[1].points.shape == (0, 5, 2) and detections[1].boxes.dtype == np.float32


def test_points_come_from_the_viewers_left(detector, pictures) -> None:
    points = detector.detect([pictures["astronaut_360"]])[0].points[0]
    assert points[0, 0] < points[2, 0] < points[1, 0] and points[3, 0] < points[4, 0]
    assert points[:2, 1].max() < points[2, 1] < points[3:, 1].min()


def test_nothing_to_search(detector) -> None:
    assert detector.detect([]) == []
    assert len(detector.detect([np.zeros((10, 400, 3), np.uint8)])[0].boxes) == 0
    assert len(detector.detect([np.zeros((64, 64, 3), np.uint8)])[0].boxes) == 0


def test_wrong_pictures_are_refused(detector) -> None:
    with pytest.raises(ValueError, match="several sizes"):
        detector.detect([np.zeros((40, 40, 3), np.uint8), np.zeros((40, 50, 3), np.uint8)])
    with pytest.raises(ValueError, match="float32"):
        detector.detect([np.zeros((40, 40, 3), np.float32)])
    with pytest.raises(ValueError, match="points"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros((1, 5, 2), np.float32))


def test_registry_names_its_backends_and_weights_are_the_published_ones(detector) -> None:
    assert detectors.available() == ["mtcnn"]
    with pytest.raises(SettingsError, match=r"faces\.detector: 'yolo'.*mtcnn"):
        detectors.create("yolo", Faces(), torch.device("cpu"))
    assert detector.weights["mtcnn/onet.pt"].startswith("165bfbe4")
