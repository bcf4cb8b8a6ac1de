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
from tvface.model.spans import SPAN
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
    blocks = progress(job.blocks_among(SPAN), f"encoding blocks of {BLOCK} frames")
    for count, (frames, first, behind) in enumerate(blocks, 1):
        if not store.has(count - 1):
            numbers = range(frames[first].source_frame, frames[behind - 1].source_frame + 1)
            store.add(count - 1, _encode_block(job, model, frames, numbers, backend))
    store.finish(count)


def _encode_block(
    job: Job, model: FaceModel, block: list[VideoFrame], numbers: range, backend: FlowBackend
) -> dict[str, NDArray[Any]]:
    """Return the rows of all tracks in a block: ``track``, ``frame``, ``time_s``, ``transform`` and the codes.

    Args:
        job, model, backend: of the run.
        block: frames of the block and its surroundings.
        numbers: of the block's own frames; the others are only looked at.
    """
    scale = job.scale(block[0])
    parts = []
    for track, path in job.paths.items():
        frames = [frame for frame in block if path.covers(frame.source_frame)]
        own = [place for place, frame in enumerate(frames) if frame.source_frame in numbers]
        if not own:
            continue
        maps = [path.transform(frame.source_frame, job.size, scale) for frame in frames]
        crops = [warp_crop(frame.image, matrix, job.size) for frame, matrix in zip(frames, maps, strict=True)]
        flows = sequence_flow(backend, crops, job.settings.dataset.flow.size, np.zeros(len(crops), bool))
        codes = encode_images(model, crops, flows, frames[0].source_frame)
        parts.append(
            {
                "track": np.full(len(own), track, np.int64),
                "frame": np.array([frames[place].source_frame for place in own], np.int64),
                "time_s": np.array([frames[place].time_s for place in own], np.float64),
                "transform": np.stack(maps)[own],
                **{name: value.cpu().numpy()[own] for name, value in codes.items()},
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
