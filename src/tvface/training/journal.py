"""The log of a training as it goes: a line with losses, learning rate, gradient norm, speed and time left."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tvface.runtime.logging import logger


class Journal:
    """Writes one line per logged step.

    Args:
        steps: of the whole training.
        done: of them already taken when this process begins.
        images: pictures of a step, over all processes.
    """

    def __init__(self, steps: int, done: int, images: int) -> None:
        self.steps, self.images = steps, images
        self._last, self._since = done, time.monotonic()
        self._speed: float | None = None

    def line(self, step: int, values: Mapping[str, float], rate: float, norm: float) -> None:
        """Log the mean terms since the last line, after ``step`` steps.

        Args:
            step: steps taken.
            values: mean weighted terms, with their ``total``.
            rate: learning rate of the last step.
            norm: of its gradient.
        """
        now = time.monotonic()
        passed, taken = max(now - self._since, 1e-9), step - self._last
        self._last, self._since = step, now
        if taken > 0:
            speed = taken / passed
            # Half of the last figure: a line of other work does not turn the estimate over.
            self._speed = speed if self._speed is None else (self._speed + speed) / 2
        terms = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if name != "total")
        left = "" if self._speed is None else f", {_clock((self.steps - step) / self._speed)} left"
        images = "" if self._speed is None else f", {self._speed * self.images:.1f} images/s"
        logger("train").info(
            "step %d of %d: loss %.4g (%s), rate %.2g, gradient %.3g%s%s",
            *(step, self.steps, values.get("total", float("nan")), terms, rate, norm, images, left),
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
