"""Manifest of ``render``: one row per figure."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema

RENDER = Schema(
    "render",
    1,
    (
        Column("stage", pa.string(), "stage that the figure shows"),
        Column("order", pa.int32(), "place among the stage's figures", low=0),
        Column("kind", pa.string(), "picture (PNG), video (MP4) or table (TSV)"),
        Column("file", pa.string(), "the file, relative to the project"),
        Column("caption", pa.string(), "what is seen"),
    ),
    key=("stage", "order"),
)
