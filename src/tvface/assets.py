"""Weights and licensed files: the registry ``resources/assets.tsv``, where each file belongs, and what a run needs.

Nothing here imports a network library: Snakemake asks :func:`require` while it builds the DAG, so that a missing file
stops the run before the first job.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tvface.settings import Settings
from tvface.stages.table import warm_start_files

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "resources" / "assets.tsv"

# A folder that is looked in first, for weights shared by many checkouts.
FOLDER_VARIABLE = "TVFACE_WEIGHTS"

_OWN = "features"
"""Name of weights of an earlier run of the user's, which no registry knows."""

_HTML = (b"<!doctype", b"<html", b"<?xml")


class AssetError(RuntimeError):
    """A weight or licensed file is missing, damaged or not the one in the registry; the message says how to mend it."""


class MissingAsset(AssetError):
    """A weight or licensed file is not there; the message names file, licence, address and place."""


@dataclass(frozen=True)
class Asset:
    """One row of the registry.

    ``file`` is relative to ``resources``. ``size`` in bytes; None and an empty ``sha256`` mean that nobody has
    published them; ``sha256`` may be the first digits only, as published in a file name. ``url`` is empty for what
    belongs to the project itself. ``stands_for`` names the asset whose place this file can take: the same network in
    another layout, or another training of it.
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


@dataclass(frozen=True)
class Need:
    """A file that the settings of a run ask for: by which stage, at which path, and which setting avoids it."""

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
    )


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
    """Return where the file of ``name`` is, or where it belongs if it is nowhere."""
    paths = list(candidates(asset(name)))
    return next((path for path in paths if path.is_file()), paths[0])


def stand_ins(name: str) -> list[Asset]:
    """Return the assets whose file can take the place of the one of ``name``."""
    return [row for row in registry().values() if row.stands_for == name]


def named(name: str, path: Path) -> Asset:
    """Return the asset, of ``name`` and its stand-ins, whose file name a path has; by default the one of ``name``."""
    return next((row for row in stand_ins(name) if Path(row.file).name == path.name), asset(name))


def find(name: str) -> tuple[Asset, Path]:
    """Return the asset of ``name`` and its path, or those of the first stand-in that is there if it is not."""
    for row in (asset(name), *stand_ins(name)):
        if place(row.name).is_file():
            return row, place(row.name)
    return asset(name), place(name)


def locate(name: str) -> Path:
    """Return the path of a weight file, or of one that can take its place.

    Raises:
        MissingAsset: it is not there; the message names file, licence, address and place.
        AssetError: a web page was saved in its place, or the size is wrong.
    """
    row, path = find(name)
    if not path.is_file():
        raise MissingAsset(f"{name}: {describe_missing(row, path)}")
    inspect(row, path)
    return path


def describe_missing(row: Asset, path: Path) -> str:
    """Return what to do about a missing file: file, licence, address, place, checksum."""
    instead = f"\n    instead of it: {others}" if (others := describe_stand_ins(row)) else ""
    licence, way, expected = row.licence, describe_way(row), describe_expected(row)
    return f"{path} is missing\n    licence: {licence}\n    {way}\n    ({expected}){instead}"


def describe_way(row: Asset) -> str:
    """Return how a file is got."""
    if not row.url:
        if row.name == _OWN:
            return "weights of an earlier training of yours: results/train/<model>/coarse/weights.safetensors"
        made_by = "features" if row.name.startswith("features") else "train"
        return f"it belongs to tvface: restore it with git, or make it: python -m tvface.compact.{made_by} --help"
    if row.walled:
        return f"get it at {row.url} (registration or a form), then put it there"
    return f"run 'tvface assets fetch {row.name}', or get it at {row.url} and put it there"


def describe_stand_ins(row: Asset) -> str:
    """Return the assets whose file can take the place of this one's, or nothing."""
    return ", ".join(f"{other.name} ({Path(other.file).name})" for other in stand_ins(row.name))


def describe_expected(row: Asset) -> str:
    """Return what has been published of a file's checksum and size."""
    size = f", {row.size:,} bytes" if row.size is not None else ""
    if not row.sha256:
        return f"sha256 not published{size}"
    return f"sha256 {row.sha256 if len(row.sha256) == 64 else f'begins {row.sha256}'}{size}"


def inspect(row: Asset, path: Path) -> None:
    """Check a file without reading it whole: it is no web page, and it has the registered size.

    Raises:
        AssetError: it is a saved web page (a login or quota page), or its size is wrong.
    """
    with open(path, "rb") as file:
        head = file.read(64).lstrip().lower()
    if head.startswith(_HTML):
        raise AssetError(
            f"{path}: this is a web page, not {row.file}: the site answered with a login or error page. "
            f"Delete it, then get the file at {row.url} in a browser after signing in"
        )
    size = path.stat().st_size
    if row.size is not None and size != row.size:
        raise AssetError(
            f"{path}: {size:,} bytes, but {row.name} has {row.size:,}; the download was cut short or is another file. "
            f"Delete it and {'get it again at ' + row.url if row.walled else f'run: tvface assets fetch {row.name}'}"
        )


def sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: str | Path, row: Asset | None = None) -> str:
    """Return the sha256 of a file after comparing it with the registry.

    Args:
        path: the file.
        row: the asset it should be; by default the one of that file name.

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
    found = sha256(path)
    if not found.startswith(row.sha256):
        raise AssetError(
            f"{path}: sha256 {found}, but {row.name} has {row.sha256}; it is damaged or another version. Delete it and "
            f"get it again at {row.url}"
        )
    return found


_WARM_STARTS = {"deca": "deca_model", "resnet50": "imagenet_resnet50", "basicvsr": "basicvsr"}


def needs(settings: Settings) -> list[Need]:
    """Return every weight and licensed file that these settings ask for, in data-flow order."""
    found: list[Need] = []

    def add(name: str, stage: str, setting: str, avoid: str, path: str | None = None) -> None:
        row, where = (named(name, Path(path)), Path(path)) if path else find(name)
        found.append(Need(row, stage, where, setting, avoid))

    if settings.head.model == "human":
        add("human_head", "head", "head.model: human", "head.model: generic")
    if settings.head.model == "flame":
        chosen, avoid = "head.model: flame", "head.model: generic"
        add("flame", "head", chosen, avoid, settings.head.flame)
        add("head_template", "head", chosen, avoid, settings.head.template)
        add("landmark_embedding", "head", chosen, avoid, settings.head.embedding)
        add("face_mask", "head", chosen, avoid, settings.head.face_mask)
        add("face_eye_mask", "head", chosen, avoid, settings.head.face_eye_mask)
        add("fixed_displacement", "head", chosen, avoid, settings.head.fixed_displacement)
        if settings.head.albedo is not None:
            add("flame_albedo", "head", "head.albedo", "head.albedo: null (the generic albedo)", settings.head.albedo)
        if settings.head.dense_template is not None:
            avoid = "head.dense_template: null (made from the UV layout)"
            add("dense_template", "head", "head.dense_template", avoid, settings.head.dense_template)
    if settings.faces.embedder == "compact":
        add("compact_identity", "faces", "faces.embedder: compact", "faces.embedder: appearance")
    if settings.faces.embedder == "inception_resnet":
        add("inception_resnet", "faces", "faces.embedder: inception_resnet", "faces.embedder: appearance")
    if settings.landmarks.backend == "compact":
        add("compact_landmarks", "landmarks", "landmarks.backend: compact", "landmarks.backend: fan")
    if settings.landmarks.backend == "fan":
        add("fan", "landmarks", "landmarks.backend: fan", "landmarks.backend: compact")
    if settings.masks.backend == "compact":
        add("compact_parser", "masks", "masks.backend: compact", "masks.backend: bisenet")
    if settings.masks.backend == "bisenet":
        add("bisenet", "masks", "masks.backend: bisenet", "masks.backend: compact")
    flow = settings.dataset.flow
    tuned = settings.train.temporal.flow == "tuned" and "temporal" in settings.train.models
    for wanted, stage, setting, avoid in (
        (flow.backend == "spynet", "dataset", "dataset.flow.backend: spynet", "dataset.flow.backend: dis"),
        (tuned, "train", "train.temporal.flow: tuned", "train.temporal.flow: stored"),
    ):
        if not wanted:
            continue
        add("spynet", stage, setting, avoid, flow.weights)
        if found[-1].asset.name == "spynet_torch7_1":
            for level in range(2, 7):
                row = asset(f"spynet_torch7_{level}")
                add(row.name, stage, setting, avoid, str(Path(flow.weights).with_name(Path(row.file).name)))
    for model in settings.train.models:
        given = warm_start_files(settings, model).get("features")
        if given is None:
            continue
        setting, avoid = f"train.warm_start.features: {given}", "train.warm_start.features: null"
        if Path(given).name == Path(asset(f"features_{model}").file).name:
            add(f"features_{model}", "train", setting, avoid, given)
        else:
            own = Asset(_OWN, given, "", "", None, "", "your own", False, "train.warm_start.features")
            found.append(Need(own, "train", Path(given), setting, avoid))
    for name, asset_name in _WARM_STARTS.items():
        start = getattr(settings.train.warm_start, name)
        if start is not None and (name != "basicvsr" or "temporal" in settings.train.models):
            setting = f"train.warm_start.{name}"
            add(asset_name, "train", f"{setting}: {start}", f"{setting}: null", start)
    for phase in ("coarse", "detail"):
        weights = getattr(settings.train, phase).weights
        if weights.identity > 0:
            setting = f"train.{phase}.weights.identity"
            add("vggface2", "train", f"{setting}: {weights.identity:g}", f"{setting}: 0")
        if weights.mrf > 0 and phase == "detail":
            setting = f"train.{phase}.weights.mrf"
            add("vgg19", "train", f"{setting}: {weights.mrf:g}", f"{setting}: 0")
    return found


def require(settings: Settings, stage: str | None = None) -> list[Path]:
    """Return the files that a stage needs (all stages: None), after checking all of them.

    Everything that is missing in the whole run is listed at once; nothing is raised if only other stages miss files.

    Raises:
        MissingAsset: the stage misses a file; the message names file, licence, address, place and the setting that
            avoids it.
        AssetError: a file is there but is a saved web page or has the wrong size.
    """
    wanted = needs(settings)
    mine = [need for need in wanted if stage is None or need.stage == stage]
    for need in mine:
        if need.path.is_file():
            inspect(need.asset, need.path)
    if any(not need.path.is_file() for need in mine):
        missing = [need for need in wanted if not need.path.is_file()]
        raise MissingAsset("files are missing that these settings ask for\n" + "\n".join(map(_line, missing)))
    return list(dict.fromkeys(need.path for need in mine))


def _line(need: Need) -> str:
    return (
        f"- {need.asset.name} (stage {need.stage}, because of {need.setting}): "
        f"{describe_missing(need.asset, need.path)}\n    without it: {need.avoid}"
    )
