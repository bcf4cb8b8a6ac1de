"""Parquet manifests: a declared schema, validated on write and on read, with provenance in the file's metadata.

A manifest is a pandas frame on disk in Parquet. Its file metadata (key ``tvface``) holds a :class:`Provenance`:
what made it, from which parents, with which settings, code, weights and versions, and how many rows were dropped
for which reason. The same inputs give the same bytes: no time, host or user is recorded. Files appear atomically.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tvface.files.atomic import atomic
from tvface.files.digests import digest
from tvface.files.relative import project_path, without_absolute_paths

METADATA_KEY = b"tvface"
_VERSIONED = (
    "tvface",
    "torch",
    "torchvision",
    "facenet-pytorch",
    "face-alignment",
    "opencv-python-headless",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-image",
    "scikit-learn",
    "av",
)


class ManifestError(ValueError):
    """A manifest breaks its contract; the message names file, column and row."""


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: name, Arrow type, meaning, unit, inclusive range; ``length`` for lists of fixed length."""

    name: str
    type: pa.DataType
    doc: str
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    nullable: bool = False
    length: int | None = None


@dataclasses.dataclass(frozen=True)
class Schema:
    """The contract of one stage's manifest; ``key`` columns are unique together and give the order of rows."""

    stage: str
    version: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def arrow(self) -> pa.Schema:
        """The columns as an Arrow schema."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    def empty(self) -> pd.DataFrame:
        """Return a frame without rows that has every column."""
        return self.arrow.empty_table().to_pandas()


@dataclasses.dataclass(frozen=True)
class Provenance:
    """The origin of a manifest.

    ``parents`` maps project-relative paths to sha256 digests. ``seed`` is None where nothing is random. Absolute paths
    in settings and notes become project-relative too.
    """

    stage: str
    settings: Mapping[str, Any]
    code: str = ""
    parents: Mapping[str, str] = dataclasses.field(default_factory=dict)
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
    backend: str = ""
    seed: int | None = None
    dropped: Mapping[str, int] = dataclasses.field(default_factory=dict)
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("settings", "notes"):
            object.__setattr__(self, name, without_absolute_paths(getattr(self, name)))


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A manifest in memory: rows and provenance (a plain mapping as stored)."""

    rows: pd.DataFrame
    provenance: Mapping[str, Any]
    path: Path

    @property
    def dropped(self) -> dict[str, int]:
        """Number of dropped rows by reason."""
        return dict(self.provenance["dropped"])


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that shape results; absent ones are left out."""
    versions = {}
    for name in _VERSIONED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def write(path: str | Path, schema: Schema, rows: pd.DataFrame, provenance: Provenance) -> None:
    """Validate rows, sort them by key and write them atomically.

    Args:
        path: of the manifest.
        schema: of its stage.
        rows: with the columns of ``schema``, any order.
        provenance: stored in the metadata.

    Raises:
        ManifestError: missing or unknown column, wrong type, value out of range, repeated key.
    """
    table = _validated(schema, rows, str(path))
    stored = {**dataclasses.asdict(provenance), "schema_version": schema.version, "versions": library_versions()}
    text = json.dumps(stored, sort_keys=True, default=_plain)
    table = table.replace_schema_metadata({METADATA_KEY: text.encode()})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read(path: str | Path, schema: Schema) -> Manifest:
    """Read and validate a manifest.

    Raises:
        ManifestError: the file is not a manifest of this stage and version, or breaks the schema.
    """
    path = Path(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ManifestError(f"{path}: not a readable manifest ({error}); delete it and run its stage again") from error
    provenance = _stored_provenance(table.schema.metadata, schema, path)
    rows = table.to_pandas()
    _validated(schema, rows, str(path))
    return Manifest(rows, provenance, path)


def read_provenance(path: str | Path, schema: Schema) -> Mapping[str, Any]:
    """Read the provenance of a manifest without its rows.

    Raises:
        ManifestError: the file is not a manifest of this stage and version.
    """
    path = Path(path)
    try:
        metadata = pq.read_metadata(path).metadata
    except (pa.ArrowInvalid, OSError) as error:
        raise ManifestError(f"{path}: not a readable manifest ({error}); delete it and run its stage again") from error
    return _stored_provenance(metadata, schema, path)


def _stored_provenance(stored: Mapping[bytes, bytes] | None, schema: Schema, path: Path) -> Mapping[str, Any]:
    metadata = (stored or {}).get(METADATA_KEY)
    if metadata is None:
        raise ManifestError(f"{path}: a Parquet file without tvface provenance; was it written by another tool?")
    provenance: dict[str, Any] = json.loads(metadata)
    if provenance["stage"] != schema.stage or provenance["schema_version"] != schema.version:
        raise ManifestError(
            f"{path}: holds {provenance['stage']} version {provenance['schema_version']}, expected "
            f"{schema.stage} version {schema.version}; run its stage again"
        )
    return provenance


def read_all(paths: Sequence[str | Path], schema: Schema) -> pd.DataFrame:
    """Read several manifests of one stage and return their rows together, in the order of ``paths``."""
    parts = [part for part in (read(path, schema).rows for path in paths) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else schema.empty()


def parents(*paths: str | Path | Sequence[str | Path]) -> dict[str, str]:
    """Return {project-relative path: sha256} of files, for :class:`Provenance`."""
    flat: list[str | Path] = []
    for path_or_paths in paths:
        flat.extend([path_or_paths] if isinstance(path_or_paths, str | Path) else path_or_paths)
    return {project_path(path): digest(path) for path in flat}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return project_path(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"provenance cannot hold {type(value).__name__}")


def _validated(schema: Schema, rows: pd.DataFrame, where: str) -> pa.Table:
    names = [column.name for column in schema.columns]
    missing = [name for name in names if name not in rows.columns]
    unknown = [str(name) for name in rows.columns if name not in names]
    if missing or unknown:
        raise ManifestError(f"{where}: missing columns {missing}, unknown columns {unknown}")
    rows = rows[names].sort_values(list(schema.key), kind="stable").reset_index(drop=True)
    arrays = []
    for column in schema.columns:
        try:
            array = pa.array(list(rows[column.name]), type=column.type, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, OverflowError) as error:
            raise ManifestError(f"{where}: column {column.name} does not hold {column.type}: {error}") from error
        if array.null_count and not column.nullable:
            raise ManifestError(f"{where}: column {column.name} has {array.null_count} empty values")
        _check_range(column, array, where)
        arrays.append(array)
    table = pa.Table.from_arrays(arrays, schema=schema.arrow)
    if rows.duplicated(list(schema.key)).any():
        first = rows.loc[rows.duplicated(list(schema.key)), list(schema.key)].iloc[0].to_dict()
        raise ManifestError(f"{where}: the key {first} appears twice")
    return table


def _check_range(column: Column, array: pa.Array, where: str) -> None:
    values = array
    if pa.types.is_list(array.type):
        if column.length is not None:
            lengths = np.diff(array.offsets.to_numpy())
            lengths = lengths[array.is_valid().to_numpy(zero_copy_only=False)]
            if (lengths != column.length).any():
                raise ManifestError(f"{where}: column {column.name} needs lists of {column.length} values")
        values = array.flatten()
    if column.low is None and column.high is None:
        return
    numbers = values.drop_null().to_numpy(zero_copy_only=False)
    bad = np.zeros(len(numbers), bool)
    if column.low is not None:
        bad |= ~(numbers >= column.low)
    if column.high is not None:
        bad |= ~(numbers <= column.high)
    if bad.any():
        raise ManifestError(
            f"{where}: column {column.name} holds {numbers[bad][0]!r}, outside {column.low} .. {column.high}"
            f"{' ' + column.unit if column.unit else ''}"
        )
