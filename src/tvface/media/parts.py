"""The parts of a split archive as one stream of bytes, checked against a published list of md5 sums on the way.

TVQA's frames come as ``tvqa_video_frames_fps3_hq.tar.gz.aa`` ... ``.bi``, cut by ``split``. They are
read in order, once, never joined on disk; a thread reads ahead and hashes while the caller unpacks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvface.settings import SettingsError

CHUNK = 4 << 20
_AHEAD = 8  # chunks, so 32 MB at most wait
_PART = re.compile(r"(.+\.(?:tar\.gz|tgz))(?:\.([a-z]{2,}))?")
_SUM = re.compile(r"([0-9a-fA-F]{32})[ \t]+[* ]?(.+)")
_LISTS = ("*.txt", "*.md5", "*.md5sum", "*.md5sums")
_LARGEST_LIST = 1 << 20


class ArchiveError(SettingsError):
    """The split archive is incomplete or damaged; the message names the part and says how to mend it."""


@dataclass(frozen=True)
class Part:
    """One file of a split archive: where it is, its size in bytes, its md5 as published (None: not listed)."""

    path: Path
    size: int
    md5: str | None


def find_parts(place: str | Path) -> list[Part]:
    """Return the parts of the split archive in a folder, in order, with their published md5 sums if there is a list.

    Args:
        place: a folder that holds one archive's parts, or one of the parts where a folder holds several archives.

    Raises:
        ArchiveError: there is no archive, there are several, or a part is missing or not on the list.
    """
    place = Path(place)
    folder = place if place.is_dir() else place.parent
    archives: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _PART.fullmatch(path.name)
        if match and path.is_file():
            archives.setdefault(match[1], {})[match[2] or ""] = path
    if not place.is_dir():
        match = _PART.fullmatch(place.name)
        archives = {match[1]: archives[match[1]]} if match and place.is_file() and match[1] in archives else {}
    if not archives:
        raise ArchiveError(
            f"archive: {place} holds no part of a split archive (NAME.tar.gz.aa, .ab, ...; seen from {Path.cwd()}); "
            "point 'archive' at the folder of the downloaded parts"
        )
    split = [stem for stem, parts in archives.items() if set(parts) != {""}]
    if len(split) == 1:  # a whole archive beside it, as TVQA's subtitles, is another one
        archives = {split[0]: archives[split[0]]}
    if len(archives) > 1:
        raise ArchiveError(
            f"archive: {folder} holds several archives ({', '.join(archives)}); "
            "point 'archive' at the first part of one"
        )
    ((stem, parts),) = archives.items()
    if len(parts) > 1 and "" in parts:
        raise ArchiveError(f"archive: {parts['']} and parts of it lie in one folder; move one of them away")
    sums = _published(folder, stem)
    _require_all(folder, [path.name for path in parts.values()], sums)
    return [Part(path, path.stat().st_size, sums.get(path.name)) for path in parts.values()]


def _published(folder: Path, stem: str) -> dict[str, str]:
    """Return the md5 sums of the archive's parts, {name: sum}, from a file as ``md5sum`` writes it; empty without."""
    sums: dict[str, str] = {}
    for path in sorted({path for pattern in _LISTS for path in folder.glob(pattern)}):
        if path.stat().st_size > _LARGEST_LIST:
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = _SUM.fullmatch(line.strip())
            name = Path(match[2]).name if match else ""
            part = _PART.fullmatch(name)
            if match is None or part is None or part[1] != stem:
                continue
            if sums.setdefault(name, match[1].lower()) != match[1].lower():
                raise ArchiveError(f"archive: {path} gives {name} another md5 than an earlier list; keep one list")
    return sums


