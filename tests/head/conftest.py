"""The human head, built once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tvface.head.data import HeadData
from tvface.head.human import build
from tvface.settings.model import Head


def same(a: HeadData, b: HeadData) -> bool:
    """Return whether two heads are equal in every array and the metadata."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))


@pytest.fixture(scope="session")
def human() -> HeadData:
    """The human head with the default settings."""
    return build(Head())
