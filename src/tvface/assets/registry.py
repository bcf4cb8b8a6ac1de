"""Weights and licensed files: the registry ``resources/assets.tsv``, and the lookup of the file of each row.

:func:`located` is the only lookup: the check before the first job uses it (:mod:`tvface.dag.needs`), and so does every
job that loads a file. Nothing here imports a network library, because Snakemake calls it while it builds the DAG.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tvface.files.atomic import atomic
from tvface.files.digests import digest
from tvface.files.heads import is_web_page, safetensors_size

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "resources" / "assets.tsv"

# Environment variable with a folder that is searched first, for weights shared by many checkouts.
FOLDER_VARIABLE = "TVFACE_WEIGHTS"


class AssetError(RuntimeError):
    """A weight or licensed file is missing, damaged or not the one in the registry; the message says how to mend it."""


class MissingAsset(AssetError):
    """A weight or licensed file is not there; the message names file, licence, address and place."""


@dataclass(frozen=True)
class Asset:
    """One row of the registry.

    ``file`` is relative to ``resources``. ``size`` in bytes; None and an empty ``sha256`` mean that they are not
    published; ``sha256`` may be the first digits only, as published in a file name. ``url`` is empty for files that
    belong to the project. ``stands_for`` names the asset that this file can replace: the same network in another
    layout, or another training of it; ``part_of`` the asset beside whose file this one belongs. ``made_by`` describes
    how the user makes a file that is not in the registry.
    """

    name: str
    file: str
    url: str
    mirror: str
    size: int | None
    sha256: str
    licence: str
    walled: bool
    used_by: str
    stands_for: str = ""
    part_of: str = ""
    made_by: str = ""


@dataclass(frozen=True)
class Need:
    """A file that the settings of a run require: its stage, its path, the setting that requires it, and its remedy.

    ``setting`` is the setting that requires the file, ``avoid`` the value of a setting that makes it unnecessary.
    """

    asset: Asset
    stage: str
    path: Path
    setting: str
    avoid: str


@functools.cache
def registry() -> dict[str, Asset]:
    """Return the registry by name."""
    with open(TABLE, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {row["name"]: _asset(row) for row in rows}


def _asset(row: dict[str, str]) -> Asset:
    if row["walled"] not in ("yes", "no"):
        raise AssetError(f"{TABLE}: {row['name']}: 'walled' is yes or no, not {row['walled']!r}")
    return Asset(
        name=row["name"],
        file=row["file"],
        url=row["url"],
        mirror=row["mirror"],
        size=int(row["bytes"]) if row["bytes"] else None,
        sha256=row["sha256"],
        licence=row["licence"],
        walled=row["walled"] == "yes",
        used_by=row["used_by"],
        stands_for=row.get("stands_for") or "",
        part_of=row.get("part_of") or "",
    )


def record(path: Path, table: Path = TABLE) -> None:
    """Write size and digest of a file of tvface's own into its row of the table; a file without a row is left alone."""
    relative = os.path.relpath(path.resolve(), table.parent.resolve())
    lines = table.read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    for number, line in enumerate(lines):
        values = line.split("\t")
        if values[names.index("file")] == relative:
            values[names.index("bytes")], values[names.index("sha256")] = str(path.stat().st_size), digest(path)
            lines[number] = "\t".join(values)
            break
    else:
        return
    with atomic(table) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    registry.cache_clear()


def asset(name: str) -> Asset:
    """Return one row of the registry.

    Raises:
        AssetError: no such name; the message lists the names.
    """
    if name not in registry():
        raise AssetError(f"no asset '{name}' in {TABLE}; there are: {', '.join(sorted(registry()))}")
    return registry()[name]


def candidates(row: Asset) -> Iterator[Path]:
    """Yield the paths where a file is looked for, in order; a missing file belongs at the first."""
    if os.environ.get(FOLDER_VARIABLE):
        yield Path(os.environ[FOLDER_VARIABLE], Path(row.file).name)
    yield Path("resources", row.file)
    yield ROOT / "resources" / row.file


def place(name: str) -> Path:
    """Return the path of the file of ``name``, or where it belongs if it is missing."""
    paths = list(candidates(asset(name)))
    return next((path for path in paths if path.is_file()), paths[0])


def stand_ins(name: str) -> list[Asset]:
    """Return the assets whose file can replace that of ``name``."""
    return [row for row in registry().values() if row.stands_for == name]


def _alone(path: Path) -> list[Path]:
    return [path]


def located(
    name: str, configured: str | Path | None = None, files: Callable[[Path], list[Path]] = _alone
) -> list[tuple[Asset, Path]]:
    """Return the files of an asset, each with its row of the registry; they may be missing.

    Args:
        name: of the asset.
        configured: the path in the settings. None: where the registry finds the asset, or else the first stand-in that
            is present. The registered place of the asset or of a stand-in (``resources/weights/...``): where the
            registry finds that one. Another path: that path.
        files: returns all files of the asset from the path of one of them.

    Returns:
        Rows and paths; the file to load comes first.

    Raises:
        AssetError: no such name, or ``files`` raises ValueError.
    """
    rows = [asset(name), *stand_ins(name)]
    if configured is None:
        path = next((place(row.name) for row in rows if place(row.name).is_file()), place(name))
    else:
        path = Path(configured)
        path = next((place(row.name) for row in rows if path == Path("resources", row.file)), path)
    try:
        paths = files(path)
    except ValueError as error:
        raise AssetError(f"{name}: {error}") from error
    rows_by_name = {
        Path(row.file).name: row for row in (*(registry().values() if len(paths) > 1 else ()), *reversed(rows))
    }
    return [(rows_by_name.get(file.name, rows[0]), file) for file in paths]


