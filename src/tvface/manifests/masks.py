"""Manifest of ``masks``: one row per crop."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, POSITION, SEQUENCE, stored

MASKS = Schema(
    "masks",
    1,
    (
        EPISODE,
        SEQUENCE,
        POSITION,
        *stored("labels", "the label map: 8-bit PNG of the crop's size, classes 0..18 in zllrunning order"),
        Column("pixels", pa.list_(pa.int32()), "pixels of each class", low=0, length=19),
        Column("face", pa.float32(), "part of the crop inside the face mask", low=0, high=1),
    ),
    key=("sequence", "position"),
)
