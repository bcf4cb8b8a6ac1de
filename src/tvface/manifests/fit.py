"""Manifest of ``fit``: one row per crop."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, PERSON, POSITION, SEQUENCE, TRACK, code, points

FITTED = "fitted"
# Why the fit of a frame cannot be trusted. A frame gets the first reason that holds.
REASONS = {
    "unstable": "its points depend on the box (fit.max_instability)",
    "few_points": "less than half of its points have some confidence",
    "residual": "the head lies too far from the found points (fit.max_residual)",
    "jump": "its size differs from that of the frames around (fit.max_jump): its points are of another box or face",
    "shape": "the shape is a caricature: the points of its frames contradict each other",
}


FIT = Schema(
    "fit",
    1,
    (
        EPISODE,
        SEQUENCE,
        POSITION,
        TRACK,
        PERSON,
        code("shape", "identity coefficients, equal in all frames that share them (fit.share)"),
        code("texture", "albedo coefficients, shared as the shape"),
        code("expression", "expression coefficients"),
        code("pose", "axis-angle of head and jaw, rad", 6),
        code("eyes", "axis-angle of the subject's left and right eye, rad", 6),
        code(
            "camera", "scale, tx, ty of the orthographic camera in normalised crop coordinates, -1 and 1 the edges", 3
        ),
        code("light", "9 x 3 spherical-harmonics coefficients, row-major", 27),
        points("points68", 68, "landmarks of the fitted head in crop pixels (yaw-dependent contour)"),
        Column(
            "residuals",
            pa.list_(pa.float32()),
            "distance of each fitted point to the found one, of the distance of the outer eye corners",
            unit="%",
            low=0,
            length=68,
        ),
        Column("residual", pa.float32(), "mean of residuals", unit="%", low=0),
        Column(
            "colour_residual",
            pa.float32(),
            "root mean square difference of the picture to the lit albedo on skin, 0..1; empty: too little skin",
            low=0,
            nullable=True,
        ),
        Column("verdict", pa.string(), "fitted, or why the fit of this frame cannot be trusted"),
    ),
    key=("sequence", "position"),
)
