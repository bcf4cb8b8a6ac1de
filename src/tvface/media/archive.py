"""The files inside a gzipped tar, read once from a stream; the names in it are never used to write files."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from tvface.media.parts import ArchiveError, PartStream

_BUFFER = 1 << 20
LARGEST = 32 << 20


@dataclass(frozen=True)
class Member:
    """A file in the archive: path split at the slashes, size in bytes, and content, to be read before the next file."""

    path: tuple[str, ...]
    size: int
    content: IO[bytes]


def members(stream: PartStream, refuse: Callable[[str], None]) -> Iterator[Member]:
    """Yield the regular files of the archive in its order; memory does not grow with their number.

    Links, devices, and names that are absolute or leave their folder are skipped and reported to ``refuse``. So are
    files above 32 MB: no frame is that large.

    Raises:
        ArchiveError: the bytes are not a complete gzipped tar; if md5 sums are known, the message names the bad part.
    """
    buffered = io.BufferedReader(stream, _BUFFER)
    try:
        with (
            gzip.GzipFile(fileobj=buffered, mode="rb") as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|", bufsize=_BUFFER) as tar,
        ):
            while (member := tar.next()) is not None:
                # A stream keeps every header otherwise: gigabytes for millions of frames.
                tar.members = []  # type: ignore[attr-defined]
                problem = _problem(member)
                if problem is not None:
                    refuse(f"{member.name!r}: {problem}")
                elif member.isreg():
                    content = tar.extractfile(member)
                    assert content is not None
                    path = tuple(part for part in member.name.split("/") if part not in ("", "."))
                    yield Member(path, member.size, content)
            _require_end(tar)
    except (zlib.error, gzip.BadGzipFile, EOFError, tarfile.TarError) as error:
        stream.finish_part()
        raise ArchiveError(
            f"archive: cannot be unpacked at byte {stream.consumed:,} of {stream.total:,}, in {stream.current.path} "
            f"({error}). That part, or the one before it, is damaged, or parts behind it are missing: compare their "
            "md5 sums with the published ones and download again what differs. What was finished before it is kept"
        ) from error
    finally:
        buffered.detach()  # or it would close the stream


def _problem(member: tarfile.TarInfo) -> str | None:
    name = member.name.replace("\\", "/")
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "an absolute path"
    if ".." in name.split("/"):
        return "it leaves its folder"
    if member.issym() or member.islnk():
        return f"a link to {member.linkname!r}"
    if not (member.isreg() or member.isdir()):
        return "a device or pipe"
    if member.size > LARGEST:
        return f"{member.size:,} bytes"
    return None


def _require_end(tar: tarfile.TarFile) -> None:
    """Read to the end, to check every part and gzip's checksum; tarfile takes a broken header for the end."""
    assert tar.fileobj is not None
    while rest := tar.fileobj.read(_BUFFER):
        if rest.strip(b"\0"):
            raise tarfile.ReadError("bytes that are no tar header follow a member")
