"""A small set of shots."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvface.head import human
from tvface.head.data import HeadData
from tvface.settings.model import Head
from tvface.supervised import shots
from tvface.synthetic.crops.shards import Recipe, write_crops

LAYERS = ("image", "clean", "points", "labels", "occluder", "parameters")


@pytest.fixture(scope="session")
def head() -> HeadData:
    return human.build(Head())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, head: HeadData) -> Path:
    """Four shots of ten frames, 64 px, of two people."""
    place = tmp_path_factory.mktemp("shots")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(human, "build", lambda settings: head)
        list(write_crops(place, 40, Recipe(5, 64, 10, LAYERS, 20, "test")))
    return place


@pytest.fixture(scope="session")
def some(folder: Path) -> shots.Shots:
    return shots.load(folder)
