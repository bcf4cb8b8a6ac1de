"""Stage ``head``: the head model that later stages read.

Reads: the shipped file (``head.model: human``), or the user's FLAME and DECA's data files (``flame``), named in the
settings.
Writes: ``head`` (npz, see :class:`tvface.head.data.HeadData`) with the provenance in its metadata (settings, digest of
the code, digests of the files read, library versions). Drops nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvface.assets.head_needs import needs
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.head import human
from tvface.head.data import HeadData
from tvface.head.flame import convert
from tvface.manifests.base import library_versions
from tvface.runtime.logging import logger
from tvface.settings import Settings
from tvface.settings.model import Head


@stage_run("head")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Build or convert the head model.

    Args:
        settings: the block ``head``.
        inputs: not used; the files are named by the settings.
        outputs: ``head``: the npz.
        shard, threads: not used.

    Raises:
        HeadError: a file is missing or has other content than expected.
    """
    sources = [need.path for need in needs(settings.head)]
    record = provenance("head", settings, {"sources": sources}, backend=settings.head.model)
    notes = {"provenance": {**dataclasses.asdict(record), "versions": library_versions()}}
    head: HeadData = _build(settings.head, sources, notes)
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


def _build(settings: Head, sources: list[Path], notes: Mapping[str, Any]) -> HeadData:
    if settings.model == "human":
        (shipped,) = sources
        return human.build(settings, notes, shipped)
    return convert(settings, notes)
