"""The part of stage ``dataset`` that joins one episode and stores the optical flow of every sequence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from tvface.dag.provenance import Paths, provenance
from tvface.flow import create
from tvface.flow.base import FlowBackend, sequence_flow
from tvface.manifests import read, write
from tvface.manifests.dataset import DATASET_SHARD
from tvface.manifests.fit import FIT
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import read_image
from tvface.media.tarstore import TarWriter
from tvface.mining.joins import join
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings
from tvface.settings.model import Flow


def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str) -> None:
    """Join one episode; see :func:`tvface.stages.dataset.run`, which calls this with the settings of the stage.

    Args:
        inputs: ``sequences``, ``landmarks``, ``masks`` (one manifest each; further names are files they refer to);
            ``fit``: list of its manifest, empty if the dataset does not drop by it.
        outputs: ``manifest`` and ``flow`` (tar).
        shard: the episode.
    """
    parents = {
        "sequences": read(inputs["sequences"], SEQUENCES),
        "landmarks": read(inputs["landmarks"], LANDMARKS),
        "masks": read(inputs["masks"], MASKS),
    }
    fits = [read(path, FIT) for path in inputs["fit"]]  # none if the dataset does not drop by it
    fit = fits[0] if fits else None
    rows, dropped = join(parents["sequences"], parents["landmarks"], parents["masks"], fit, settings.dataset)
    flow = settings.dataset.flow
    backend = create(flow.backend, flow, _device(settings))
    with TarWriter(outputs["flow"]) as tar:
        stored = _store_flow(rows, backend, flow, tar)
    for index, column in enumerate(("flow_file", "flow_offset", "flow_length")):
        rows[column] = [stored.places[name][index] for name in rows["sequence"]]
    rows["flow_size"] = flow.size
    notes = {
        "parents_dropped": {name: parent.dropped for name, parent in parents.items()},
        "flow_sequences": len(stored.means),
        "flow_mean_px": float(np.mean(stored.means)) if stored.means else 0.0,
        "flow_max_px": stored.largest,
        "pairs_across_shots": int(rows["crossing"].sum()) if len(rows) else 0,
    }
    recorded = provenance(
        "dataset",
        settings,
        inputs,
        shard=shard,
        dropped=dropped,
        backend=flow.backend,
        weights=backend.weights,
        notes=notes,
    )
    write(outputs["manifest"], DATASET_SHARD, rows if len(rows) else DATASET_SHARD.empty(), recorded)
    logger("dataset").info("%d sequences joined, %d rows dropped", len(stored.places), sum(dropped.values()))


class _StoredFlow(NamedTuple):
    """The flow of the sequences: places in the tar and statistics.

    ``places`` holds (file, offset, length) by sequence, ``means`` the mean length of the vectors in pixels of each
    sequence that has a pair inside a shot, and ``largest`` the largest length.
    """

    places: dict[str, tuple[str, int, int]]
    means: list[float]
    largest: float


def _store_flow(rows: pd.DataFrame, backend: FlowBackend, flow: Flow, tar: TarWriter) -> _StoredFlow:
    """Compute the flow between the neighbouring crops of every sequence and append it to the tar."""
    places: dict[str, tuple[str, int, int]] = {}
    means: list[float] = []
    largest = 0.0
    groups = list(rows.groupby("sequence", sort=True))
    for name, frames in progress(groups, "optical flow", len(groups)):
        images = [read_image(r.image_file, r.image_offset, r.image_length) for r in frames.itertuples()]
        crossing = frames["crossing"].to_numpy(bool)
        field = sequence_flow(backend, images, flow.size, crossing, flow.computed_at)
        places[name] = tar.add(f"{name}.f16", field.astype("<f2").tobytes())
        length = np.linalg.norm(field.astype(np.float32), axis=2)[:, ~crossing[1:]]
        if length.size:
            means.append(float(length.mean()))
            largest = max(largest, float(length.max()))
    return _StoredFlow(places, means, largest)


def _device(settings: Settings) -> str:
    from tvface.runtime.device import torch_device  # here, because torch is slow to import

    return str(torch_device(settings.device))
