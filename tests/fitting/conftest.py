"""The human head, and frames of a person whose codes are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from tvface.fitting.codes import FittedCodes
from tvface.fitting.observed import Observed
from tvface.head import human
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.settings.model import Head


@pytest.fixture(scope="session")
def data() -> HeadData:
    return human.build(Head(uv_size=64))


@pytest.fixture(scope="session")
def full(data: HeadData) -> HeadModel:
    return HeadModel(data, 100, 52)


@pytest.fixture(scope="session")
def small(full: HeadModel) -> HeadModel:
    return full.restricted(torch.zeros(0, dtype=torch.int64))


@pytest.fixture(scope="session")
def names(data: HeadData) -> list[str]:
    return list(data.notes["expression_names"])


@dataclass(frozen=True)
class Person:
    """True codes, and the frames that show them."""

    codes: FittedCodes
    observed: Observed


def talking(head: HeadModel, names: list[str], frames: int, seed: int = 0, noise: float = 0.0) -> Person:
    """A person who turns, opens the mouth and smiles, 30 frames a second; points with noise in metres."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / 30
    wave = np.sin(2 * np.pi * time[:, None] * rng.uniform(0.3, 0.8, 6) + rng.uniform(0, 6, 6))
    expression = np.zeros((frames, head.n_expression), np.float32)
    for unit in ("mouthSmileLeft", "mouthSmileRight"):
        expression[:, names.index(unit)] = 0.3 + 0.3 * wave[:, 0]
    expression[:, names.index("browInnerUp")] = 0.3 + 0.3 * wave[:, 1]
    jaw = np.stack([0.12 + 0.12 * wave[:, 2], 0 * time, 0 * time], 1)
    rotation = np.stack([0.15 * wave[:, 3], 0.4 * wave[:, 4], 0.1 * wave[:, 5]], 1)
    codes = FittedCodes(
        human.table_of_people()[0][7 * seed, : head.n_shape],
        expression,
        rotation.astype(np.float32),
        jaw.astype(np.float32),
        np.ones(frames, np.float32),
        np.tile(np.array([0.01, -0.02], np.float32), (frames, 1)),
    )
    points = codes.points(head) + noise * rng.normal(size=(frames, 68, 2)).astype(np.float32)
    return Person(codes, observed(points, time))


def observed(points: np.ndarray, time: np.ndarray, segment: np.ndarray | None = None) -> Observed:
    """Frames with full confidence, of one segment unless told."""
    count = len(points)
    return Observed(
        points.astype(np.float32),
        np.ones((count, 68), np.float32),
        np.zeros(count, np.int64) if segment is None else segment,
        np.asarray(time, np.float64),
        np.full((count, 2), np.nan, np.float32),
    )
