"""What all stages share: the table of stages, the signature of ``run``, provenance, progress.

Every stage is a module ``tvface.stages.<name>`` with

    @stage_run("<name>")
    def run(settings, inputs, outputs, *, shard="", threads=1) -> None

``inputs`` and ``outputs`` map names to paths (or lists of paths), as the rule of the same name declares them. Whoever
calls it, ``run`` sees only the settings that the table declares for this job: reading another one raises. The table
itself is in :mod:`tvface.stages.table`, which imports nothing heavy.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tvface.manifests.base import Provenance, parents
from tvface.settings import Settings
from tvface.stages.table import STAGES, only, stage_code, stage_settings

__all__ = [
    "STAGES",
    "ByteProgress",
    "Paths",
    "logger",
    "progress",
    "provenance",
    "stage_code",
    "stage_run",
    "stage_settings",
]

T = TypeVar("T")
Paths = Mapping[str, Any]


class Run(Protocol):
    """The ``run`` of a stage."""

    def __call__(
        self, settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1
    ) -> None: ...


def stage_run(name: str) -> Callable[[Run], Run]:
    """Make a function the ``run`` of a stage: it gets a view of the settings that the table declares for the job.

    Raises (the function that is made):
        UndeclaredSetting: the stage, or what it calls, reads another setting.
    """

    def decorate(run: Run) -> Run:
        @functools.wraps(run)
        def guarded(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
            run(only(settings, name, shard), inputs, outputs, shard=shard, threads=threads)

        return guarded

    return decorate


def provenance(
    name: str,
    settings: Settings,
    inputs: Paths,
    *,
    shard: str = "",
    dropped: Mapping[str, int] | None = None,
    backend: str = "",
    weights: Mapping[str, str] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Provenance:
    """Describe a job of a stage, for its manifest: the settings are those that the table declares for it."""
    recorded = stage_settings(name, settings, shard)
    flat = [path for value in inputs.values() for path in ([value] if isinstance(value, str | Path) else value)]
    return Provenance(
        stage=name,
        settings=recorded,
        code=stage_code(name, settings),
        parents=parents([path for path in flat if Path(path).is_file()]),
        weights=dict(weights or {}),
        backend=backend,
        seed=recorded.get("seed"),
        dropped=dict(dropped or {}),
        notes=dict(notes or {}),
    )


def logger(name: str) -> logging.Logger:
    """Return the stage's logger (``tvface.<name>``); handlers are set by the command or script that runs it."""
    return logging.getLogger(f"tvface.{name}")


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` with a bar on a terminal, and a plain line every ten seconds in a log."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=what, total=total, leave=False)
    else:
        yield from _plain_progress(items, what, total)


class ByteProgress:
    """Progress of a long reading in bytes: a bar on a terminal, and a plain line every ten seconds in a log."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self._start = self._last = time.monotonic()
        self._bar: Any = None
        self._ended = False

    def __enter__(self) -> ByteProgress:
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(desc=self.what, total=self.total, unit="B", unit_scale=True, leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def at(self, done: int, beside: str = "") -> None:
        """Tell that ``done`` bytes have been read."""
        now = time.monotonic()
        if self._bar is not None and now - self._last >= 0.2:
            self._bar.set_postfix_str(beside, refresh=False)
            self._bar.update(done - self._bar.n)
            self._last = now
        elif self._bar is None and (now - self._last >= 10 or (done == self.total and not self._ended)):
            self._ended = done == self.total
            rate = done / max(now - self._start, 1e-9)
            left = (self.total - done) / max(rate, 1)
            told = (
                f"{self.what}: {done / 1e9:.2f} of {self.total / 1e9:.2f} GB, {rate / 1e6:.0f} MB/s, {left:.0f} s left"
            )
            logger("progress").info("%s", f"{told}; {beside}" if beside else told)
            self._last = now


def _plain_progress(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    log = logger("progress")
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    start = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= 10:
            last = now
            of = f" of {total}" if total else ""
            log.info("%s: %d%s, %.2f/s", what, done, of, done / (now - start))
    log.info("%s: %d done in %.1f s", what, done, time.monotonic() - start)
