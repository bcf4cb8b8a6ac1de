"""Manifest of ``faces``: one row per detected face."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import SAMPLED_FRAME, TRACK, points

FACES = Schema(
    "faces",
    1,
    (
        *SAMPLED_FRAME,
        Column("face", pa.int32(), "face in the frame, largest first", low=0),
        Column("x0", pa.float32(), "left edge of the box; may lie outside the picture", unit="px"),
        Column("y0", pa.float32(), "top edge", unit="px"),
        Column("x1", pa.float32(), "right edge", unit="px"),
        Column("y1", pa.float32(), "bottom edge", unit="px"),
        Column("width", pa.int32(), "picture width", unit="px", low=1),
        Column("height", pa.int32(), "picture height", unit="px", low=1),
        Column("score", pa.float32(), "probability of a face", low=0, high=1),
        points("points5", 5, "eye, eye, nose, mouth corner, mouth corner; the viewer's left first"),
        Column("embedding", pa.list_(pa.float32()), "identity embedding of unit length"),
        TRACK,
    ),
    key=("episode", "frame", "face"),
)
