"""Manifest of ``dataset``: one row per crop, joined and split."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import (
    EPISODE,
    FRAME,
    PERSON,
    POSITION,
    SEQUENCE,
    SHOW,
    SOURCE_FRAME,
    TRACK,
    points,
    stored,
)

_JOINED = (
    SEQUENCE,
    POSITION,
    SHOW,
    EPISODE,
    PERSON,
    TRACK,
    FRAME,
    SOURCE_FRAME,
    *stored("image", "the crop"),
    *stored("labels", "the label map"),
    points("points68", 68, "landmarks in crop pixels"),
    Column("transform", pa.list_(pa.float32()), "2 x 3 map from picture to crop pixels", length=6),
    Column("crossing", pa.bool_(), "a shot boundary lies before this frame"),
    Column("phash", pa.int64(), "64-bit perceptual hash of the crop (two's complement)"),
    *stored(
        "flow",
        "the sequence's optical flow: float16 little-endian, shape (2, N-1, 2, S, S); index 0 backward "
        "(frame i to i+1), 1 forward (frame i+1 to i); channels dx, dy in pixels of the S x S grid",
    ),
    Column("flow_size", pa.int32(), "S", unit="px", low=1),
)

DATASET_SHARD = Schema("dataset", 2, _JOINED, key=("sequence", "position"))
DATASET = Schema(
    "dataset", 2, (*_JOINED, Column("split", pa.string(), "train, validation or test")), key=("sequence", "position")
)
