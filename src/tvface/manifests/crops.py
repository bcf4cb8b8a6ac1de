"""Index of synthetic crops (``tvface synth-crops``): one row per crop."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema

CROPS = Schema(
    "synth-crops",
    1,
    (
        Column("file", pa.string(), "shard, in the index's own folder"),
        Column("row", pa.int32(), "of the crop in the shard's arrays", low=0),
        Column("flow_row", pa.int32(), "in flow and flow_valid: motion to the next crop; -1: none", low=-1),
        Column("shot", pa.int64(), "crops of one shot have the same light, background, camera and damage", low=0),
        Column("frame", pa.int32(), "position in the shot", low=0),
        Column("interval_s", pa.float32(), "time between two frames of the shot", unit="s", low=0),
        Column("identity", pa.int64(), "person: same identity code, same looks", low=0),
        Column("looks", pa.string(), "name of the texture, with the seed of everything painted; two persons share one"),
        Column("yaw", pa.float32(), "head yaw to the camera axis, positive to the picture's right", unit="deg"),
        Column("pitch", pa.float32(), "positive looks down", unit="deg"),
        Column("roll", pa.float32(), "in-plane rotation, positive tilts the crown to the picture's left", unit="deg"),
        Column("distance", pa.float32(), "of the head's origin along the optical axis", unit="m", low=0),
        Column("focal", pa.float32(), "focal length", unit="px", low=0),
        Column("visible_points", pa.int32(), "points in the picture and not hidden", low=0, high=68),
        Column("covered", pa.float32(), "share of the picture under things put in front", low=0, high=1),
        Column("image_sha256", pa.string(), "of the picture's bytes"),
    ),
    key=("file", "row"),
)
