"""Manifests of ``sequences``: the selected frames, and every candidate with its scores and outcome."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import PERSON, POSITION, SAMPLED_FRAME, SEQUENCE, TRACK, points, stored

_SCORES = (
    Column("score", pa.float32(), "probability of a face", low=0, high=1),
    Column("side", pa.float32(), "box side, sqrt(w h)", unit="px", low=0),
    Column("inside", pa.float32(), "part of the box inside the picture", low=0, high=1),
    Column("aspect", pa.float32(), "box width / height", low=0),
    Column("clarity", pa.float32(), "contrast-normalised Laplacian variance of the crop at half size", low=0),
    Column("crop_luma", pa.float32(), "mean luma of the crop", unit="0..255", low=0, high=255),
    Column("upscale", pa.float32(), "enlargement of the crop", low=0),
    Column("pose", pa.float32(), "|nose - middle of the eyes| / eye distance, horizontally", low=0),
    Column("padding", pa.float32(), "part of the crop outside the picture", low=0, high=1),
    Column(
        "shift",
        pa.float32(),
        "mean movement of the 5 points since the frame before / eye distance",
        low=0,
        nullable=True,
    ),
    Column("deformation", pa.float32(), "the same after the best similarity is removed", low=0, nullable=True),
)

SEQUENCES = Schema(
    "sequences",
    1,
    (
        SEQUENCE,
        POSITION,
        *SAMPLED_FRAME,
        TRACK,
        PERSON,
        *stored("image", "the crop"),
        Column(
            "transform",
            pa.list_(pa.float32()),
            "2 x 3 row-major map from picture to crop pixel coordinates "
            "(pixel centres at integers); one scale per sequence, no rotation",
            length=6,
        ),
        Column("crop_side", pa.float32(), "side of the crop in the picture, constant in a sequence", unit="px", low=1),
        Column("box", pa.list_(pa.float32()), "detected box x0, y0, x1, y1 in crop pixels", length=4),
        points("points5", 5, "detector's five points in crop pixels"),
        *_SCORES,
        Column("gap", pa.int32(), "sampled frames since the position before", low=1, nullable=True),
        Column("crossing", pa.bool_(), "a shot boundary lies before this frame"),
        Column("contiguity", pa.string(), "of the sequence: continuous, gapped or cross-shot"),
        Column("phash", pa.int64(), "64-bit perceptual hash of the crop (two's complement)"),
    ),
    key=("sequence", "position"),
)

CANDIDATES = Schema(
    "sequences",
    1,
    (
        *SAMPLED_FRAME,
        Column("face", pa.int32(), "face in the frame", low=0),
        TRACK,
        PERSON,
        *_SCORES,
        Column("reason", pa.string(), "why the face is in no sequence; 'used' if it is in one"),
        Column("sequence", pa.string(), "the sequence that took it", nullable=True),
    ),
    key=("episode", "frame", "face"),
)
