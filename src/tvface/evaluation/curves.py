"""Judge training curves."""

from __future__ import annotations

import pandas as pd

from tvface.evaluation import metrics
from tvface.evaluation.table import MetricTable


def curve_metrics(table: MetricTable, curves: pd.DataFrame) -> None:
    """Add, for each model and phase, the first and last logged training loss and their ratio.

    The first and last value are means over a tenth of the logged steps (at least one), so that one lucky batch does
    not decide.
    """
    totals = curves[(curves["part"] == "train") & (curves["term"] == "total")]
    for (model, phase), rows in totals.groupby(["model", "phase"]):
        values = rows.sort_values("step")["value"].to_numpy()
        count = max(1, len(values) // 10)
        first, last = values[:count].mean(), values[-count:].mean()
        subject = f"{model}, {phase}"
        table.add(metrics.LOSS_FIRST, first, count, subject)
        table.add(metrics.LOSS_LAST, last, count, subject)
        table.add(metrics.LOSS_RATIO, last / first if first else None, len(values), subject)
