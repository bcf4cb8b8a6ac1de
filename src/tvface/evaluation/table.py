"""The table of numbers that ``evaluate`` fills."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tvface.evaluation.footage import Ratio
from tvface.evaluation.metrics import Metric
from tvface.manifests.evaluate import EVALUATE


class MetricTable:
    """Collects rows of the EVALUATE manifest."""

    def __init__(self) -> None:
        self._rows: list[dict[str, object]] = []

    def add(self, metric: Metric, value: float | None, samples: int, subject: str = "all") -> None:
        """Add one number; a value that is not finite is stored as undefined.

        Args:
            metric: its name, unit and description.
            value: in the metric's unit.
            samples: number of observations behind it.
            subject: what is judged: a backend, a model with its weights or phase, or everything.
        """
        defined = value is not None and np.isfinite(value)
        self._rows.append(
            {
                "stage": metric.stage,
                "metric": metric.name,
                "subject": subject,
                "value": float(value) if defined else None,  # type: ignore[arg-type]
                "unit": metric.unit,
                "samples": int(samples),
                "better": metric.better,
                "about": metric.about,
            }
        )

    def add_ratio(self, metric: Metric, ratio: Ratio, subject: str = "all") -> None:
        """Add ``hits / total`` with the total as number of samples."""
        self.add(metric, ratio.value, ratio.total, subject)

    def rows(self) -> pd.DataFrame:
        """Return all rows in the schema's columns."""
        if not self._rows:
            return EVALUATE.empty()
        return pd.DataFrame(self._rows)
