"""Columns that several manifests share, so that they mean the same everywhere."""

from __future__ import annotations

import pyarrow as pa

from tvface.manifests.base import Column

SHOW = Column("show", pa.string(), "show the episode belongs to")
EPISODE = Column("episode", pa.string(), "shard name, unique in the run")
CLIP = Column("clip", pa.string(), "continuous piece of footage; the episode itself for a video file")
FRAME = Column("frame", pa.int32(), "index of the sampled frame in its episode, 0-based", low=0)
SOURCE_FRAME = Column(
    "source_frame",
    pa.int32(),
    "frame number in the clip's source (video: 0-based decoded frame; TVQA: the number in the file name)",
    low=0,
)
TIME = Column("time_s", pa.float64(), "presentation time in the clip", unit="s", low=0)
SHOT = Column("shot", pa.int32(), "shot in the episode, 0-based", low=0)
SCENE = Column("scene", pa.int32(), "scene in the episode, 0-based", low=0)
TRACK = Column("track", pa.int32(), "face track in the episode, 0-based", low=0)
PERSON = Column(
    "person",
    pa.string(),
    "person of the show: cluster (p000 ...), name from the cast gallery or by hand; - if dropped by hand",
)
SEQUENCE = Column("sequence", pa.string(), "sequence, <episode>.<number>")
POSITION = Column("position", pa.int32(), "frame in the sequence, 0-based", low=0)
SAMPLED_FRAME = (SHOW, EPISODE, CLIP, FRAME, SOURCE_FRAME, TIME, SHOT, SCENE)
"""Columns that locate a sampled frame, from the show down."""


def stored(prefix: str, what: str, nullable: bool = False) -> tuple[Column, Column, Column]:
    """Return the columns that address bytes: file (project-relative), offset and length in it.

    A member of a tar is a byte range of the tar; a separate file has offset 0 and its size as length.

    Args:
        prefix: of the columns' names.
        what: the stored object, for the documentation of the columns.
        nullable: rows may lack the object.
    """
    return (
        Column(f"{prefix}_file", pa.string(), f"file that holds {what}, relative to the project", nullable=nullable),
        Column(f"{prefix}_offset", pa.int64(), f"first byte of {what}", unit="B", low=0, nullable=nullable),
        Column(f"{prefix}_length", pa.int64(), f"bytes of {what}", unit="B", low=0, nullable=nullable),
    )


def points(name: str, count: int, doc: str, unit: str = "px") -> Column:
    """Return a column of 2D points stored as x0, y0, x1, y1, ...

    Convention: pixels, x right, y down, centres at integers.

    Args:
        name: of the column.
        count: points per row.
        doc: meaning of the points.
        unit: of the coordinates.
    """
    return Column(name, pa.list_(pa.float32()), doc, unit=unit, length=2 * count)


def code(name: str, doc: str, length: int | None = None) -> Column:
    """Return a column of coefficients, of fixed ``length`` if given."""
    return Column(name, pa.list_(pa.float32()), doc, length=length)
