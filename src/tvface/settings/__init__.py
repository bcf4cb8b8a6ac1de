"""All settings of a run. ``load`` reads YAML files (later ones override) into one frozen :class:`Settings`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tvface.settings.base import SettingsError, as_mapping, block, json_schema, option, parse
from tvface.settings.data import Faces, Frames, Identities, Sequences
from tvface.settings.labels import Landmarks, Masks
from tvface.settings.model import Dataset, Head, Train
from tvface.settings.output import Evaluate, Reconstruct, Render, Report
from tvface.settings.synth import Synth

__all__ = ["Settings", "SettingsError", "as_mapping", "json_schema", "load", "merge", "parse_settings"]


@dataclass(frozen=True)
class Settings:
    """One run of the pipeline."""

    results: str = option("results", "folder of everything the run makes")
    videos: str | tuple[str, ...] | None = option(
        None, "video file, folder of videos (each its own show; sub-folders are shows), or list of these"
    )
    tvqa: str | None = option(None, "folder that holds TVQA's *_frames folders")
    shows: tuple[str, ...] = option(("castle", "friends"), "TVQA shows to use")
    sheet: str | None = option(None, "sample sheet (TSV: show, episode, source) instead of listing folders")
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


def parse_settings(mapping: Mapping[str, Any]) -> Settings:
    """Build the settings from a nested mapping, as Snakemake's ``config``."""
    return parse(Settings, mapping)


def load(paths: Iterable[str | Path], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read YAML files in order, later ones on top, then ``overrides``.

    Raises:
        SettingsError: a file is missing, is not YAML, or holds a wrong setting.
    """
    merged: dict[str, Any] = {}
    for path in map(Path, paths):
        if not path.is_file():
            raise SettingsError(f"{path}: no such configuration file")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise SettingsError(f"{path}: not valid YAML: {error}") from error
        if not isinstance(content, Mapping):
            raise SettingsError(f"{path}: expected 'key: value' lines at the top level")
        merged = merge(merged, content)
    return parse_settings(merge(merged, overrides or {}))
