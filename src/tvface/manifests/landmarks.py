"""Manifest of ``landmarks``: one row per crop."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, POSITION, SEQUENCE, points

LANDMARKS = Schema(
    "landmarks",
    2,
    (
        EPISODE,
        SEQUENCE,
        POSITION,
        points("points68", 68, "iBUG/300-W points in crop pixels, pixel centres at integers"),
        Column("confidence", pa.list_(pa.float32()), "confidence of each point", low=0, length=68),
        Column("score", pa.float32(), "mean confidence", low=0),
        Column(
            "instability",
            pa.float32(),
            "mean distance to the points found with the box moved by landmarks.check_shift, in sides of the points' "
            "box; empty where that is 0",
            low=0,
            nullable=True,
        ),
    ),
    key=("sequence", "position"),
)
