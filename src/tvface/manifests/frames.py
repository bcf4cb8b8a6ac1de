"""Manifest of ``frames``: one row per sampled frame of an episode."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import SAMPLED_FRAME, stored

FRAMES = Schema(
    "frames",
    1,
    (
        *SAMPLED_FRAME,
        *stored("image", "the JPEG"),
        Column("width", pa.int32(), "picture width", unit="px", low=1),
        Column("height", pa.int32(), "picture height", unit="px", low=1),
        Column("luma", pa.float32(), "mean luma", unit="0..255", low=0, high=255),
        Column("state", pa.string(), "valid, black, duplicate, dissolve or flash; only valid frames are detected"),
        Column(
            "cut_histogram",
            pa.float32(),
            "1 - HSV histogram intersection with the frame before; 0 at the first frame of a clip",
            low=0,
            high=1,
        ),
        Column("cut_luma", pa.float32(), "mean absolute luma difference / 255 to the frame before", low=0, high=1),
        Column(
            "cut_structure",
            pa.float32(),
            "part of the picture that is not found again near its place in the frame before",
            low=0,
            high=1,
        ),
    ),
    key=("episode", "frame"),
)
