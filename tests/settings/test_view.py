"""A view of the settings: what it holds is there, in every use that settings have; what it lacks raises."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

from tvface.settings import Settings, SettingsError, as_mapping, parse_settings
from tvface.settings.data import Faces
from tvface.settings.view import UndeclaredSetting, leaves, matching, view

NAMES = ("seed", "faces.embedder", "faces.tracks.distance", *matching(Settings, "frames"))


def looked_at(settings: Settings = parse_settings({"seed": 3, "frames": {"fps": 5}}), names=NAMES) -> Settings:  # noqa: B008
    return view(settings, names, "stage trial", "name it in the table")


def undeclared(settings: Settings) -> str:
    """Read a setting that the view lacks, in another process; return the message."""
    try:
        return f"read {settings.faces.detector}"
    except UndeclaredSetting as error:
        return str(error)


def test_what_it_holds_is_read_as_from_the_settings() -> None:
    seen = looked_at()
    assert (seen.seed, seen.faces.embedder, seen.faces.tracks.distance) == (3, "appearance", None)
    assert seen.frames == parse_settings({"frames": {"fps": 5}}).frames and type(seen.frames.shots).__name__ == "Shots"
    assert isinstance(seen, Settings) and isinstance(seen.faces, Faces) and dataclasses.is_dataclass(seen)


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda s: s.device, "device"),
        (lambda s: s.report, "report"),
        (lambda s: s.faces.detector, "faces.detector"),
        (lambda s: s.faces.tracks.iou, "faces.tracks.iou"),
        (lambda s: getattr(s, "videos", "a default"), "videos"),
        (lambda s: hasattr(s.faces, "batch"), "faces.batch"),
        (lambda s: dataclasses.asdict(s), "results"),
        (lambda s: dataclasses.replace(s, seed=1), "results"),
    ],
)
def test_what_it_lacks_raises_with_reader_setting_and_remedy(read, named) -> None:
    with pytest.raises(UndeclaredSetting) as caught:
        read(looked_at())
    message = f"stage trial reads the setting '{named}', which is not declared for it; name it in the table"
    assert str(caught.value) == message


def test_the_class_default_of_a_hidden_setting_is_not_what_is_read() -> None:
    """A dataclass keeps each default on the class, where a missing attribute would be found."""
    assert Settings.seed == 0
    with pytest.raises(UndeclaredSetting):
        _ = looked_at(names=("results",)).seed


def test_it_is_as_frozen_as_settings() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        looked_at().seed = 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        looked_at().device = "cpu"


def test_it_is_written_out_as_what_it_holds() -> None:
    held = as_mapping(looked_at())
    assert held == {
        "seed": 3,
        "frames": as_mapping(parse_settings({"frames": {"fps": 5}}).frames),
        "faces": {"embedder": "appearance", "tracks": {"distance": None}},
    }
    assert looked_at(parse_settings(held)) == looked_at(), "and read back it is the same"
    assert as_mapping(looked_at(names=())) == {}
    assert "seed=3" in repr(looked_at()) and "device" not in repr(looked_at())


def test_views_compare_by_what_they_hold() -> None:
    one, other = (looked_at(parse_settings(change)) for change in ({"device": "cpu"}, {"device": "cuda"}))
    assert one == other and hash(one) == hash(other) and one != looked_at() and one != Settings()
    assert looked_at(names=("seed",)) != looked_at(names=("seed", "faces.embedder"))
    assert looked_at(one) == one, "a view of a view"
    with pytest.raises(UndeclaredSetting, match="'device'"):
        view(one, ("device",), "stage other", "")


def test_it_travels_to_another_process() -> None:
    seen = looked_at()
    for copied in (pickle.loads(pickle.dumps(seen)), copy.deepcopy(seen), copy.copy(seen.faces)):
        assert copied == (seen if isinstance(copied, Settings) else seen.faces)
        with pytest.raises(UndeclaredSetting, match="detector"):
            _ = getattr(copied, "faces", copied).detector if isinstance(copied, Settings) else copied.detector
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert "stage trial reads the setting 'faces.detector'" in pool.submit(undeclared, seen).result()


def test_keys_stand_for_settings() -> None:
    assert {"seed", "faces.tracks.iou", "train.coarse.loss_weights.eye"} <= set(leaves(Settings))
    assert not {"faces", "faces.tracks"} & set(leaves(Settings))
    assert matching(Settings, "dataset.split") == tuple(
        f"dataset.split.{name}" for name in ("validation", "test", "disjoint")
    )
    assert "train.frames" in matching(Settings, "train.*") and "train.deca.width" not in matching(Settings, "train.*")
    for wrong in ("face", "faces.batches", "seed.*"):
        with pytest.raises(SettingsError, match="there is no setting"):
            matching(Settings, wrong)
