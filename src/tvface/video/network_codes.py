"""The first pass over a video with a network: the codes of every face in every frame, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvface import flow
from tvface.flow.base import FlowBackend, sequence_flow
from tvface.media.images import warp_crop
from tvface.media.video import VideoFrame
from tvface.model.codes_store import CodesStore
from tvface.model.face_model import FaceModel
from tvface.model.inference import encode_images
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.video.job import BLOCK, Job
from tvface.video.steps import Steps


def encode(job: Job, model: FaceModel, store: CodesStore, steps: Steps, key: str) -> None:
    """Encode every block that the store does not hold yet."""
    if not steps.holds("codes", key):
        store.clear()
        steps.mark("codes", key)
    elif store.complete:
        logger("reconstruct").info("codes: taken from the run before")
        return
    elif len(store):
        logger("reconstruct").info("codes: %d blocks are there, going on behind them", len(store))
    backend = flow.create(job.settings.dataset.flow.backend, job.settings.dataset.flow)
    count = 0
    for count, block in enumerate(progress(job.blocks(), f"encoding blocks of {BLOCK} frames"), 1):
        if not store.has(count - 1):
            store.add(count - 1, _encode_block(job, model, block, backend))
    store.finish(count)


def _encode_block(job: Job, model: FaceModel, block: list[VideoFrame], backend: FlowBackend) -> dict[str, NDArray[Any]]:
    """Return the rows of all tracks in a block: ``track``, ``frame``, ``time_s``, ``transform`` and the codes."""
    scale = job.scale(block[0])
    parts = []
    for track, path in job.paths.items():
        frames = [frame for frame in block if path.covers(frame.source_frame)]
        if not frames:
            continue
        maps = [path.transform(frame.source_frame, job.size, scale) for frame in frames]
        crops = [warp_crop(frame.image, matrix, job.size) for frame, matrix in zip(frames, maps, strict=True)]
        flows = sequence_flow(backend, crops, job.settings.dataset.flow.size, np.zeros(len(crops), bool))
        codes = encode_images(model, crops, flows, longest=BLOCK)
        parts.append(
            {
                "track": np.full(len(frames), track, np.int64),
                "frame": np.array([frame.source_frame for frame in frames], np.int64),
                "time_s": np.array([frame.time_s for frame in frames], np.float64),
                "transform": np.stack(maps),
                **{name: value.cpu().numpy() for name, value in codes.items()},
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
