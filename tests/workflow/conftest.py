"""The tiny run, made once for all tests and all of their processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.workflow.checkout import Checkout
from tests.workflow.tiny import TinyRun

# Folders of users have spaces in their names, and apostrophes: no rule, script or log may stumble over them.
NAME = "the editor's cut"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """The finished workflow of ``ci.yaml``. All tests share it: clone it to change it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, failed = shared / NAME, shared / "tiny.failed"
    with FileLock(shared / "tiny.lock"):
        if failed.exists():
            pytest.fail(f"the tiny run failed before:\n{failed.read_text(encoding='utf-8')}", pytrace=False)
        if folder.exists():
            return TinyRun(Checkout.at(folder))
        failed.write_text("it did not end", encoding="utf-8")
        run = TinyRun(Checkout(folder))
        try:
            run.snakemake()
        except AssertionError as error:
            failed.write_text(str(error), encoding="utf-8")
            raise
        failed.unlink()
    return run


@pytest.fixture
def copy(tiny: TinyRun, tmp_path: Path) -> Iterator[TinyRun]:
    """A copy of the finished run in another folder, gone after the test."""
    folder = tmp_path / NAME
    yield tiny.clone(folder)
    shutil.rmtree(folder)
