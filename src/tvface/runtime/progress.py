"""Progress of long work: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tvface.runtime.logging import logger

T = TypeVar("T")


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` with a bar on a terminal, and a plain line every ten seconds in a log.

    Args:
        items: any iterable.
        what: description of the work.
        total: number of items; None: their length, if they have one.
    """
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
        """Report that ``done`` bytes have been read; ``beside`` is shown after the numbers."""
        now = time.monotonic()
        if self._bar is not None and now - self._last >= 0.2:
            self._bar.set_postfix_str(beside, refresh=False)
            self._bar.update(done - self._bar.n)
            self._last = now
        elif self._bar is None and (now - self._last >= 10 or (done == self.total and not self._ended)):
            self._ended = done == self.total
            rate = done / max(now - self._start, 1e-9)
            left = (self.total - done) / max(rate, 1)
            line = (
                f"{self.what}: {done / 1e9:.2f} of {self.total / 1e9:.2f} GB, {rate / 1e6:.0f} MB/s, {left:.0f} s left"
            )
            logger("progress").info("%s", f"{line}; {beside}" if beside else line)
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
