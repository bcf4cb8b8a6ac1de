"""Manifests of ``synth``: ground truth of the embedded show, per video frame and per face."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import EPISODE, PERSON, SCENE, SHOT, SHOW, SOURCE_FRAME, TIME, points, stored

TRUTH_FRAMES = Schema(
    "synth",
    2,
    (
        SHOW,
        EPISODE,
        SOURCE_FRAME,
        TIME,
        SHOT,
        SCENE,
        Column("people", pa.int32(), "people in the picture", low=0),
        Column("dark", pa.bool_(), "the scene is dark on purpose"),
        Column("damage", pa.string(), "what hurts this frame (hand, flicker, defocus, shake, blocks), joined by +"),
        *stored("labels", "the 19-class label map of the picture, 8-bit PNG, zllrunning order"),
    ),
    key=("episode", "source_frame"),
)


def _values(name: str, doc: str, length: int | None = None, unit: str | None = None) -> Column:
    return Column(name, pa.list_(pa.float32()), doc, unit=unit, length=length)


TRUTH_FACES = Schema(
    "synth",
    1,
    (
        SHOW,
        EPISODE,
        SOURCE_FRAME,
        PERSON,
        _values("box", "tight box of the 68 points, x0 y0 x1 y1", 4, "px"),
        points("points68", 68, "true points in the picture (yaw-dependent contour), pixel centres at integers"),
        _values("visible", "1 where a point is not hidden by the head or by others", 68),
        Column("yaw", pa.float32(), "head yaw to the camera axis, positive to the picture's right", unit="deg"),
        Column("pitch", pa.float32(), "positive looks down", unit="deg"),
        Column("roll", pa.float32(), "in-plane rotation", unit="deg"),
        Column("inside", pa.float32(), "part of the points inside the picture", low=0, high=1),
        _values("shape", "identity coefficients of the human head"),
        _values("expression", "expression coefficients"),
        _values("joints", "axis-angle of root, neck, jaw, left eye, right eye", 15, "rad"),
        _values("translation", "head origin in camera coordinates (x right, y up, z to the camera)", 3, "m"),
        Column("focal", pa.float32(), "focal length", unit="px", low=1),
        _values("light", "9 x 3 spherical-harmonics coefficients, row-major", 27),
    ),
    key=("episode", "source_frame", "person"),
)
