"""Manifest of ``reconstruct``: one row per crop and state of training."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, PERSON, POSITION, SEQUENCE, code, points, stored

RECONSTRUCT = Schema(
    "reconstruct",
    1,
    (
        Column("model", pa.string(), "deca or temporal"),
        Column("weights", pa.string(), "trained, or initial for the model before training (the baseline)"),
        SEQUENCE,
        POSITION,
        EPISODE,
        PERSON,
        code("shape", "identity coefficients"),
        code("texture", "albedo coefficients"),
        code("expression", "expression coefficients"),
        code("pose", "axis-angle of head and jaw, rad", 6),
        code("camera", "scale, tx, ty of the orthographic camera in normalised crop coordinates", 3),
        code("light", "9 x 3 spherical-harmonics coefficients, row-major", 27),
        code("detail", "detail coefficients"),
        points("points68", 68, "projected landmarks in crop pixels (yaw-dependent contour)"),
        *stored("obj", "the coarse mesh as OBJ", nullable=True),
        *stored("glb", "the coarse mesh as GLB", nullable=True),
    ),
    key=("model", "weights", "sequence", "position"),
)
