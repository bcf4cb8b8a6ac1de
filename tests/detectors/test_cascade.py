"""MTCNN's cascade against the package's ``detect``, the summed-area table against torch, the last NMS."""

from __future__ import annotations

from dataclasses import replace

import cv2
import facenet_pytorch
import numpy as np
import pytest
import skimage.data
import torch
from facenet_pytorch.models.utils.detect_face import nms_numpy
from torch.nn import functional as F

from tvface import detectors
from tvface.detectors.area import AreaSampler
from tvface.detectors.cascade import Boxes, nms_of_smaller, scales, squares
from tvface.settings.data import Faces


def frames() -> list[np.ndarray]:
    """Three frames of one size: one face, four of several sizes and one cut by the border, a brighter small one."""
    face = cv2.resize(skimage.data.astronaut()[:300, 80:380], (240, 240), interpolation=cv2.INTER_AREA)
    several = np.zeros((240, 480, 3), np.uint8)
    several[:, :240] = face[:, ::-1]
    for x, y, side in ((240, 0, 160), (400, 10, 80), (300, 165, 70)):
        several[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    one = np.full((240, 480, 3), 90, np.uint8)
    one[:, 310:] = face[:, :170]
    small = np.random.default_rng(0).integers(0, 256, (240, 480, 3), np.uint8)
    small[60:180, 100:220] = cv2.resize(face, (120, 120), interpolation=cv2.INTER_AREA)
    return [one, several, small]


@pytest.mark.parametrize("min_face", [20, 33])
def test_the_cascade_finds_what_the_package_finds(min_face: int) -> None:
    pictures = frames()
    package = facenet_pytorch.MTCNN(keep_all=True, min_face_size=min_face)
    found = detectors.create("mtcnn", replace(Faces(), min_face=min_face)).detect(pictures)
    assert sum(len(one.boxes) for one in found) >= 5
    for picture, ours in zip(pictures, found, strict=True):
        boxes, scores, points = package.detect(picture, landmarks=True)
        assert len(boxes) == len(ours.boxes)
        np.testing.assert_allclose(ours.boxes, boxes.astype(np.float32), atol=0.01)
        np.testing.assert_allclose(ours.points, points.astype(np.float32), atol=0.01)
        np.testing.assert_allclose(ours.scores, scores.astype(np.float32), atol=1e-4)


def test_a_batch_gives_what_its_pictures_give() -> None:
    detector = detectors.create("mtcnn", Faces())
    pictures = frames()
    for picture, together in zip(pictures, detector.detect(pictures), strict=True):
        alone = detector.detect([picture])[0]
        np.testing.assert_allclose(together.boxes, alone.boxes, atol=0.01)


@pytest.mark.parametrize("size", [(45, 80), (91, 160), (13, 200)])
def test_resizing_is_torchs_area_mode(size: tuple[int, int]) -> None:
    pictures = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (2, 90, 160, 3), np.uint8))
    expected = F.interpolate(pictures.permute(0, 3, 1, 2).float(), size, mode="area")
    sampler = AreaSampler(pictures)
    torch.testing.assert_close(sampler.resized(*size), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(sampler.resized(*size, slice(1, 2)), expected[1:], atol=1e-4, rtol=0)


def test_crops_are_torchs_area_mode() -> None:
    rng = np.random.default_rng(2)
    pictures = torch.from_numpy(rng.integers(0, 256, (3, 70, 90, 3), np.uint8))
    corners = rng.integers(0, (60, 40), (40, 2))
    sides = rng.integers(1, 31, (40, 2))  # smaller and larger than 24: both ways
    windows = torch.from_numpy(np.concatenate([corners, corners + sides], 1))
    index = torch.from_numpy(rng.integers(0, 3, 40))
    found = AreaSampler(pictures).crops(index, windows, 24)
    for crop, picture, (x0, y0, x1, y1) in zip(found, index, windows.tolist(), strict=True):
        part = pictures[picture, y0:y1, x0:x1].permute(2, 0, 1)[None].float()
        torch.testing.assert_close(crop, F.interpolate(part, (24, 24), mode="area")[0], atol=1e-4, rtol=0)


def test_sums_may_wrap_round() -> None:
    white = torch.full((1, 3500, 5000, 3), 255, dtype=torch.uint8)  # 4.5e9 > 2^32
    assert AreaSampler(white).resized(7, 11).eq(255).all()


def test_the_pyramid_starts_where_the_smallest_face_fills_a_cell() -> None:
    levels = list(scales(360, 640, 24))
    assert levels[0] == 0.5 and len(levels) == 8
    assert list(scales(20, 640, 24)) == []


def test_squares_keep_the_centre() -> None:
    box = torch.tensor([[10.0, 20, 30, 60]])
    assert squares(box).tolist() == [[0, 20, 40, 60]]


def test_the_last_nms_is_the_greedy_one() -> None:
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 60, (80, 2))
    box = np.concatenate([corner, corner + rng.uniform(10, 50, (80, 2))], 1).astype(np.float32)
    score = rng.permutation(80).astype(np.float32) / 80
    picture = rng.integers(0, 2, 80)
    kept = nms_of_smaller(Boxes(*map(torch.from_numpy, (picture, box, score))), 0.4).numpy()
    for index in (0, 1):
        mine = np.flatnonzero(picture == index)
        expected = mine[nms_numpy(box[mine], score[mine], 0.4, "Min")]
        assert 2 <= len(expected) < len(mine)
        np.testing.assert_array_equal(kept[picture[kept] == index], expected)
