"""A run with a tiny head and untrained weights, entered."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.conftest import TINY, bumpy_head
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.weights_files import save_weights
from tvface.settings import Settings, merge, parse_settings


@pytest.fixture
def settings() -> Settings:
    return parse_settings(merge(TINY, {"results": "results"}))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """Weights of the temporal model, in a folder that holds ``results/head/head.npz``; see :func:`untrained`."""
    monkeypatch.chdir(tmp_path)
    bumpy_head().save(tmp_path / "results" / "head" / "head.npz")
    return untrained(tmp_path / "weights.safetensors", settings)


def untrained(path: Path, settings: Settings) -> Path:
    """Save untrained weights whose codes differ by more than rounding from picture to picture."""
    spec = ModelSpec.of("temporal", settings.train, settings.head, 0)
    model = FaceModel(spec, bumpy_head())
    with torch.no_grad():
        # Shape, texture and expression only: the camera stays where the head is seen.
        model.coarse_encoder.layers[2].weight[: sum(spec.widths[:3])] *= 200
    save_weights(path, model.weights(), spec, phase="detail", steps=0)
    return path
