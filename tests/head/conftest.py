"""The human head, built once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tvface.head import human
from tvface.head.data import HeadData
from tvface.head.human import cut, stored
from tvface.head.model import HeadModel
from tvface.settings.model import Head


def same(a: HeadData, b: HeadData) -> bool:
    """Return whether two heads are equal in every array and the metadata."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))


@pytest.fixture(scope="session")
def head() -> HeadData:
    """The human head with the default settings."""
    return human.build(Head())


@pytest.fixture(scope="session")
def shipped() -> stored.Stored:
    return stored.Stored.load(human.PLACE)


@pytest.fixture(scope="session")
def model(head: HeadData) -> HeadModel:
    return HeadModel(head, 100, 52)


@pytest.fixture(scope="session")
def topology(shipped: stored.Stored) -> cut.Cut:
    """The head's topology from the shipped file; places in the base mesh are unknown there, and not needed."""

    class Shipped(cut.Cut):
        def piece(self, name: str) -> np.ndarray:
            return np.asarray(shipped.piece == shipped.notes["pieces"].index(name))

    return Shipped(
        np.arange(len(shipped.mirror)),
        shipped.mirror,
        shipped.part,
        shipped.quads,
        shipped.quad_uv,
        shipped.uv,
        cut.pieces(shipped.quad_uv, len(shipped.uv))[1],
    )
