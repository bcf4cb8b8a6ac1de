"""The table of numbers that ``evaluate`` fills."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from tvface.evaluation.footage import Ratio
from tvface.manifests.evaluate import EVALUATE

Better = Literal["higher", "lower"]


class MetricTable:
    """Collects rows of the EVALUATE manifest."""

    def __init__(self) -> None:
        self._rows: list[dict[str, object]] = []

    def add(
        self,
        stage: str,
        metric: str,
        value: float | None,
        samples: int,
        unit: str,
        better: Better,
        about: str,
        subject: str = "all",
    ) -> None:
        """Add one number; a value that is not finite is stored as undefined."""
        defined = value is not None and np.isfinite(value)
        self._rows.append(
            {
                "stage": stage,
                "metric": metric,
                "subject": subject,
                "value": float(value) if defined else None,  # type: ignore[arg-type]
                "unit": unit,
                "samples": int(samples),
                "better": better,
                "about": about,
            }
        )

    def add_ratio(
        self, stage: str, metric: str, ratio: Ratio, better: Better, about: str, subject: str = "all"
    ) -> None:
        """Add ``hits / total`` with the total as number of samples."""
        self.add(stage, metric, ratio.value, ratio.total, "", better, about, subject)

    def rows(self) -> pd.DataFrame:
        """Return all rows in the schema's columns."""
        if not self._rows:
            return EVALUATE.empty()
        return pd.DataFrame(self._rows)
