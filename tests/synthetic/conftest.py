"""The human head and its synthetic people, built once for all tests of this folder."""

from __future__ import annotations

import pytest

from tvface.head.data import HeadData
from tvface.head.human import build
from tvface.settings.model import Head
from tvface.synthetic.atlas import build_atlas
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.person import Stage


@pytest.fixture(scope="session")
def head() -> HeadData:
    return build(Head(uv_size=64))


@pytest.fixture(scope="session")
def stage(head: HeadData) -> Stage:
    return Stage(head, build_atlas(head, 512))


@pytest.fixture(scope="session")
def painter(stage: Stage) -> SkinPainter:
    return SkinPainter(stage.atlas)
