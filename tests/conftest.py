"""Shared by all tests. With ``tests/__init__.py`` it also puts the project root on the path: ``tests.reference``."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Run torch on one thread, as ``make test`` does: tests that compare bits hold for one order of summation."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Start every test from the same global random numbers, whichever tests ran before it in its process."""
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
