"""Shared by all tests. With ``tests/__init__.py`` it also puts the project root on the path: ``tests.reference``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Run torch on one thread, as ``make test`` does: tests that compare bits hold for one order of summation."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