def _require_all(folder: Path, names: Sequence[str], sums: dict[str, str]) -> None:
    if sums:
        missing = sorted(set(sums) - set(names))
        unknown = sorted(set(names) - set(sums))
        what = f"the list of md5 sums in {folder} names {len(sums)} parts"
        if missing:
            raise ArchiveError(f"archive: {what}; missing: {', '.join(missing)}. Download them again")
        if unknown:
            raise ArchiveError(f"archive: {what}, but not {', '.join(unknown)}; move what does not belong there away")
        return
    # Without a list, gaps between the suffixes show missing parts; a missing end shows when the stream is read.
    suffixes = [name.rpartition(".")[2] for name in names]
    if len(names) == 1 and not re.search(r"\.(?:tar\.gz|tgz)\.[a-z]+$", names[0]):
        return
    for expected, suffix, name in zip(_suffixes(len(suffixes[0])), suffixes, names, strict=False):
        if suffix != expected:
            stem = name.removesuffix(suffix)
            raise ArchiveError(f"archive: the part {folder / (stem + expected)} is missing; download it again")


def _suffixes(length: int) -> Iterator[str]:
    """Yield aa, ab, ... zz, as ``split`` counts."""
    for number in range(26**length):
        yield "".join(chr(ord("a") + number // 26**place % 26) for place in reversed(range(length)))


class PartStream(io.RawIOBase):
    """The bytes of all parts one after the other, hashed on the way; use it in a ``with`` block.

    ``consumed`` counts the bytes handed out; ``verified`` counts those of parts that were handed out whole and whose
    md5 agrees with the list (or is not listed); ``checked`` are these parts, with their md5. Memory stays below 40 MB.

    Raises:
        ArchiveError: on reading, behind the last byte of a part whose md5 is wrong, or where a part cannot be read.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = list(parts)
        self.consumed = 0
        self.verified = 0
        self.checked: list[Part] = []
        self._queue: queue.Queue[bytes | Part | ArchiveError | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._chunk = memoryview(b"")
        self._ended = False
        self._thread = threading.Thread(target=self._read_ahead, name="archive", daemon=True)
        self._thread.start()

    @property
    def total(self) -> int:
        """Bytes in all parts."""
        return sum(part.size for part in self.parts)

    @property
    def current(self) -> Part:
        """The part of the last byte that was handed out."""
        end = 0
        for part in self.parts:
            end += part.size
            if self.consumed <= end:
                return part
        return self.parts[-1]

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        """Fill part of a buffer; return how many bytes, 0 at the end."""
        while not self._chunk and not self._ended:
            self._next()
        count = min(len(buffer), len(self._chunk))
        buffer[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        self.consumed += count
        return count

    def finish_part(self) -> None:
        """Skip the rest of the current part, so that its md5 is checked.

        Raises:
            ArchiveError: its md5 is wrong.
        """
        verified = self.verified
        while self.verified == verified and not self._ended:
            self._next()

    def close(self) -> None:
        """Stop reading ahead."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
        super().close()

    def _next(self) -> None:
        entry = self._queue.get()
        if isinstance(entry, bytes):
            self._chunk = memoryview(entry)
        elif isinstance(entry, Part):
            self.checked.append(entry)
            self.verified += entry.size
        elif isinstance(entry, ArchiveError):
            self._ended = True
            raise entry
        else:
            self._ended = True

    def _read_ahead(self) -> None:
        with contextlib.suppress(_ReaderLeft):
            try:
                for part in self.parts:
                    self._put(self._read(part))
            except ArchiveError as error:
                self._put(error)
            finally:
                self._put(None)

    def _read(self, part: Part) -> Part:
        """Hand out one part; return it with its md5."""
        total = hashlib.md5(usedforsecurity=False)
        try:
            with open(part.path, "rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    total.update(chunk)
                    self._put(chunk)
        except OSError as error:
            raise ArchiveError(f"archive: {part.path} cannot be read ({error}); download this part again") from error
        if part.md5 is not None and total.hexdigest() != part.md5:
            raise ArchiveError(
                f"archive: {part.path} is damaged: its md5 is {total.hexdigest()}, published is {part.md5}; download "
                "this part again. What was finished before it is kept"
            )
        return dataclasses.replace(part, md5=total.hexdigest())

    def _put(self, entry: bytes | Part | ArchiveError | None) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=0.1)
                return
            except queue.Full:
                continue
        raise _ReaderLeft


class _ReaderLeft(Exception):
    """The consumer has stopped reading."""
