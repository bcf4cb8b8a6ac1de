"""A made-up split archive in the form of TVQA's: a gzipped tar in parts, with a list of md5 sums."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

STEM = "tvqa_video_frames_fps3_hq.tar.gz"
ROOT = "tvqa_video_frames_fps3_hq/frames_hq"


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """Return one member of an archive; ``target`` is where a link points."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data)
    return info, data


def clip(name: str, pictures: Sequence[bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return the members of one clip: its folder and its pictures, not in their order (as folders list them)."""
    show = name.partition("_")[0]
    folder = f"{ROOT}/{'bbt' if show[1:].startswith('0') else show}_frames/{name}"
    files = [member(f"{folder}/{number:05d}.jpg", data) for number, data in enumerate(pictures, 1)]
    return [member(folder, kind=tarfile.DIRTYPE), *files[1::2], *files[::2]]


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return the bytes of a tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def split(folder: Path, tar: bytes, count: int = 3, sums: bool = True) -> list[Path]:
    """Write a tar as ``count`` gzipped parts of about equal size, as ``split -b`` cuts them; return the parts."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(tar, 1, mtime=0)
    size = -(-len(packed) // count)
    paths = []
    for number in range(count):
        path = folder / f"{STEM}.{chr(97 + number // 26)}{chr(97 + number % 26)}"
        path.write_bytes(packed[number * size : (number + 1) * size])
        paths.append(path)
    if sums:
        write_sums(paths)
    return paths


def write_sums(paths: Sequence[Path]) -> None:
    """Write the list of md5 sums as ``md5sum`` does."""
    lines = [f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.name}\n" for path in paths]
    paths[0].with_name("tvqa_video_frames_fps3_hq.checksum.txt").write_text("".join(lines))
