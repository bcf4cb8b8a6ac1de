"""Members of a streamed archive: accepted and refused ones, damage, memory."""

from __future__ import annotations

import gc
import tarfile
from pathlib import Path

import pytest

from tests.split_archive import STEM, member, split, tar_of, write_sums
from tvface.media.archive import members
from tvface.media.parts import ArchiveError, PartStream, find_parts

PICTURES = [member(f"root/./clip/{number:05d}.jpg", bytes([number]) * 700) for number in range(1, 40)]


def read(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    refused: list[str] = []
    with PartStream(find_parts(folder)) as stream:
        found = {"/".join(item.path): item.content.read() for item in members(stream, refused.append)}
        assert stream.verified == stream.total, "the archive is read to its end"
    return found, refused


def test_files_come_in_order_with_their_bytes(tmp_path: Path) -> None:
    split(tmp_path, tar_of([member("root", kind=tarfile.DIRTYPE), *PICTURES]), 4)
    found, refused = read(tmp_path)
    assert found == {f"root/clip/{number:05d}.jpg": bytes([number]) * 700 for number in range(1, 40)}
    assert next(iter(found)) == "root/clip/00001.jpg" and refused == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("/etc/passwd", b"x"), "'/etc/passwd': an absolute path"),
        (member("C:/windows/x.jpg", b"x"), "'C:/windows/x.jpg': an absolute path"),
        (member("clip/../../x.jpg", b"x"), "'clip/../../x.jpg': it leaves its folder"),
        (member("clip\\..\\x.jpg", b"x"), "it leaves its folder"),
        (member("clip/00001.jpg", kind=tarfile.SYMTYPE, target="/etc/shadow"), "a link to '/etc/shadow'"),
        (member("clip/00001.jpg", kind=tarfile.LNKTYPE, target="other"), "a link to 'other'"),
        (member("clip/00001.jpg", kind=tarfile.CHRTYPE), "a device or pipe"),
        (member("clip/00001.jpg", kind=tarfile.FIFOTYPE), "a device or pipe"),
    ],
)
def test_members_that_could_reach_elsewhere_are_refused_by_name(
    tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes], reason: str
) -> None:
    split(tmp_path, tar_of([PICTURES[0], bad, PICTURES[1]]))
    found, refused = read(tmp_path)
    assert len(found) == 2 and len(refused) == 1 and reason in refused[0]


def test_a_file_too_large_for_a_frame_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvface.media.archive.LARGEST", 1000)
    split(tmp_path, tar_of([member("clip/00001.jpg", bytes(1001)), PICTURES[0]]))
    found, refused = read(tmp_path)
    assert len(found) == 1 and refused == ["'clip/00001.jpg': 1,001 bytes"]


@pytest.mark.parametrize("sums", [True, False])
def test_damage_inside_gzip_is_reported(tmp_path: Path, sums: bool) -> None:
    paths = split(tmp_path, tar_of(PICTURES), 4, sums)
    broken = bytearray(paths[2].read_bytes())
    broken[10:40] = bytes(30)
    paths[2].write_bytes(broken)
    message = rf"{STEM}\.ac is damaged: its md5" if sums else rf"cannot be unpacked at byte .* in .*{STEM}\.a[cd]"
    with pytest.raises(ArchiveError, match=message):
        read(tmp_path)


def test_an_archive_that_ends_early_is_reported(tmp_path: Path) -> None:
    paths = split(tmp_path, tar_of(PICTURES), 4, sums=False)
    paths[3].unlink()
    with pytest.raises(ArchiveError, match="parts behind it are missing"):
        read(tmp_path)


def test_a_broken_header_is_no_end(tmp_path: Path) -> None:
    tar = bytearray(tar_of(PICTURES))
    tar[20 * 1536 : 20 * 1536 + 512] = b"?" * 512
    split(tmp_path, bytes(tar))
    with pytest.raises(ArchiveError, match="bytes that are no tar header follow a member"):
        read(tmp_path)


def test_what_is_no_gzip_is_reported(tmp_path: Path) -> None:
    paths = split(tmp_path, tar_of(PICTURES), 1)
    paths[0].write_bytes(b"<html>please sign the form</html>")
    write_sums(paths)
    with pytest.raises(ArchiveError, match="Not a gzipped file"):
        read(tmp_path)


def test_headers_are_not_kept(tmp_path: Path) -> None:
    """tarfile keeps every header of a stream: a kilobyte for each of millions of frames."""
    split(tmp_path, tar_of(member(f"clip/{number:05d}.jpg", b"x") for number in range(1, 1001)))

    def headers() -> int:
        return sum(type(thing) is tarfile.TarInfo for thing in gc.get_objects())

    gc.collect()
    before = headers()
    with PartStream(find_parts(tmp_path)) as stream:
        for number, _ in enumerate(members(stream, pytest.fail), 1):
            if number in (10, 1000):
                assert headers() <= before + 5
    assert number == 1000
