"""Training curves as a picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tvface.media.images import decode
from tvface.settings.phases import PHASES


def training_curves(curves: pd.DataFrame) -> np.ndarray | None:
    """Return an RGB picture: a column per phase, total loss above, weighted terms of the training part below."""
    present = [phase for phase in PHASES if (curves["phase"] == phase).any()]
    if not present:
        return None
    models = sorted(curves["model"].unique())
    figure = Figure(figsize=(4.2 * len(present), 2.6 * (1 + len(models))), dpi=100)
    axes = figure.subplots(1 + len(models), len(present), squeeze=False)
    for column, phase in enumerate(present):
        rows = curves[curves["phase"] == phase]
        _totals(axes[0][column], rows, models)
        axes[0][column].set_title(phase)
        for line, model in enumerate(models, start=1):
            _terms(axes[line][column], rows[rows["model"] == model], model)
    for axis in axes[-1]:
        axis.set_xlabel("step")
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return decode(buffer.getvalue())


def _totals(axis: Axes, rows: pd.DataFrame, models: list[str]) -> None:
    for colour, model in zip(("tab:blue", "tab:orange", "tab:green"), models, strict=False):
        for part, style in (("train", "-"), ("validation", "--")):
            line = rows[(rows["model"] == model) & (rows["part"] == part) & (rows["term"] == "total")]
            if len(line):
                _plot(axis, line, f"{model}, {part}", linestyle=style, color=colour, linewidth=1.3)
    _finish(axis, "total loss")


def _terms(axis: Axes, rows: pd.DataFrame, model: str) -> None:
    rows = rows[(rows["part"] == "train") & (rows["term"] != "total")]
    for term, line in rows.groupby("term"):
        _plot(axis, line, str(term), linewidth=1.1)
    _finish(axis, f"{model}: weighted terms")


def _plot(axis: Axes, line: pd.DataFrame, label: str, **style: Any) -> None:
    line = line.sort_values("step")
    # A line through a single point is invisible, so it gets a marker.
    axis.plot(line["step"], line["value"], label=label, marker="." if len(line) == 1 else "", **style)


def _finish(axis: Axes, label: str) -> None:
    axis.set_ylabel(label, fontsize=8)
    if any(np.any(np.asarray(line.get_ydata()) > 0) for line in axis.lines):  # else there is no logarithm
        axis.set_yscale("log")
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
    if axis.has_data():
        axis.legend(fontsize=6)
