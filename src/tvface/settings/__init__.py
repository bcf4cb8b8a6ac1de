"""All settings of a run. ``load`` reads YAML files (later ones override) into one frozen :class:`Settings`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tvface.settings.base import SettingsError, as_mapping, block, json_schema, option, parse
from tvface.settings.data import Faces, Frames, Identities, Sequences
from tvface.settings.fit import Fit
from tvface.settings.labels import Landmarks, Masks
from tvface.settings.model import Dataset, Head, Train
from tvface.settings.output import Evaluate, Reconstruct, Render, Report
from tvface.settings.synth import Synth

__all__ = [
    "Settings",
    "SettingsError",
    "as_mapping",
    "json_schema",
    "load",
    "merge",
    "nested",
    "parse_settings",
    "read_yaml",
]


@dataclass(frozen=True)
class Settings:
    """One run of the pipeline."""

    results: str = option("results", "folder of everything the run makes")
    videos: str | tuple[str, ...] | None = option(
        None, "video file, folder of videos (each its own show; sub-folders are shows), or list of these"
    )
    tvqa: str | None = option(None, "folder that holds TVQA's *_frames folders")
    archive: str | None = option(
        None, "folder of the parts of TVQA's split archive (*.tar.gz.aa ...); needs a sheet, see `tvface index`"
    )
    shows: tuple[str, ...] = option(("castle", "friends"), "TVQA shows to use")
    sheet: str | None = option(
        None,
        "sample sheet (TSV: show, episode, clip, source; `tvface index` writes it) instead of listing videos and tvqa",
    )
    seed: int = option(0, "seed of everything random", low=0)
    device: str = option("auto", "auto, cpu or cuda")
    synth: Synth = block(Synth)
    frames: Frames = block(Frames)
    faces: Faces = block(Faces)
    identities: Identities = block(Identities)
    sequences: Sequences = block(Sequences)
    landmarks: Landmarks = block(Landmarks)
    masks: Masks = block(Masks)
    head: Head = block(Head)
    fit: Fit = block(Fit)
    dataset: Dataset = block(Dataset)
    train: Train = block(Train)
    reconstruct: Reconstruct = block(Reconstruct)
    evaluate: Evaluate = block(Evaluate)
    render: Render = block(Render)
    report: Report = block(Report)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``over`` on top, block by block."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def nested(name: str, value: Any) -> dict[str, Any]:
    """Return the mapping in which the setting of a dotted name has a value."""
    block, dot, rest = name.partition(".")
    return {block: nested(rest, value) if dot else value}


def parse_settings(mapping: Mapping[str, Any]) -> Settings:
    """Build the settings from a nested mapping, as Snakemake's ``config``."""
    return parse(Settings, mapping)


class _Loader(yaml.SafeLoader):
    """Refuses a key that occurs twice in one block: YAML libraries silently keep the last one.

    DECA's ``deca_detail.yml`` lost its batch size that way.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, yaml.Mark] = {}
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise SettingsError(
                    f"'{key.value}' occurs twice in one block, in line {seen[key.value].line + 1} and in line "
                    f"{key.start_mark.line + 1}; remove one of them"
                )
            seen[str(key.value)] = key.start_mark
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the nested mapping of a configuration file.

    Raises:
        SettingsError: the file is missing, is not YAML, or has a key twice.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: no such configuration file")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    if not isinstance(content, Mapping):
        raise SettingsError(f"{path}: expected 'key: value' lines at the top level")
    return dict(content)


def load(paths: Iterable[str | Path], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read YAML files in order, later ones on top, then ``overrides``.

    Raises:
        SettingsError: a file is missing, is not YAML, has a key twice, or holds a wrong setting.
    """
    merged: dict[str, Any] = {}
    for path in map(Path, paths):
        merged = merge(merged, read_yaml(path))
    return parse_settings(merge(merged, overrides or {}))
