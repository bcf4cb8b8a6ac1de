"""Manifests of ``archive``: the clips taken out of TVQA's split archive, and the contents of the whole archive."""

import pyarrow as pa

from tvface.manifests.base import Column, Schema
from tvface.manifests.columns import CLIP, EPISODE, SHOW, SOURCE_FRAME, stored

_FRAMES = Column("frames", pa.int32(), "frames of the clip in the archive", low=0)
_BYTES = Column("bytes", pa.int64(), "bytes of these frames", unit="B", low=0)

ARCHIVE = Schema(
    "archive",
    1,
    (
        SHOW,
        EPISODE,
        CLIP,
        _FRAMES,
        _BYTES,
        Column("missing", pa.int32(), "numbers below the last frame's that no frame has", low=0),
    ),
    key=("episode", "clip"),
)
"""One row per clip of the run."""

STORED = Schema(
    "archive_episode",
    1,
    (EPISODE, CLIP, SOURCE_FRAME, *stored("image", "the JPEG as the archive held it")),
    key=("episode", "clip", "source_frame"),
)
"""One row per frame of one episode, beside its store."""

CONTENTS = Schema("archive_contents", 1, (CLIP, _FRAMES, _BYTES), key=("clip",))
"""One row per clip of the whole archive, of all shows; written when the archive has been read to its end."""
