"""MTCNN: the package's own numbers, batches, pictures without faces."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from skimage import data

from tests.reference.arrays import ROOT
from tvface import detectors
from tvface.detectors.base import Detections
from tvface.settings import SettingsError
from tvface.settings.data import Faces

REFERENCE = np.load(ROOT / "net" / "mtcnn_detect.npz")


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """The half-size pictures of the reference, made as its README says."""
    hopper = np.asarray(Image.open(cbook.get_sample_data("grace_hopper.jpg")).convert("RGB"))
    astronaut = np.asarray(data.astronaut())
    made = {}
    for name, whole in (("astronaut_360", astronaut), ("grace_hopper_360", hopper)):
        height, width = whole.shape[:2]
        size = (round(width * 360 / max(height, width)), round(height * 360 / max(height, width)))
        made[name] = np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.BILINEAR))
    for name, record in json.loads(str(REFERENCE["inputs"]))["images_360"].items():
        if name in made:
            found = hashlib.sha256(np.ascontiguousarray(made[name]).tobytes()).hexdigest()
            if found != record["sha256_uint8_hwc"]:
                pytest.skip(f"this machine decodes {name} to other pixels than the reference's did")
    return made


@pytest.fixture(scope="module")
def detector() -> detectors.base.Detector:
    return detectors.create("mtcnn", replace(Faces(), min_face=20), "cpu")


@pytest.mark.parametrize("name", ["astronaut_360", "grace_hopper_360"])
def test_detections_equal_the_reference(detector, pictures, name: str) -> None:
    found = detector.detect([pictures[name]])[0]
    for array, key in ((found.boxes, "boxes"), (found.scores, "probs"), (found.points, "points")):
        assert array.dtype == np.float32
        assert np.allclose(array, REFERENCE[f"{name}.default.{key}"], atol=0.02), key


def test_settings_reach_the_detector(pictures) -> None:
    chosen = replace(Faces(), min_face=40)
    found = detectors.create("mtcnn", chosen).detect([pictures["grace_hopper_360"]])[0]
    assert np.allclose(found.boxes, REFERENCE["grace_hopper_360.min40.boxes"], atol=0.02)
    assert not np.allclose(found.boxes, REFERENCE["grace_hopper_360.default.boxes"], atol=0.02)


def test_a_batch_with_a_face_less_picture(detector, pictures) -> None:
    face = pictures["astronaut_360"]
    found = detector.detect([face, np.zeros_like(face), np.ascontiguousarray(face[:, ::-1])])
    assert [len(one.boxes) for one in found] == REFERENCE["batch.count"].tolist() == [1, 0, 1]
    assert np.allclose(found[0].boxes, REFERENCE["batch.boxes0"], atol=0.05)
    assert np.allclose(found[2].boxes, REFERENCE["batch.boxes2"], atol=0.05)
    assert found[1].points.shape == (0, 5, 2) and found[1].boxes.dtype == np.float32


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
