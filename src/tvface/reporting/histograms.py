"""Histograms of scores beside the thresholds that cut them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tvface.media.images import decode

BINS = 60


@dataclass(frozen=True)
class Score:
    """A score: its column, the range drawn, and the settings that are its thresholds (attributes of their block)."""

    column: str
    low: float
    high: float
    limits: tuple[str, ...]
    name: str = ""


class Histograms:
    """Counts rows that are used and others, table by table, so that a thousand episodes cost no more memory than one.

    ``used`` and ``dropped`` map a score's column to the counts (BINS,); values beyond an end are counted there.
    """

    def __init__(self, scores: Sequence[Score]) -> None:
        self.scores = tuple(scores)
        self.used = {score.column: np.zeros(BINS, np.int64) for score in scores}
        self.dropped = {score.column: np.zeros(BINS, np.int64) for score in scores}

    def add(self, rows: pd.DataFrame, used: NDArray[np.bool_]) -> None:
        """Count the rows that hold a score; a column that the table lacks is skipped."""
        for score in self.scores:
            if score.column not in rows:
                continue
            values = rows[score.column].to_numpy(np.float64)
            place = np.clip((values - score.low) / (score.high - score.low), 0, 1 - 1e-9) * BINS
            known = np.isfinite(values)
            for counts, part in ((self.used, used), (self.dropped, ~used)):
                counts[score.column] += np.bincount(place[known & part].astype(np.int64), minlength=BINS)

    def picture(self, settings: object, kept: str, columns: int = 4) -> NDArray[np.uint8] | None:
        """Return an RGB picture: a histogram per score, the thresholds as lines; None where nothing was counted.

        Args:
            settings: the block that holds the thresholds.
            kept: where the used rows are, for the legend: "in a sequence".
            columns: histograms side by side.
        """
        if not any(counts.any() for counts in (*self.used.values(), *self.dropped.values())):
            return None
        lines = -(-len(self.scores) // columns)
        figure = Figure(figsize=(3.25 * columns, 2.8 * lines), dpi=90)
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axis, score in zip(axes, self.scores, strict=False):
            self._draw(axis, score, settings, kept)
        for axis in axes[len(self.scores) :]:
            axis.set_axis_off()
        figure.axes[0].legend(fontsize=8, loc="upper left")
        figure.tight_layout()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return decode(buffer.getvalue())

    def _draw(self, axis: Axes, score: Score, settings: object, kept: str) -> None:
        edges = np.linspace(score.low, score.high, BINS + 1)
        middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        used, dropped = self.used[score.column], self.dropped[score.column]
        axis.bar(middle, used, width, color="tab:blue", label=kept)
        axis.bar(middle, dropped, width, bottom=used, color="lightgrey", label="dropped")
        for name in score.limits:
            threshold = getattr(settings, name)
            for limit in [] if threshold is None else np.atleast_1d(threshold):
                axis.axvline(float(limit), color="tab:red", linewidth=1)
        axis.set_xlim(score.low, score.high)
        axis.set_title(" ".join([score.name or score.column, *(f"[{name}]" for name in score.limits)]), fontsize=9)
        axis.tick_params(labelsize=7)
