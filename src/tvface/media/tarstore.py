"""Images in an uncompressed tar, each addressed by offset and length, so that any opens at random.

The archive is plain POSIX tar, readable by ``tar``; members have fixed metadata, so the same members give the
same bytes.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from types import TracebackType

from tvface.manifests.base import atomic, project_path


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
        info = tarfile.TarInfo(name)
        info.size = len(data)
        info.mode = 0o644
        offset = self._tar.offset + tarfile.BLOCKSIZE  # a USTAR header is one block
        self._tar.addfile(info, io.BytesIO(data))
        return self.file, offset, len(data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()
        self._atomic.__exit__(kind, error, trace)


def read_bytes(file: str | Path, offset: int, length: int) -> bytes:
    """Return ``length`` bytes of ``file`` from ``offset``.

    Raises:
        EOFError: the file is shorter than the manifest says.
    """
    with open(file, "rb") as handle:
        handle.seek(offset)
        data = handle.read(length)
    if len(data) != length:
        raise EOFError(f"{file}: {length} bytes wanted at {offset}, {len(data)} found; run its stage again")
    return data
