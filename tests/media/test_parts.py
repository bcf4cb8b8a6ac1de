"""Parts of a split archive: found, complete, read as one stream, hashed on the way."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.split_archive import STEM, split, write_sums
from tvface.media import parts
from tvface.media.parts import ArchiveError, PartStream, find_parts

NOISE = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "CHUNK", 10_000)


def test_parts_come_in_order_with_their_sums(tmp_path: Path) -> None:
    paths = split(tmp_path, NOISE, 30)
    (tmp_path / "README.txt").write_text("nothing\n")
    parts = find_parts(tmp_path)
    assert [part.path for part in parts] == paths and parts[27].path.name.endswith(".bb")
    assert all(part.md5 is not None and part.size == part.path.stat().st_size for part in parts)
    assert find_parts(paths[0]) == parts


def test_other_archives_beside_the_parts(tmp_path: Path) -> None:
    paths = split(tmp_path, NOISE, 2)
    (tmp_path / "tvqa_subtitles.tar.gz").write_bytes(b"x")
    assert [part.path for part in find_parts(tmp_path)] == paths
    for name in ("tvqa_audios.tar.gz.aa", "tvqa_audios.tar.gz.ab"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ArchiveError, match=rf"several archives .*{STEM}.*point 'archive' at the first part"):
        find_parts(tmp_path)
    assert [part.path for part in find_parts(paths[0])] == paths


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    paths = split(tmp_path, NOISE, 4)
    paths[3].rename(tmp_path / "elsewhere")
    with pytest.raises(ArchiveError, match=rf"names 4 parts; missing: {STEM}\.ad\. Download"):
        find_parts(tmp_path)
    (tmp_path / "elsewhere").rename(paths[3])
    (tmp_path / f"{STEM}.ae").write_bytes(b"x")
    with pytest.raises(ArchiveError, match=rf"but not {STEM}\.ae"):
        find_parts(tmp_path)


def test_without_a_list_gaps_are_found(tmp_path: Path) -> None:
    paths = split(tmp_path, NOISE, 4, sums=False)
    assert [part.md5 for part in find_parts(tmp_path)] == [None] * 4
    paths[1].unlink()
    with pytest.raises(ArchiveError, match=rf"{STEM}\.ab is missing"):
        find_parts(tmp_path)


def test_a_folder_without_parts(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere", tmp_path / "nowhere" / f"{STEM}.aa"):
        with pytest.raises(ArchiveError, match="holds no part of a split archive"):
            find_parts(place)


def test_the_stream_is_the_parts_joined_and_checked(tmp_path: Path) -> None:
    paths = split(tmp_path, NOISE, 5)
    joined = b"".join(path.read_bytes() for path in paths)
    with PartStream(find_parts(tmp_path)) as stream:
        assert io.BufferedReader(stream, 7_777).read() == joined
        assert stream.consumed == stream.verified == stream.total == len(joined)
        assert [part.path for part in stream.checked] == paths


def test_bytes_are_verified_part_by_part(tmp_path: Path) -> None:
    split(tmp_path, NOISE, 3)
    with PartStream(find_parts(tmp_path)) as stream:
        first = stream.parts[0].size
        buffer = bytearray(first + 1)
        filled = 0
        while filled < len(buffer):
            assert stream.verified == 0 or filled >= first
            filled += stream.readinto(memoryview(buffer)[filled:])
        assert stream.verified == first and stream.current == stream.parts[1]


def test_a_wrong_part_is_named_with_both_sums(tmp_path: Path) -> None:
    paths = split(tmp_path, NOISE, 3)
    damaged = bytearray(paths[1].read_bytes())
    damaged[500] ^= 1
    paths[1].write_bytes(damaged)
    published = find_parts(tmp_path)[1].md5
    with PartStream(find_parts(tmp_path)) as stream:
        with pytest.raises(ArchiveError, match=rf"{STEM}\.ab is damaged: its md5 is \w+, published is {published}"):
            io.BufferedReader(stream).read()
        assert stream.verified == stream.parts[0].size
        assert stream.read(1) == b""


def test_lists_that_contradict_each_other(tmp_path: Path) -> None:
    paths = split(tmp_path, NOISE, 2)
    (tmp_path / "old.md5").write_text(f"{'0' * 32} *{paths[0].name}\n")
    with pytest.raises(ArchiveError, match="another md5 than an earlier list"):
        find_parts(tmp_path)


def test_leaving_early_stops_the_reader(tmp_path: Path) -> None:
    write_sums(split(tmp_path, NOISE, 3))
    with PartStream(find_parts(tmp_path)) as stream:
        assert len(stream.read(10)) == 10
    assert "archive" not in {thread.name for thread in threading.enumerate()}
