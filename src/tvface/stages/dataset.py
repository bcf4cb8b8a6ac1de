"""Stage ``dataset``: join crops, landmarks and masks; compute optical flow; split; count.

With a shard (an episode) it joins that episode's manifests and stores the flow of every sequence
(:mod:`tvface.stages.dataset_episode`). Without one it puts all episodes together, assigns train, validation and test,
and writes the statistics.
"""

from __future__ import annotations

import json

import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.files.atomic import atomic
from tvface.manifests import read, write
from tvface.manifests.dataset import DATASET, DATASET_SHARD
from tvface.mining.dataset_statistics import dataset_statistics
from tvface.mining.recaps import repeated_sequences
from tvface.mining.split import split_sequences
from tvface.runtime.logging import logger
from tvface.settings import Settings
from tvface.stages import dataset_episode

RECAP = "recap of another episode"


@stage_run("dataset")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Join one episode, named by ``shard``, or put all episodes together (``shard`` empty).

    Args:
        inputs: for an episode ``sequences``, ``landmarks``, ``masks`` (one manifest each; further names are files they
            refer to); for the whole dataset ``manifests`` (one per episode).
        outputs: for an episode ``manifest`` and ``flow`` (tar); for the whole dataset ``manifest`` and ``statistics``
            (JSON).

    Raises:
        ManifestError: an input manifest breaks its contract, or a label row has no crop.
        MissingAsset: the weights of the flow backend are missing.
        SettingsError: the parts of the split leave nothing to train on.
    """
    if shard:
        dataset_episode.run(settings, inputs, outputs, shard=shard)
    else:
        _put_together(settings, inputs, outputs)


def _put_together(settings: Settings, inputs: Paths, outputs: Paths) -> None:
    shards = [read(path, DATASET_SHARD) for path in sorted(map(str, inputs["manifests"]))]
    filled = [shard.rows for shard in shards if len(shard.rows)]
    rows = pd.concat(filled, ignore_index=True) if filled else DATASET_SHARD.empty()
    split = settings.dataset.split
    repeated = repeated_sequences(rows, settings.dataset.recap_distance)
    dropped = {RECAP: int(rows["sequence"].isin(repeated).sum())} if repeated else {}
    rows = rows[~rows["sequence"].isin(repeated)]
    sequences = split_sequences(rows, split)
    lost = sequences[sequences["split"].isna()]
    if len(lost):
        reason = f"person and episode in different parts of the {split.disjoint}-disjoint split"
        dropped[reason] = int(rows["sequence"].isin(lost["sequence"]).sum())
    parts = dict(zip(sequences["sequence"], sequences["split"], strict=True))
    rows["split"] = [parts[name] for name in rows["sequence"]]
    rows = rows[rows["split"].notna()]
    statistics = dataset_statistics(settings.dataset, shards, sequences, rows, dropped, len(repeated))
    for remark in statistics["remarks"]:
        logger("dataset").warning("%s", remark)
    notes = {name: statistics[name] for name in ("sequences_per_split", "remarks")}
    backend = settings.dataset.flow.backend
    recorded = provenance("dataset", settings, inputs, dropped=dropped, backend=backend, notes=notes)
    write(outputs["manifest"], DATASET, rows if len(rows) else DATASET.empty(), recorded)
    with atomic(outputs["statistics"]) as temporary:
        temporary.write_text(json.dumps(statistics, indent=1, sort_keys=True) + "\n", encoding="utf-8")
