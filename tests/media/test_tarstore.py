"""Stores: the same archive whether written at once or in pieces."""

import tarfile
from pathlib import Path

from tvface.media.tarstore import GrowingTar, TarWriter, read_bytes

MEMBERS = [(f"clip/{number:05d}.jpg", bytes([number]) * (number * 97)) for number in range(40)]


def test_an_archive_in_pieces_is_the_archive_written_at_once(tmp_path: Path) -> None:
    growing = GrowingTar(tmp_path / "pieces.tar")
    with TarWriter(tmp_path / "once.tar") as writer:
        for number, (name, data) in enumerate(MEMBERS):
            assert growing.add(name, data) == writer.add(name, data)[1:]
            if number % 7 == 0:
                growing.pause()
    assert not growing.path.exists()
    growing.finish()
    assert growing.path.read_bytes() == (tmp_path / "once.tar").read_bytes()
    with tarfile.open(growing.path) as tar:
        assert tar.getnames() == [name for name, _ in MEMBERS]


def test_places_are_those_of_the_bytes(tmp_path: Path) -> None:
    growing = GrowingTar(tmp_path / "a.tar")
    places = [growing.add(name, data) for name, data in MEMBERS]
    growing.finish()
    for place, (_, data) in zip(places, MEMBERS, strict=True):
        assert read_bytes(growing.path, *place) == data


def test_what_is_discarded_or_left_over_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".a.tar.partial").write_bytes(b"of an earlier run")
    growing = GrowingTar(tmp_path / "a.tar")
    growing.add("x", b"y")
    growing.discard()
    assert list(tmp_path.iterdir()) == []
    growing = GrowingTar(tmp_path / "empty.tar")
    growing.finish()
    with tarfile.open(growing.path) as tar:
        assert tar.getnames() == []
