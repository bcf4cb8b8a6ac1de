"""The status of every file of the registry, for ``tvface assets check``.

torch is imported only if there is a file to load.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tvface.assets import registry as assets
from tvface.assets.head_needs import ASSETS as HEAD_ASSETS
from tvface.assets.registry import Asset, AssetError, Need
from tvface.dag.needs import needs
from tvface.settings import Settings


@dataclass(frozen=True)
class Tensors:
    """Numbers of tensors of one network (or arrays of a head file): loaded, unused by it, missing from the file.

    ``left_over`` names the first few of the unused and the missing.
    """

    source: str
    loaded: int
    unused: int
    missing: int
    left_over: str


@dataclass(frozen=True)
class Status:
    """The status of one file of the registry.

    ``state``: ``present``, ``missing`` or ``damaged``. ``size`` in bytes. ``checksum``: the result of comparing the
    sha256, or the expected one. ``needed``: the setting that asks for the file, or empty. ``converted``: where the head
    stage put it, or that it is read as it is. ``problem``: why it is damaged, or why this run lacks it. ``instead``:
    files that can take its place.
    """

    name: str
    state: str
    path: str
    size: int | None
    sha256: str
    checksum: str
    licence: str
    used_by: str
    needed: str
    converted: str
    tensors: tuple[Tensors, ...]
    problem: str
    how_to_get: str
    instead: str

    def text(self) -> str:
        """Return one block of lines for a terminal; the first is name, state and whether this run needs the file."""
        lines = [
            f"{self.name:20} {self.state:8} {f'needed: {self.needed}' if self.needed else 'not needed by this run'}"
        ]
        if self.size is None:
            lines.append(f"    put it at {self.path} ({self.checksum})")
            lines.append(f"    get it    {self.how_to_get}")
            if self.instead:
                lines.append(f"    or take   {self.instead}")
        else:
            lines.append(f"    file      {self.path} ({self.size:,} bytes; {self.checksum})")
            lines += [
                f"    tensors   {part.loaded} loaded, {part.unused} unused, {part.missing} missing ({part.source})"
                + (f"\n              {part.left_over}" if part.left_over else "")
                for part in self.tensors
            ]
            lines.append(f"    converted {self.converted}")
        lines.append(f"    licence   {self.licence}")
        lines.append(f"    used by   {self.used_by}")
        if self.problem:
            lines.append(f"    PROBLEM   {self.problem}")
        return "\n".join(lines)

    def as_mapping(self) -> dict[str, object]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)


def check(settings: Settings, *, load: bool = True) -> Iterator[Status]:
    """Yield the status of every file of the registry, in its order.

    Args:
        settings: of the run whose needs count.
        load: load every present file into its network; otherwise only its size and checksum are checked.
    """
    needed = {need.asset.name: need for need in needs(settings)}
    head = Path(settings.results, "head", "head.npz")
    parents = _parents(head)
    for row in assets.registry().values():
        yield _status(row, needed.get(row.name), head, parents, load)


def _status(row: Asset, need: Need | None, head: Path, parents: frozenset[str], load: bool) -> Status:
    path = need.path if need is not None else assets.place(row.name)
    fields = {
        "name": row.name,
        "path": str(path),
        "licence": row.licence,
        "used_by": row.used_by,
        "needed": need.setting if need is not None else "",
        "how_to_get": assets.describe_way(row),
        "instead": assets.describe_stand_ins(row),
    }
    if not path.is_file():
        problem = (
            f"{row.name} is needed because of {need.setting}; without it: {need.avoid}" if need is not None else ""
        )
        return Status(
            state="missing",
            size=None,
            sha256="",
            checksum=assets.describe_expected(row),
            converted="",
            tensors=(),
            problem=problem,
            **fields,  # type: ignore[arg-type]
        )
    digest = assets.sha256(path)
    checksum, problem = _checksum(row, path, digest)
    tensors: tuple[Tensors, ...] = ()
    if load and "web page" not in problem:
        tensors, unloadable = _load(row, path)
        problem = "; ".join(filter(None, (problem, unloadable)))
    return Status(
        state="damaged" if problem else "present",
        size=path.stat().st_size,
        sha256=digest,
        checksum=checksum,
        converted=_converted(row, digest, head, parents),
        tensors=tensors,
        problem=problem,
        **fields,  # type: ignore[arg-type]
    )


def _checksum(row: Asset, path: Path, digest: str) -> tuple[str, str]:
    """Return the result of comparing the checksum, and what is wrong with the file (empty: nothing)."""
    try:
        assets.check([(row, path)])
    except AssetError as error:
        return "not compared", str(error)
    if not row.sha256:
        return "sha256 not published", ""
    if path.name != Path(row.file).name:
        return f"another file than {Path(row.file).name}: sha256 not compared", ""
    if digest.startswith(row.sha256):
        return "sha256 verified" if len(row.sha256) == 64 else f"sha256 begins {row.sha256}, as published", ""
    if not row.url:
        return f"sha256 is {digest}: another training than the one that comes with tvface", ""
    return f"sha256 is {digest}", f"{path}: not the published file, whose sha256 is {row.sha256}; get it again"


def _load(row: Asset, path: Path) -> tuple[tuple[Tensors, ...], str]:
    from tvface.assets.reports import some
    from tvface.cli import asset_loading
    from tvface.head.data import HeadError
    from tvface.model.weights_files import WeightsError as TrainedWeightsError
    from tvface.networks.bundles import WeightsError
    from tvface.networks.files import CheckpointError

    try:
        reports = asset_loading.loader(row.name)(path)
    except (CheckpointError, HeadError, WeightsError, TrainedWeightsError) as error:
        return (), str(error)
    tensors = []
    for report in reports:
        parts = [f"{label} {some(names, 4)}" for label in ("unused", "missing") if (names := getattr(report, label))]
        counts = (len(report.loaded), len(report.unused), len(report.missing))
        tensors.append(Tensors(Path(report.source).name, *counts, "; ".join(parts)))
    return tuple(tensors), ""


def _parents(head: Path) -> frozenset[str]:
    """Return the digests of the files that the run's head was made from; none if there is no head yet."""
    from tvface.head.data import HeadData, HeadError

    try:
        provenance = HeadData.load(head).notes.get("provenance", {})
    except (FileNotFoundError, HeadError):
        return frozenset()  # the head stage itself reports what is wrong with its output
    return frozenset(provenance.get("parents", {}).values())


def _converted(row: Asset, digest: str, head: Path, parents: frozenset[str]) -> str:
    if not {row.name, row.stands_for} & HEAD_ASSETS:
        return "no need: it is read as it is"
    return f"yes, in {head}" if digest in parents else f"not yet: 'snakemake head' writes {head}"
