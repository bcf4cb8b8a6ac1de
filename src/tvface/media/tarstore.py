"""Images in an uncompressed tar, addressed by offset and length for random access.

The archive is plain POSIX tar, readable by ``tar``; members have fixed metadata, so the same members give the
same bytes.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from tvface.files.atomic import atomic
from tvface.files.relative import project_path


class TarWriter:
    """Write members one by one; the archive appears under its name only when the block ends without error."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.file = project_path(path)
        self._atomic = atomic(self.path)

    def __enter__(self) -> TarWriter:
        self._tar = tarfile.open(self._atomic.__enter__(), "w", format=tarfile.USTAR_FORMAT)
        return self

    def add(self, name: str, data: bytes) -> tuple[str, int, int]:
        """Append one member; return (project-relative file, offset, length) of its bytes."""
        offset = self._tar.offset + tarfile.BLOCKSIZE  # a USTAR header is one block
        self._tar.addfile(_header(name, data), io.BytesIO(data))
        self._tar.members = []  # type: ignore[attr-defined]  # tarfile keeps every header: a kilobyte per frame
        return self.file, offset, len(data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()
        self._atomic.__exit__(kind, error, trace)


class GrowingTar:
    """The same archive written in pieces over a long time; its file is open only while a piece is written.

    Hundreds of them can grow side by side. Until :meth:`finish` the archive has a temporary name.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(f".{self.path.name}.partial")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.partial.unlink(missing_ok=True)
        self._size = 0
        self._open: BinaryIO | None = None

    def add(self, name: str, data: bytes) -> tuple[int, int]:
        """Append one member; return (offset, length) of its bytes."""
        if self._open is None:
            self._open = open(self.partial, "ab")  # noqa: SIM115 (closed by pause())
        padding = -len(data) % tarfile.BLOCKSIZE
        self._open.write(_header(name, data).tobuf(tarfile.USTAR_FORMAT))
        self._open.write(data)
        self._open.write(bytes(padding))
        offset = self._size + tarfile.BLOCKSIZE
        self._size = offset + len(data) + padding
        return offset, len(data)

    def pause(self) -> None:
        """Close the file until the next member."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def finish(self) -> None:
        """Write the end of the archive and rename it to its final name."""
        self.pause()
        with open(self.partial, "ab") as file:
            end = 2 * tarfile.BLOCKSIZE
            file.write(bytes(end + -(self._size + end) % tarfile.RECORDSIZE))
            file.flush()
            os.fsync(file.fileno())  # the name must not appear before the bytes
        os.replace(self.partial, self.path)

    def discard(self) -> None:
        """Remove the unfinished archive."""
        self.pause()
        self.partial.unlink(missing_ok=True)


def _header(name: str, data: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    return info


def read_bytes(file: str | Path, offset: int, length: int) -> bytes:
    """Return ``length`` bytes of ``file`` from ``offset``.

    Raises:
        EOFError: the file is shorter than the manifest says.
    """
    with open(file, "rb") as handle:
        handle.seek(offset)
        data = handle.read(length)
    if len(data) != length:
        raise EOFError(f"{file}: expected {length} bytes at {offset}, read {len(data)}; run its stage again")
    return data
