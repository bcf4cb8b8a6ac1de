"""Stage sequences over drawn footage: crops, reasons, identities, reruns."""

import tarfile

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.stages.show import Face, Show, talking
from tvface.manifests import read
from tvface.manifests.sequences import CANDIDATES, SEQUENCES
from tvface.media.images import read_image
from tvface.mining.crop_paths import smoothed_centres

# Every drawn frame is equally sharp; a percentile would drop some of them by chance.
RULES = {"clarity_percentile": 0.0}


def mine(show: Show, name: str, pictures: list[np.ndarray], **rules: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    path = show.video(f"{name}.mp4", pictures)
    settings = show.settings(videos=str(path), sequences={**RULES, **rules})
    show.run_all(settings, "videos", name, path)
    rows = read(show.path("sequences", f"{name}.parquet"), SEQUENCES).rows
    return rows, read(show.path("sequences", f"{name}.candidates.parquet"), CANDIDATES).rows


def test_a_talking_face_gives_crops_with_true_transforms(show: Show) -> None:
    script = [[Face(0, x=130 + 3 * k, y=115, mouth=0.08 * (k % 2))] for k in range(12)]
    rows, candidates = mine(show, "pilot", show.pictures(script), image_size=128)
    assert rows["position"].tolist() == list(range(10)) and set(rows["sequence"]) == {"pilot.000"}
    assert rows["crop_side"].nunique() == 1 and rows["crop_side"][0] == pytest.approx(1.25 * 90)
    assert candidates["reason"].tolist() == ["used"] * 10 + ["remainder"] * 2
    assert set(rows["contiguity"]) == {"continuous"} and rows["gap"][1:].eq(1).all()
    for row, faces in zip(rows.itertuples(), script, strict=False):
        transform = np.array(row.transform).reshape(2, 3)
        expected = faces[0].points @ transform[:, :2].T + transform[:, 2]
        assert np.allclose(np.array(row.points5).reshape(5, 2), expected, atol=1e-3)
        assert transform[0, 0] == pytest.approx(128 / row.crop_side) and transform[0, 1] == 0
        crop = read_image(row.image_file, row.image_offset, row.image_length)
        assert crop.shape == (128, 128, 3)
        eye = crop[tuple(np.round(expected[0][::-1]).astype(int))]
        assert eye.max() < 90  # the drawn eye is black and lies where the points say
    with tarfile.open(show.path("sequences", "pilot.tar")) as tar:
        assert tar.getnames() == [f"pilot.000/{k:02d}.png" for k in range(10)]


def test_two_characters_give_nothing_and_a_small_extra_is_allowed(show: Show) -> None:
    pair = [[Face(0, x=90, mouth=0.08 * (k % 2)), Face(1, x=230, mouth=0.08 * (k % 2))] for k in range(12)]
    rows, candidates = mine(show, "pair", show.pictures(pair))
    assert len(rows) == 0 and set(candidates["reason"]) == {"other_face"}
    extra = [[Face(0, mouth=0.08 * (k % 2)), Face(1, x=290, y=40, side=30)] for k in range(12)]
    rows, candidates = mine(show, "extra", show.pictures(extra))
    assert len(rows) == 10 and set(candidates["reason"][candidates["face"] == 1]) == {"small"}


def test_a_sequence_never_mixes_people_or_shots(show: Show) -> None:
    script = show.pictures(talking(0, 8) + talking(3, 14), place=1) + show.pictures(talking(3, 12), place=5)
    rows, _ = mine(show, "swap", script)
    per_sequence = rows.groupby("sequence").agg({"person": "nunique", "shot": "nunique", "frame": ["min", "max"]})
    assert (per_sequence["person"] == 1).all(axis=None) and (per_sequence["shot"] == 1).all(axis=None)
    assert per_sequence["frame"].to_numpy().tolist() == [[8, 17], [22, 31]]


def test_shots_of_a_scene_are_joined_in_relaxed_mode(show: Show) -> None:
    pictures = (
        show.pictures(talking(0, 6), place=1)
        + show.pictures(talking(3, 4), place=5)
        + show.pictures(talking(0, 6), place=1)
    )
    assert len(mine(show, "strict", pictures)[0]) == 0
    rows, _ = mine(show, "relaxed", pictures, cross_shots=True)
    assert rows["frame"].tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]
    assert rows["crossing"].tolist() == [False] * 6 + [True] + [False] * 3 and set(rows["contiguity"]) == {"cross-shot"}
    assert rows["person"].nunique() == 1


def test_a_photograph_is_not_used(show: Show) -> None:
    still = [[Face(0, x=120 + 2 * k)] for k in range(14)]
    rows, candidates = mine(show, "photo", show.pictures(still))
    assert len(rows) == 0 and "still" in set(candidates["reason"])


def test_each_face_alone_can_fail(show: Show) -> None:
    script = talking(0, 8)
    script[1] = [Face(0, score=0.9)]
    script[2] = [Face(0, side=40)]
    script[3] = [Face(0, x=20)]
    script[4] = [Face(0, x=57, y=70, side=120)]
    _, candidates = mine(show, "bad", show.pictures(script))
    assert candidates["reason"].tolist()[1:5] == ["score", "small", "outside", "padding"]
    assert candidates["sequence"].isna().all()


def test_blurred_faces_are_dropped_by_their_rank_in_the_episode(show: Show) -> None:
    pictures = show.pictures(talking(0, 20))
    for k in (3, 12):
        pictures[k][:200] = cv2.GaussianBlur(pictures[k], (0, 0), 4)[:200]
    _, candidates = mine(show, "soft", pictures, clarity_percentile=10.0)
    assert np.flatnonzero(candidates["reason"] == "blurred").tolist() == [3, 12]


def test_limits_and_recaps(show: Show) -> None:
    long = show.pictures(talking(0, 35), place=1)
    rows, candidates = mine(show, "long", long)
    assert rows["sequence"].nunique() == 2 and (candidates["reason"] == "cap_track").sum() == 10
    again = long[:12] + show.pictures(talking(3, 12), place=5) + long[:12]
    rows, candidates = mine(show, "recap", again)
    assert rows["sequence"].nunique() == 2 and candidates["reason"].tolist()[24:34] == ["recap"] * 10


def test_the_same_input_gives_the_same_bytes(show: Show) -> None:
    pictures = show.pictures(talking(0, 12))
    stages = ("frames", "faces", "identities", "sequences")

    def results() -> dict[str, bytes]:
        mine(show, "pilot", pictures)
        paths = [path for stage in stages for path in sorted(show.path(stage, "").iterdir())]
        return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}

    first = results()
    assert len(first) == 7 and results() == first


def test_manifests_that_do_not_belong_together_are_refused(show: Show) -> None:
    path = show.video("pilot.mp4", show.pictures(talking(0, 12)))
    other = show.video("other.mp4", show.pictures([[]] * 3))
    settings = show.settings(videos=[str(path), str(other)])
    show.run_all(settings, "videos", "pilot", path)
    show.run_frames(settings, "other", other)
    show.run_faces(settings, "other")
    show.run_identities(settings, "videos", ["other"])
    with pytest.raises(ValueError, match="run stage identities again"):
        show.run_sequences(settings, "videos", "pilot")


def test_smoothing_stays_inside_shots_and_gaps() -> None:
    centres = np.array([(0, 0), (8, 0), (0, 0), (40, 0), (40, 0)], float)
    frame, shot = np.array([0, 1, 2, 5, 6]), np.array([0, 0, 0, 0, 1])
    assert smoothed_centres(centres, frame, shot)[:, 0].tolist() == [2, 4, 2, 40, 40]
