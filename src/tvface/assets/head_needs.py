"""The files that the head is built from. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvface.assets import registry as assets
from tvface.assets.registry import Asset, Need
from tvface.settings.model import Head

# Option of the block ``head`` -> asset of the registry.
_FILES = {
    "flame": "flame",
    "template": "head_template",
    "embedding": "landmark_embedding",
    "face_mask": "face_mask",
    "face_eye_mask": "face_eye_mask",
    "fixed_displacement": "fixed_displacement",
    "albedo": "flame_albedo",
    "dense_template": "dense_template",
}
HUMAN = "human_head"
ASSETS = frozenset(_FILES.values()) | {HUMAN}
_AVOID = {
    "albedo": "head.albedo: null (a painted albedo)",
    "dense_template": "head.dense_template: null (made from the UV layout)",
}


def located(settings: Head) -> dict[str, tuple[Asset, Path]]:
    """Return the files of ``head.model: flame`` by their option, each with its row of the registry."""
    paths = {option: getattr(settings, option) for option in _FILES}
    return {option: assets.located(_FILES[option], path)[0] for option, path in paths.items() if path is not None}


def needs(settings: Head) -> Iterator[Need]:
    """Yield every file that the stage ``head`` loads, by these settings."""
    if settings.model == "human":
        yield from (
            Need(row, "head", path, "head.model: human", "head.model: flame") for row, path in assets.located(HUMAN)
        )
    for option, (row, path) in located(settings).items() if settings.model == "flame" else ():
        if option in _AVOID:
            yield Need(row, "head", path, f"head.{option}", _AVOID[option])
        else:
            yield Need(row, "head", path, "head.model: flame", "head.model: human")
