"""Stage ``head``: the head model every later stage reads.

Reads: nothing (``head.model: generic``), the shipped file (``human``), or the user's FLAME and DECA's data files
(``flame``), named in the settings.
Writes: ``head`` (npz, see :class:`tvface.head.data.HeadData`); provenance (settings, digest of the code, digests of the
files read, library versions) stands in its metadata. Drops nothing.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tvface.head import generic, human
from tvface.head.data import HeadData
from tvface.head.flame import convert
from tvface.manifests.base import library_versions
from tvface.settings import Settings
from tvface.settings.model import Head
from tvface.stages.base import Paths, logger, provenance

_BUILDERS = {"generic": generic.build, "human": human.build, "flame": convert}


def source_files(settings: Head) -> list[Path]:
    """Return the files that the chosen head model is made from; none for the generic head."""
    if settings.model == "generic":
        return []
    if settings.model == "human":
        return [human.PLACE]
    names = ["flame", "template", "embedding", "face_mask", "face_eye_mask", "fixed_displacement"]
    optional = [settings.albedo, settings.dense_template]
    return [Path(getattr(settings, name)) for name in names] + [Path(path) for path in optional if path is not None]


def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Build or convert the head model.

    Args:
        settings: the block ``head``.
        inputs: not used; the licensed files are named by the settings.
        outputs: ``head``: the npz.
        shard, threads: not used.

    Raises:
        HeadError: a file is missing or is not what it should be.
    """
    record = provenance("head", settings, {"sources": source_files(settings.head)}, backend=settings.head.model)
    notes = {"provenance": {**dataclasses.asdict(record), "versions": library_versions()}}
    head: HeadData = _BUILDERS[settings.head.model](settings.head, notes)
    head.save(outputs["head"])
    logger("head").info(
        "%s head: %d vertices, %d faces, %d identity, %d expression and %d albedo columns",
        settings.head.model,
        len(head.v_template),
        len(head.faces),
        head.shape_basis.shape[-1],
        head.expression_basis.shape[-1],
        len(head.albedo_basis),
    )
