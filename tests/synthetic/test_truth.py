"""Shots with full ground truth: their arrays, their agreement with the picture, and what decides them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.synthetic.crops.truth import ARRAYS, LAYERS, Shot, ShotMaker, check_layers
from tvface.synthetic.person import Person

SIZE = 96


@pytest.fixture(scope="module")
def maker(head: HeadData) -> ShotMaker:
    return ShotMaker(head, SIZE, frames=3)


@pytest.fixture(scope="module")
def person(maker: ShotMaker) -> Person:
    generator = np.random.default_rng(5)
    return next(maker.crops.cast(1, generator))


@pytest.fixture(scope="module")
def shots(maker: ShotMaker, person: Person) -> list[Shot]:
    return [maker.shot(person, np.random.default_rng([7, k])) for k in range(12)]


def test_arrays_have_the_documented_shapes_and_dtypes(head: HeadData, shots: list[Shot]) -> None:
    sides = {"S": SIZE, "V": len(head.v_template), "I": head.shape_basis.shape[2], "E": head.expression_basis.shape[2]}
    assert list(shots[0].arrays) == list(ARRAYS)
    for name, array in shots[0].arrays.items():
        declared = ARRAYS[name]
        shape = tuple(sides[n] if isinstance(n, str) else n for n in declared.shape)
        assert array.shape == (2 if declared.layer == "flow" else 3, *shape), name
        assert array.dtype == declared.dtype, name


def test_parameters_give_the_vertices_and_the_camera_the_points(head: HeadData, shots: list[Shot]) -> None:
    model = HeadModel(head, head.shape_basis.shape[2], head.expression_basis.shape[2])
    for shot in shots[:3]:
        a = {name: torch.from_numpy(array) for name, array in shot.arrays.items() if array.dtype == np.float32}
        joints = a["joints"]
        pose = torch.cat([joints[:, :3], joints[:, 6:9]], 1)
        output = model(a["shape"], a["expression"], pose, neck=joints[:, 3:6], eyes=joints[:, 9:])
        vertices = output.vertices + a["translation"][:, None]
        np.testing.assert_allclose(shot.arrays["vertices"], vertices.numpy(), atol=3e-5)
        nose = (output.landmarks2d + a["translation"][:, None]).numpy()[:, 27:36]
        focal, x, y = shot.arrays["camera"][:, :, None].transpose(1, 0, 2)
        projected = np.stack([x - focal * nose[..., 0] / nose[..., 2], y + focal * nose[..., 1] / nose[..., 2]], 2)
        np.testing.assert_allclose(shot.arrays["points"][:, 27:36], projected, atol=0.05)


def test_visible_points_lie_on_the_surface_of_the_depth_layer(shots: list[Shot]) -> None:
    near, total = 0, 0
    for shot in shots:
        a = shot.arrays
        model = a["vertices"]
        for frame in range(3):
            place = np.round(a["points"][frame, 27:36]).astype(int)
            seen = a["visible"][frame, 27:36]
            depth = a["depth"][frame][tuple(np.clip(place[seen], 0, SIZE - 1).T[::-1])]
            low, high = -model[frame, :, 2].max() - 0.03, -model[frame, :, 2].min() + 0.03
            near += int(((depth > low) & (depth < high)).sum())
            total += int(seen.sum())
    assert total > 150 and near / total > 0.95  # a nose in profile ends at its outline


def test_surfaces_and_classes_cover_the_same_person(shots: list[Shot]) -> None:
    for shot in shots:
        a = shot.arrays
        shown, free = np.isfinite(a["depth"]), ~a["occluder"]
        assert ((a["labels"] > 0) == shown)[free].mean() > 0.97  # all but the outline
        assert not a["labels"][a["occluder"]].any()
        np.testing.assert_array_equal((a["normals"] != 0).any(3), shown)
        inside = cv2.erode((shown & free).astype(np.uint8)[0], np.ones((5, 5))) > 0
        assert (a["labels"][0][inside] > 0).all()


def test_flow_brings_the_next_clean_picture_back(shots: list[Shot]) -> None:
    ratios = []
    for shot in shots:
        a = shot.arrays
        for k in range(2):
            shown = a["flow_valid"][k] & np.isfinite(a["depth"][k])
            shown = cv2.erode(shown.astype(np.uint8), np.ones((3, 3))) > 0
            motion = a["flow"][k]
            if shown.sum() < 800 or np.linalg.norm(motion[shown], axis=1).mean() < 1.5:
                continue
            y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
            back = cv2.remap(a["clean"][k + 1], x + motion[..., 0], y + motion[..., 1], cv2.INTER_LINEAR)
            now = a["clean"][k].astype(float)
            warped, still = (np.abs(other - now)[shown].mean() for other in (back, a["clean"][k + 1]))
            ratios.append(warped / still)
    assert len(ratios) >= 4
    assert np.median(ratios) < 0.4 and max(ratios) < 0.8


def test_flow_is_not_valid_under_occluders(shots: list[Shot]) -> None:
    covered = [shot.arrays for shot in shots if shot.arrays["occluder"][0].any()]
    assert covered
    for a in covered:
        np.testing.assert_array_equal(a["occluder"][0], a["occluder"][1])
        assert not a["flow_valid"][0][a["occluder"][0]].any()
        assert not a["visible"].all()  # the fixed seeds put things over faces


def test_background_stands_still(shots: list[Shot]) -> None:
    for shot in shots:
        a = shot.arrays
        empty = np.isinf(a["depth"])
        for k in range(2):
            assert not a["flow"][k][empty[k]].any()
            both = cv2.erode((empty[k] & empty[k + 1]).astype(np.uint8), np.ones((5, 5))) > 0
            same = (a["clean"][k][both] == a["clean"][k + 1][both]).all(1)
            assert same.mean() > 0.999  # a stray hair may miss the middle of its pixel


def test_layers_change_what_is_returned_and_not_what_is_drawn(
    maker: ShotMaker, person: Person, shots: list[Shot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maker, "layers", check_layers(["image", "depth"]))
    few = maker.shot(person, np.random.default_rng([7, 0]))
    assert list(few.arrays) == ["image", "depth"] and few.facts == shots[0].facts
    for name, array in few.arrays.items():
        np.testing.assert_array_equal(array, shots[0].arrays[name])


def test_one_frame_has_no_flow(maker: ShotMaker, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "frames", 1)
    shot = maker.shot(person, np.random.default_rng(1))
    assert set(shot.arrays) == set(ARRAYS) - {"flow", "flow_valid"} and len(shot.facts) == 1


def test_motion_stays_short(maker: ShotMaker) -> None:
    for seed in range(40):
        moments, interval = maker.motion(np.random.default_rng(seed))
        assert 1 / 25 <= interval <= 0.3 and len(moments) == 3
        assert np.linalg.norm(moments[2].translation - moments[0].translation) < 0.25


def test_bad_arguments_are_told(head: HeadData) -> None:
    with pytest.raises(ValueError, match="layers dept: choose from image, clean, points"):
        check_layers(["depth", "dept"])
    with pytest.raises(ValueError, match=r"layers \(none\)"):
        check_layers([])
    with pytest.raises(ValueError, match="frames per shot: 0"):
        ShotMaker(head, SIZE, frames=0)
    assert set(LAYERS) == {array.layer for array in ARRAYS.values()}