def locate(name: str, configured: str | Path | None = None) -> Path:
    """Return the path of a file that is present and looks right, for loading it.

    Args:
        name, configured: as in :func:`located`.

    Raises:
        MissingAsset: it is missing; the message names file, licence, address and place.
        AssetError: a web page was saved in its place, or it is truncated.
    """
    files = located(name, configured)
    check(files)
    return files[0][1]


def check(files: Iterable[tuple[Asset, Path]]) -> None:
    """Check the files that a run will load, without reading them whole.

    Raises:
        MissingAsset, AssetError: as :func:`locate`.
    """
    for row, path in files:
        if not path.is_file():
            raise MissingAsset(f"{row.name}: {describe_missing(row, path)}")
        if is_published(row, path):
            inspect(row, path)
        else:
            _refuse_web_page(row, path)
            if path.suffix == ".safetensors" and path.stat().st_size != safetensors_size(path):
                raise AssetError(f"{path}: no safetensors file, or cut short; restore it or make it again")


def digests(files: Iterable[tuple[Asset, Path]]) -> dict[str, str]:
    """Return the sha256 of files that are about to be loaded, by file name, for the provenance.

    A published file is compared with the registry. A file of another name, or a network of the project that was trained
    anew, is accepted as it is.

    Raises:
        MissingAsset, AssetError: as :func:`locate`; or a published file has another checksum.
    """
    files = list(files)
    check(files)
    return {path.name: verify(path, row) if is_published(row, path) else sha256(path) for row, path in files}


def is_published(row: Asset, path: Path) -> bool:
    """Return whether a path claims, by its name, to hold the registered bytes: a download and not a file of the user.

    The networks of the project do not: they keep their name when they are trained anew.
    """
    return bool(row.url) and path.name == Path(row.file).name


def describe_missing(row: Asset, path: Path) -> str:
    """Return how to mend a missing file: file, licence, address, place, checksum."""
    instead = f"\n    instead of it: {others}" if (others := describe_stand_ins(row)) else ""
    licence, way, expected = row.licence, describe_way(row), describe_expected(row)
    return f"{path} is missing\n    licence: {licence}\n    {way}\n    ({expected}){instead}"


# Bundled file -> module of `tvface.bundled` that makes it, where that is not the common trainer.
_MADE_BY = {"compact_eyes": "eyes", "compact_shape": "shape", "light_prior": "light_prior"}


def describe_way(row: Asset) -> str:
    """Return how to get a file."""
    if row.made_by:
        return row.made_by
    if not row.url:
        made_by = "features" if row.name.startswith("features") else _MADE_BY.get(row.name, "train")
        return f"it belongs to tvface: restore it with git, or make it: python -m tvface.bundled.{made_by} --help"
    if row.walled:
        return f"get it at {row.url} (registration or a form), then put it there"
    return f"run 'tvface assets fetch {row.name}', or get it at {row.url} and put it there"


def describe_stand_ins(row: Asset) -> str:
    """Return the names and files of the assets that can replace this one; empty if there are none."""
    return ", ".join(f"{other.name} ({Path(other.file).name})" for other in stand_ins(row.name))


def describe_expected(row: Asset) -> str:
    """Return the published checksum and size of a file."""
    size = f", {row.size:,} bytes" if row.size is not None else ""
    if not row.sha256:
        return f"sha256 not published{size}"
    return f"sha256 {row.sha256 if len(row.sha256) == 64 else f'begins {row.sha256}'}{size}"


def inspect(row: Asset, path: Path) -> None:
    """Check that a file is not a web page and has the registered size, without reading it whole.

    Raises:
        AssetError: it is a saved web page (a login or quota page), or its size is wrong.
    """
    _refuse_web_page(row, path)
    size = path.stat().st_size
    if row.size is not None and size != row.size:
        raise AssetError(
            f"{path}: {size:,} bytes, but {row.name} has {row.size:,}; the download was cut short or is another file. "
            f"Delete it and {'get it again at ' + row.url if row.walled else f'run: tvface assets fetch {row.name}'}"
        )


def _refuse_web_page(row: Asset, path: Path) -> None:
    if is_web_page(path):
        raise AssetError(
            f"{path}: this is a web page, not {row.file}: the site answered with a login or error page. "
            f"Delete it, then get the file at {row.url} in a browser after signing in"
        )


def sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: str | Path, row: Asset | None = None) -> str:
    """Return the sha256 of a file after comparing it with the registry.

    Args:
        path: the file.
        row: the asset it should be; by default the one with that file name.

    Raises:
        AssetError: unknown file name, saved web page, wrong size or wrong checksum.
    """
    path = Path(path)
    if row is None:
        matches = [entry for entry in registry().values() if Path(entry.file).name == path.name]
        if not matches:
            raise AssetError(f"{path}: no asset of this file name in {TABLE}")
        row = matches[0]
    inspect(row, path)
    digest = sha256(path)
    if not digest.startswith(row.sha256):
        raise AssetError(
            f"{path}: sha256 {digest}, but {row.name} has {row.sha256}; it is damaged or another version. Delete it "
            f"and get it again at {row.url}"
        )
    return digest
