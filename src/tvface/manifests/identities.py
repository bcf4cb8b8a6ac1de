"""Manifest of ``identities``: one row per track of a show."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, PERSON, SHOW, TRACK

IDENTITIES = Schema(
    "identities",
    1,
    (
        SHOW,
        EPISODE,
        TRACK,
        PERSON,
        Column("faces", pa.int32(), "faces in the track", low=1),
        Column("distance", pa.float32(), "embedding distance to the person's mean", low=0),
        Column("embedding", pa.list_(pa.float32()), "mean embedding of the track, unit length"),
    ),
    key=("show", "episode", "track"),
)
