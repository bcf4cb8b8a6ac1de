"""A training as it goes: lines in the log, a CSV file, TensorBoard's files, pictures, the best weights.

The folder of a training gets ``curve.csv`` (step, part, term, value; one row per logged number), ``events.*`` (the same
and the pictures, for ``tensorboard --logdir``), ``pictures/step_<number>.png`` and, by the caller, the weights that
were best in validation. All are written while the training runs.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvface.files.atomic import atomic
from tvface.media.images import encode_png
from tvface.runtime.logging import logger

CURVE = "curve.csv"


class Journal:
    """Records what a training reports.

    Args:
        folder: of the files; None: log lines alone.
        keep_best: called with the step whenever a validation is the best so far; it stores the weights.
    """

    def __init__(self, folder: Path | None = None, keep_best: Callable[[int], None] | None = None) -> None:
        self.folder, self.keep_best = folder, keep_best
        self._best = float("inf")
        self._speed: float | None = None
        self._writer: Any = None

    def begin(self, steps: int, done: int, images: int, rows: Sequence[Sequence[Any]]) -> None:
        """Start, or go on after an interruption.

        Args:
            steps: of the whole training.
            done: of them already taken.
            images: pictures of a step, over all processes.
            rows: ``[step, part, term, value]`` recorded so far.
        """
        self._steps, self._images = steps, images
        self._last, self._since = done, time.monotonic()
        earlier = [value for _, part, term, value in rows if part == "validation" and term == "total"]
        self._best = min(earlier, default=float("inf"))
        if self.folder is None:
            return
        from tensorboardX import SummaryWriter

        self.folder.mkdir(parents=True, exist_ok=True)
        # The file may hold rows behind the checkpoint from which this process goes on.
        with atomic(self.folder / CURVE) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["step", "part", "term", "value"], *rows])
        self._writer = SummaryWriter(str(self.folder), purge_step=done + 1 if done else None)

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()

    def training(self, step: int, means: Mapping[str, float], rate: float, norm: float) -> None:
        """Record the mean terms of the steps since the last call.

        Args:
            step: steps taken.
            means: weighted terms, with their ``total``.
            rate: learning rate of the last step.
            norm: of its gradient.
        """
        now = time.monotonic()
        taken = step - self._last
        if taken > 0:
            speed = taken / max(now - self._since, 1e-9)
            # Half of the last figure: some seconds of other work do not turn the estimate over.
            self._speed = speed if self._speed is None else (self._speed + speed) / 2
        self._last, self._since = step, now
        speed = self._speed or 0.0
        left = f", {_clock((self._steps - step) / speed)} left" if speed else ""
        logger("train").info(
            "step %d of %d: loss %.4g (%s), rate %.2g, gradient %.3g, %.1f images/s%s",
            *(step, self._steps, means.get("total", float("nan")), _listed(means), rate, norm),
            *(speed * self._images, left),
        )
        beside = {"rate": rate, "gradient": norm, "images_per_second": speed * self._images}
        self._record(step, "train", means)
        self._scalars(step, "train", {**means, **beside})

    def validation(self, step: int, means: Mapping[str, float]) -> None:
        """Record the mean terms over the validation clips after ``step`` steps, and keep the best weights."""
        best = means["total"] < self._best
        logger("train").info(
            "step %d of %d: validation %.4g (%s)%s",
            *(step, self._steps, means["total"], _listed(means), ", the best so far" if best else ""),
        )
        self._record(step, "validation", means)
        self._scalars(step, "validation", means)
        if best:
            self._best = means["total"]
            if self.keep_best is not None:
                self.keep_best(step)

    def picture(self, step: int, picture: NDArray[np.uint8]) -> None:
        """Store a picture (H, W, 3) uint8 RGB of the state after ``step`` steps."""
        if self.folder is None:
            return
        place = self.folder / "pictures"
        place.mkdir(exist_ok=True)
        (place / f"step_{step:08d}.png").write_bytes(encode_png(picture))
        self._writer.add_image("validation", picture, step, dataformats="HWC")
        self._writer.flush()

    def _record(self, step: int, part: str, means: Mapping[str, float]) -> None:
        if self.folder is not None:
            with (self.folder / CURVE).open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([step, part, term, value] for term, value in means.items())

    def _scalars(self, step: int, part: str, values: Mapping[str, float]) -> None:
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{part}/{name}", value, step)
            self._writer.flush()


def _listed(means: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in means.items() if name != "total")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
