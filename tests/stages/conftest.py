"""The made-up show."""

from pathlib import Path

import pytest

from tests.stages.show import Show
from tvface import detectors


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """A show whose drawn faces the detector ``mtcnn`` finds; the working folder is its folder."""
    show = Show(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(detectors, "create", lambda name, settings, device="cpu": show.detector)
    return show
