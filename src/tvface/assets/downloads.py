"""Getting the files of ``resources/assets.tsv``: resumed, checked, atomic downloads; safe unpacking of archives."""

from __future__ import annotations

import logging
import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pooch
import requests

from tvface.assets.registry import (
    Asset,
    AssetError,
    asset,
    candidates,
    describe_missing,
    inspect,
    place,
    registry,
    sha256,
    verify,
)
from tvface.files.atomic import atomic

CHUNK = 1 << 16
TIMEOUT_S = 60

_log = logging.getLogger("tvface.assets.registry")


def fetch(name: str, folder: Path | None = None) -> Path:
    """Download one file of the registry, unless it is present and correct; return its path.

    A broken download is resumed by the next call. The file appears under its name only after size and sha256 agree.

    Args:
        name: asset.
        folder: where to put it; by default where the run looks for it.

    Raises:
        AssetError: the file is walled (the message says how to get it), no address works, or the checksum is wrong.
    """
    row = asset(name)
    target = Path(folder, Path(row.file).name) if folder is not None else place(name)
    if target.is_file():
        verify(target, row)
        return target
    if row.walled or not row.url:
        raise AssetError(f"{name} cannot be downloaded by a program.\n{describe_missing(row, target)}")
    failures = []
    for address in filter(None, (row.url, row.mirror)):
        try:
            return _retrieve(row, address, target)
        except (requests.RequestException, AssetError, ValueError) as error:
            failures.append(f"{address}: {error}")
            _log.warning("%s: %s", address, error)
    listed = "\n  ".join(failures)
    raise AssetError(f"{name}: no address gave the file\n  {listed}\nGet it elsewhere and put it at {target}")


def _retrieve(row: Asset, address: str, target: Path) -> Path:
    full = len(row.sha256) == 64
    target.parent.mkdir(parents=True, exist_ok=True)
    pooch.retrieve(
        address,
        known_hash=f"sha256:{row.sha256}" if full else None,
        fname=target.name,
        path=target.parent,
        downloader=_Resuming(row, target.with_name(f".{target.name}.part")),
    )
    return target


class _Resuming:
    """A downloader for pooch that continues a partial file; pooch checks the hash and moves the file into place."""

    def __init__(self, row: Asset, partial: Path) -> None:
        self.row = row
        self.partial = partial

    def __call__(self, address: str, output: str | Any, _pooch: pooch.Pooch | None) -> None:
        done = self.partial.stat().st_size if self.partial.is_file() else 0
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
        with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self.partial.unlink()
                raise requests.RequestException("the partial download did not fit the file; run the command again")
            answer.raise_for_status()
            resumed = answer.status_code == requests.codes.partial_content
            length = answer.headers.get("Content-Length")
            expected = self.row.size if length is None else int(length) + (done if resumed else 0)
            with open(self.partial, "ab" if resumed else "wb") as file:
                for block in answer.iter_content(CHUNK):
                    file.write(block)
        size = self.partial.stat().st_size
        if expected is not None and size < expected:
            raise requests.RequestException(f"{size:,} of {expected:,} bytes came; run the command again to go on")
        try:
            inspect(self.row, self.partial)
            if self.row.sha256:
                verify(self.partial, self.row)
        except AssetError:
            self.partial.unlink()
            raise
        os.replace(self.partial, output)


def add(source: Path) -> list[Path]:
    """Put a downloaded file, or the known files of a zip or tar archive, where the run looks for them.

    A file is known by its name, or by its checksum if a mirror has named it otherwise. Returns the paths written.

    Raises:
        AssetError: not a file of the registry, wrong checksum, or an archive with members that leave their folder.
    """
    by_file = {Path(row.file).name: row for row in registry().values()}
    if source.name in by_file and not source.is_dir():
        return [_put(source, by_file[source.name])]
    if not source.is_file():
        raise AssetError(f"{source}: no such file")
    # A mirror may give the same bytes another name.
    digest = sha256(source)
    same = next((row for row in registry().values() if row.sha256 == digest), None)
    if same is not None:
        return [_put(source, same)]
    if not (zipfile.is_zipfile(source) or tarfile.is_tarfile(source)):
        raise AssetError(f"{source}: neither an archive nor a file of the registry ({', '.join(sorted(by_file))})")
    written = []
    folder = Path(f"{source}.unpacked")
    try:
        for path in unpack(source, folder):
            if path.name in by_file:
                written.append(_put(path, by_file[path.name]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not written:
        raise AssetError(f"{source}: holds none of the files of the registry ({', '.join(sorted(by_file))})")
    return written


def _put(path: Path, row: Asset) -> Path:
    verify(path, row)
    target = next(candidates(row))
    with atomic(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip or tar archive into a new folder; return its files.

    Raises:
        AssetError: a member would be written outside the folder, or is a link or a device.
    """
    folder.mkdir(parents=True)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                _stay_inside(archive, name, folder)
            opened.extractall(folder)
    else:
        with tarfile.open(archive) as opened_tar:
            for member in opened_tar.getmembers():
                _stay_inside(archive, member.name, folder)
                if not (member.isfile() or member.isdir()):
                    raise AssetError(f"{archive}: the member {member.name} is a link or a device; refused")
            opened_tar.extractall(folder, filter="data")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _stay_inside(archive: Path, name: str, folder: Path) -> None:
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise AssetError(f"{archive}: the member {name!r} would be written outside its folder; refused")
