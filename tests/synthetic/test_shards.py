"""Sets of crops on disk: the same bytes whoever writes them, an index, going on, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tvface.cli.main import main
from tvface.files.digests import digest
from tvface.head import human
from tvface.head.data import HeadData
from tvface.manifests.base import read
from tvface.manifests.crops import CROPS
from tvface.synthetic.crops import shards
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.crops.shard_files import CropsError
from tvface.synthetic.crops.shards import Recipe, write_crops
from tvface.synthetic.crops.truth import ARRAYS

RECIPE = Recipe(seed=4, size=48, per_shard=4)
COUNT = 10


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, head: HeadData) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(human, "build", lambda settings: head)
        return folder, list(write_crops(folder, COUNT, RECIPE, processes=1))


@pytest.fixture(autouse=True)
def small_head(head: HeadData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(human, "build", lambda settings: head)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in sorted(folder.iterdir())}


def test_two_processes_write_the_same_bytes(written: tuple[Path, list[Path]], tmp_path: Path) -> None:
    assert len(list(write_crops(tmp_path, COUNT, RECIPE, processes=2))) == 4
    assert digests(tmp_path) == digests(written[0])


def test_shards_hold_the_arrays_and_no_pickles(written: tuple[Path, list[Path]]) -> None:
    folder, paths = written
    assert [path.name for path in paths] == [*(f"crops_{k:05d}.npz" for k in range(3)), "index.parquet"]
    with np.load(paths[2], allow_pickle=False) as shard:  # the last one is short
        assert set(shard.files) == {*ARRAYS, "identity", "shot", "frame", "notes"}
        assert shard["image"].shape == (2, 48, 48, 3) and shard["flow"].shape == (1, 48, 48, 2)
        np.testing.assert_array_equal(shard["shot"], [4, 4])
        np.testing.assert_array_equal(shard["frame"], [0, 1])
    with np.load(paths[0], allow_pickle=False) as first, np.load(paths[1], allow_pickle=False) as second:
        assert (first["image"] != second["image"]).any()
        assert not set(first["identity"]) & set(second["identity"])
    assert (HeadData.load(folder / "head.npz").faces >= 0).all()


def test_the_index_finds_every_crop(written: tuple[Path, list[Path]]) -> None:
    folder, _ = written
    index = read(folder / "index.parquet", CROPS)
    assert len(index.rows) == COUNT and index.provenance["settings"]["size"] == 48
    for row in index.rows.itertuples():
        with np.load(folder / row.file, allow_pickle=False) as shard:
            image = shard["image"][row.row]
            assert hashlib.sha256(image.tobytes()).hexdigest() == row.image_sha256
            assert (shard["identity"][row.row], shard["shot"][row.row]) == (row.identity, row.shot)
            assert shard["visible"][row.row].sum() == row.visible_points
            assert -shard["translation"][row.row, 2] == pytest.approx(row.distance)
            if row.flow_row >= 0:  # the motion starts where this crop shows something
                still = np.isinf(shard["depth"][row.row])
                assert not shard["flow"][row.flow_row][still].any() and shard["flow"][row.flow_row].any()
    assert (index.rows.flow_row >= 0).sum() == COUNT // 2
    assert (index.rows.groupby("shot").identity.nunique() == 1).all()


def test_a_deleted_shard_comes_back_and_the_others_stay(written: tuple[Path, list[Path]]) -> None:
    folder, paths = written
    before, stamps = digests(folder), [path.stat().st_mtime_ns for path in paths]
    paths[1].unlink()
    assert sorted(path.name for path in write_crops(folder, COUNT, RECIPE)) == [path.name for path in paths]
    assert digests(folder) == before
    after = [path.stat().st_mtime_ns for path in paths]
    assert after[0] == stamps[0] and after[2] == stamps[2] and after[1] > stamps[1]


def test_other_sets_in_the_folder_are_refused(written: tuple[Path, list[Path]], head: HeadData) -> None:
    folder, paths = written
    with pytest.raises(CropsError, match=r"crops_00000.npz was made otherwise \(seed 4, here 5\)"):
        list(write_crops(folder, COUNT, Recipe(seed=5, size=48, per_shard=4)))
    with pytest.raises(CropsError, match="count 4 makes 1 files; delete the others"):
        list(write_crops(folder, 4, RECIPE))
    stored = paths[0].read_bytes()
    paths[0].write_bytes(stored[:1000])
    with pytest.raises(CropsError, match="not a readable shard of crops"):
        list(write_crops(folder, COUNT, RECIPE))
    paths[0].write_bytes(stored)


def test_another_head_is_refused(
    written: tuple[Path, list[Path]], head: HeadData, monkeypatch: pytest.MonkeyPatch
) -> None:
    wider = dataclasses.replace(head, v_template=head.v_template * np.float32(1.1))
    monkeypatch.setattr(human, "build", lambda settings: wider)
    with pytest.raises(CropsError, match="made with another head"):
        list(write_crops(written[0], COUNT, RECIPE))


def test_the_order_of_layers_makes_no_other_set() -> None:
    assert Recipe(layers=("flow", "image", "depth")) == Recipe(layers=("image", "depth", "flow"))


def test_persons_and_looks_change_as_told(head: HeadData) -> None:
    class Crops(CropMaker):
        def __init__(self) -> None:
            pass  # nothing is painted

        def person(self, rng: np.random.Generator) -> Any:
            return SimpleNamespace(texture=SimpleNamespace(name=str(rng.integers(2**31))))

        def sibling(self, person: Any, rng: np.random.Generator) -> Any:
            return SimpleNamespace(texture=person.texture)

    class Maker:
        crops = Crops()
        shot = staticmethod(lambda person, generator: person)

    drawn = list(shards.make_shots(Maker(), 9, np.random.default_rng(0)))  # type: ignore[arg-type]
    assert [number for number, _, _ in drawn] == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    looks = [name for _, name, _ in drawn]
    assert [looks.index(name) for name in looks] == [0, 0, 0, 0, 4, 4, 4, 4, 8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "3"], "count 3 must be a positive multiple of frames 2"),
        (["--count", "0"], "count 0 must be a positive multiple"),
        (["--size", "8"], "size 8 must be at least 16"),
        (["--frames", "0"], "frames 0 must be at least 1"),
        (["--seed", "-1"], "seed -1 must be at least 0"),
        (["--processes", "0"], "processes 0 must be at least 1"),
        (["--per-shard", "5"], "per_shard 5 must be a multiple of frames 2"),
        (["--layers", "depth", "flaw"], "layers flaw: choose from image, clean"),
        (["--layers", "flow", "--frames", "1"], "flow needs shots of at least 2 frames"),
    ],
)
def test_bad_arguments_are_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["synth-crops", "--out", str(tmp_path / "new"), *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors and "Traceback" not in errors
    assert not (tmp_path / "new").exists()
