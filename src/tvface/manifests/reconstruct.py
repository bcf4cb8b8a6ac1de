"""Manifest of ``reconstruct``: one row per crop and state of training."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, PERSON, POSITION, SEQUENCE, points, stored


def _code(name: str, doc: str, length: int | None = None) -> Column:
    return Column(name, pa.list_(pa.float32()), doc, length=length)


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
        _code("shape", "identity coefficients"),
        _code("texture", "albedo coefficients"),
        _code("expression", "expression coefficients"),
        _code("pose", "axis-angle of head and jaw, rad", 6),
        _code("camera", "scale, tx, ty of the orthographic camera in normalised crop coordinates", 3),
        _code("light", "9 x 3 spherical-harmonics coefficients, row-major", 27),
        _code("detail", "detail coefficients"),
        points("points68", 68, "projected landmarks in crop pixels (yaw-dependent contour)"),
        *stored("obj", "the coarse mesh as OBJ", nullable=True),
        *stored("glb", "the coarse mesh as GLB", nullable=True),
    ),
    key=("model", "weights", "sequence", "position"),
)
