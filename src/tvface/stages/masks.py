"""Label every pixel of every crop with one of 19 classes.

Reads the sequences manifest and the frames manifest with its pictures: the parser sees a region ``masks.context``
times as wide as the crop, because hair, chin and neck show it where the face is. Only the crop's part of the labels is
kept. Writes one 8-bit PNG per crop in a tar, and per row the pixels of each class and the share of the crop that the
face mask covers. Drops nothing: stage ``dataset`` decides by these numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tvface import manifests, parsers
from tvface.conventions.classes import CLASSES
from tvface.conventions.face_mask import face_mask
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.manifests.frames import FRAMES
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import encode_png
from tvface.media.tarstore import TarWriter
from tvface.mining.surroundings import Surroundings, device, path_of
from tvface.parsers.base import Parser
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings


@stage_run("masks")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Run the stage for one episode.

    Args:
        inputs: ``sequences``, ``frames``: manifests of the episode.
        outputs: ``manifest``, ``labels`` (the tar).
    """
    torch.set_num_threads(threads)
    mask_settings = settings.masks
    sequences = manifests.read(path_of(inputs, "sequences"), SEQUENCES).rows
    frames = manifests.read(path_of(inputs, "frames"), FRAMES).rows
    parser = parsers.create(mask_settings.backend, mask_settings, device(settings))
    table_rows: list[dict[str, object]] = []
    with TarWriter(outputs["labels"]) as tar:
        for rows, labels in _batches(settings, parser, sequences, frames, shard):
            shares = face_mask(labels, mask_settings.classes).mean((1, 2))
            for row, label, share in zip(rows.itertuples(), labels, shares, strict=True):
                file, offset, length = tar.add(f"{row.sequence}/{row.position:03d}.png", encode_png(label))
                table_rows.append(
                    {
                        "episode": row.episode,
                        "sequence": row.sequence,
                        "position": row.position,
                        "labels_file": file,
                        "labels_offset": offset,
                        "labels_length": length,
                        "pixels": np.bincount(label.ravel(), minlength=len(CLASSES)),
                        "face": share,
                    }
                )
    table = pd.DataFrame(table_rows) if table_rows else MASKS.empty()
    logger("masks").info("%s: %d crops with %s", shard, len(table), mask_settings.backend)
    record = provenance(
        "masks",
        settings,
        inputs,
        backend=mask_settings.backend,
        weights=parser.weights,
        notes={"precision": parser.precision},
    )
    manifests.write(outputs["manifest"], MASKS, table, record)


def _batches(
    settings: Settings,
    parser: Parser,
    sequences: pd.DataFrame,
    frames: pd.DataFrame,
    shard: str,
) -> Iterator[tuple[pd.DataFrame, NDArray[np.uint8]]]:
    """Yield rows, ``masks.batch`` at a time, with their label maps."""
    if sequences.empty:
        return
    batch = settings.masks.batch
    around = Surroundings(sequences, frames, settings.masks.context)
    inner = slice(around.pad, around.pad + around.crop)
    for start in progress(range(0, len(sequences), batch), f"masks {shard}"):
        stop = min(start + batch, len(sequences))
        yield sequences.iloc[start:stop], parser.parse(around.batch(start, stop))[:, inner, inner]
