"""Manifest of ``landmarks``: one row per crop."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, POSITION, SEQUENCE, points

LANDMARKS = Schema(
    "landmarks",
    1,
    (
        EPISODE,
        SEQUENCE,
        POSITION,
        points("points68", 68, "iBUG/300-W points in crop pixels, pixel centres at integers"),
        Column("confidence", pa.list_(pa.float32()), "confidence of each point", low=0, length=68),
        Column("score", pa.float32(), "mean confidence", low=0),
    ),
    key=("sequence", "position"),
)
