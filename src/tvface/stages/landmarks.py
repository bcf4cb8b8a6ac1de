"""Find the 68 points of every crop.

Reads the sequences manifest and, for what lies beyond the crop, the frames manifest with its pictures.
Writes one row per crop: points in crop pixels, the confidence of each, their mean, and how much the points depend on
the box. Drops nothing: stage ``dataset`` decides by these scores, so that another threshold needs no new landmarks.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from tvface import landmarkers, manifests
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.landmarkers.base import Landmarker
from tvface.manifests.frames import FRAMES
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.sequences import SEQUENCES
from tvface.mining.surroundings import Surroundings, device, path_of
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings


@stage_run("landmarks")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Run the stage for one episode.

    Args:
        inputs: ``sequences``, ``frames``: manifests of the episode.
        outputs: ``manifest``.
    """
    torch.set_num_threads(threads)
    landmark_settings = settings.landmarks
    sequences = manifests.read(path_of(inputs, "sequences"), SEQUENCES).rows
    frames = manifests.read(path_of(inputs, "frames"), FRAMES).rows
    landmarker = landmarkers.create(landmark_settings.backend, landmark_settings, device(settings))
    rows = _locate(settings, landmarker, sequences, frames, shard)
    logger("landmarks").info(
        "%s: %d crops with %s, mean confidence %.2f",
        shard,
        len(rows),
        landmark_settings.backend,
        rows["score"].mean() if len(rows) else float("nan"),
    )
    record = provenance(
        "landmarks",
        settings,
        inputs,
        backend=landmark_settings.backend,
        weights=landmarker.weights,
        notes={"precision": landmarker.precision},
    )
    manifests.write(outputs["manifest"], LANDMARKS, rows, record)


def _locate(
    settings: Settings,
    landmarker: Landmarker,
    sequences: pd.DataFrame,
    frames: pd.DataFrame,
    shard: str,
) -> pd.DataFrame:
    landmark_settings = settings.landmarks
    if sequences.empty:
        return LANDMARKS.empty()
    around = Surroundings(sequences, frames, landmark_settings.context)
    boxes = np.stack(sequences["box"].to_list()).astype(np.float32) + around.pad
    points = np.zeros((len(sequences), 68, 2), np.float32)
    confidence = np.zeros((len(sequences), 68), np.float32)
    instability = np.full(len(sequences), np.nan, np.float32)
    for start in progress(range(0, len(sequences), landmark_settings.batch), f"landmarks {shard}"):
        part = slice(start, min(start + landmark_settings.batch, len(sequences)))
        crops = around.batch(part.start, part.stop)
        points[part], confidence[part] = landmarker.locate(crops, boxes[part])
        if landmark_settings.check_shift is not None:
            instability[part] = landmarker.instability(crops, boxes[part], points[part], landmark_settings.check_shift)
    points -= around.pad
    return sequences[["episode", "sequence", "position"]].assign(
        points68=list(points.reshape(len(points), -1)),
        confidence=list(confidence),
        score=confidence.mean(1),
        instability=instability,
    )
