"""Manifest of ``train``: one row per logged value."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema

TRAIN = Schema(
    "train",
    1,
    (
        Column("model", pa.string(), "deca or temporal"),
        Column("phase", pa.string(), "pretrain, coarse or detail"),
        Column("step", pa.int32(), "optimizer steps done", low=0),
        Column("part", pa.string(), "train or validation"),
        Column("term", pa.string(), "loss term (weighted), or 'total'"),
        Column("value", pa.float64(), "mean since the row before"),
    ),
    key=("model", "phase", "step", "part", "term"),
)
