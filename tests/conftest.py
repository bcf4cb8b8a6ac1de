"""Shared by all tests. With ``tests/__init__.py`` it also puts the project root on the path: ``tests.reference``."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from xdist.scheduler import LoadFileScheduling


class OneWorkerForTheTinyRun(LoadFileScheduling):
    """A worker per file, but one for all files that use the tiny run: another would wait idle until it is made."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "tests/workflow/test_tiny" if "/test_tiny_" in file else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Return the scheduler of ``--dist loadfile``."""
    return OneWorkerForTheTinyRun(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Run torch on one thread, as ``make test`` does: tests that compare bits hold for one order of summation."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked ``gpu`` where there is none."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Start every test from the same global random numbers, whichever tests ran before it in its process."""
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
