"""Manifest of ``evaluate``: one row per number."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema

EVALUATE = Schema(
    "evaluate",
    1,
    (
        Column("stage", pa.string(), "stage that the number judges"),
        Column("metric", pa.string(), "name of the number"),
        Column("subject", pa.string(), "model, backend or 'all'"),
        Column("value", pa.float64(), "the number", nullable=True),
        Column("unit", pa.string(), "unit"),
        Column("samples", pa.int64(), "samples it is made of", low=0),
        Column("better", pa.string(), "higher or lower"),
        Column("about", pa.string(), "what it measures, in words"),
    ),
    key=("stage", "metric", "subject"),
)
