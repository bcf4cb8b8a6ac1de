"""Shots on disk: mapped, found again, refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tvface.media.npz_maps import mapped
from tvface.supervised import shots


def test_arrays_are_mapped_and_equal(folder: Path, some: shots.Shots) -> None:
    assert len(some) == 4 and some.size == 64 and some.frames == 10
    assert [len(group) for group in some.people()] == [2, 2]
    for shard, path in zip(some.shards, sorted(folder.glob("*_*.npz")), strict=True):
        with np.load(path) as archive:
            for name, array in shard.items():
                assert isinstance(array, np.memmap) and not array.flags.writeable
                np.testing.assert_array_equal(array, archive[name])


def test_a_window_of_a_shot(some: shots.Shots) -> None:
    taken = some.take(3, 4, 5)
    assert taken["clean"].shape == (5, 64, 64, 3) and taken["clean"].flags.writeable
    np.testing.assert_array_equal(taken["points"], some.shards[1]["points"][14:19])
    with pytest.raises(IndexError, match="shot 3 has 10 frames, not 6 to 10"):
        some.take(3, 6, 5)


def test_what_is_no_set_of_shots_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(shots.ShotsError, match=r"no shots\. Make some: tvface synth-crops"):
        shots.load(tmp_path)
    with pytest.raises(shots.ShotsError, match="--layers image clean points labels occluder parameters"):
        shots.load(folder, ["depth"])
    path = tmp_path / "packed.npz"
    np.savez_compressed(path, a=np.arange(3))
    with pytest.raises(ValueError, match="compressed; only stored arrays can be mapped"):
        mapped(path, ["a"])
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not an npz file"):
        mapped(path, ["a"])


def test_empty_arrays_and_fortran_order(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, none=np.zeros((0, 3)), turned=np.asfortranarray(np.arange(6).reshape(2, 3)), one=np.float32(2))
    arrays = mapped(path, ["none", "turned", "one"])
    assert arrays["none"].shape == (0, 3) and arrays["one"] == 2
    np.testing.assert_array_equal(arrays["turned"], [[0, 1, 2], [3, 4, 5]])
