"""Stage ``dataset``: join crops, landmarks and masks; compute optical flow; split; count.

With a shard (an episode) it joins that episode's manifests and stores the flow of every sequence. Without one it puts
all episodes together, assigns train, validation and test, and writes the statistics.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.files.atomic import atomic
from tvface.flow import create
from tvface.flow.base import sequence_flow
from tvface.manifests import Manifest, ManifestError, read, write
from tvface.manifests.dataset import DATASET, DATASET_SHARD
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import read_image
from tvface.media.tarstore import TarWriter
from tvface.mining.recaps import recaps
from tvface.mining.split import PARTS, assign
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings, SettingsError
from tvface.settings.model import Dataset

_DISJOINT = {
    "identity+episode": (("show", "person"), ("show", "episode")),
    "identity": (("show", "person"),),
    "episode": (("show", "episode"),),
}
_KEY = ["sequence", "position"]
RECAP = "recap of another episode"


@stage_run("dataset")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Join one episode (``shard`` given), or put all episodes together (``shard`` empty).

    Args:
        inputs: of a shard ``sequences``, ``landmarks``, ``masks`` (one manifest each; further names are files they
            refer to); of the whole ``manifests`` (list of shards).
        outputs: of a shard ``manifest`` and ``flow`` (tar); of the whole ``manifest`` and ``statistics`` (JSON).

    Raises:
        ManifestError: a parent breaks its contract, or a label row has no crop.
        MissingAsset: the flow backend's weights are absent.
    """
    if shard:
        _run_shard(settings, inputs, outputs, shard)
    else:
        _run_whole(settings, inputs, outputs)


def _run_shard(settings: Settings, inputs: Paths, outputs: Paths, shard: str) -> None:
    log = logger("dataset")
    parents = {
        "sequences": read(inputs["sequences"], SEQUENCES),
        "landmarks": read(inputs["landmarks"], LANDMARKS),
        "masks": read(inputs["masks"], MASKS),
    }
    rows, dropped = join(parents["sequences"], parents["landmarks"], parents["masks"], settings.dataset)
    flow = settings.dataset.flow
    backend = create(flow.backend, flow, _device(settings))
    magnitudes: list[float] = []
    largest = 0.0
    stored: dict[str, tuple[str, int, int]] = {}
    groups = list(rows.groupby("sequence", sort=True))
    with TarWriter(outputs["flow"]) as tar:
        for name, frames in progress(groups, "optical flow", len(groups)):
            images = [read_image(r.image_file, r.image_offset, r.image_length) for r in frames.itertuples()]
            crossing = frames["crossing"].to_numpy(bool)
            field = sequence_flow(backend, images, flow.size, crossing, flow.computed_at)
            stored[name] = tar.add(f"{name}.f16", field.astype("<f2").tobytes())
            length = np.linalg.norm(field.astype(np.float32), axis=2)[:, ~crossing[1:]]
            if length.size:
                magnitudes.append(float(length.mean()))
                largest = max(largest, float(length.max()))
    for index, column in enumerate(("flow_file", "flow_offset", "flow_length")):
        rows[column] = [stored[name][index] for name in rows["sequence"]]
    rows["flow_size"] = flow.size
    write(
        outputs["manifest"],
        DATASET_SHARD,
        rows if len(rows) else DATASET_SHARD.empty(),
        provenance(
            "dataset",
            settings,
            inputs,
            shard=shard,
            dropped=dropped,
            backend=flow.backend,
            weights=backend.weights,
            notes={
                "parents_dropped": {name: parent.dropped for name, parent in parents.items()},
                "flow_sequences": len(magnitudes),
                "flow_mean_px": float(np.mean(magnitudes)) if magnitudes else 0.0,
                "flow_max_px": largest,
                "pairs_across_shots": int(rows["crossing"].sum()) if len(rows) else 0,
            },
        ),
    )
    log.info("%d sequences joined, %d rows dropped", len(groups), sum(dropped.values()))


def join(
    sequences: Manifest, landmarks: Manifest, masks: Manifest, settings: Dataset
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Keep the sequences that have landmarks and masks at every position, good enough ones by the settings.

    A single poor crop takes its sequence along: one with a hole is of no use to the temporal model. A sequence with
    several faults counts for the first.

    Returns:
        Rows with the columns of ``DATASET_SHARD`` except flow, and the number of dropped crops by reason.

    Raises:
        ManifestError: landmarks or masks hold crops that the sequences do not, so they are of another run.
    """
    crops = sequences.rows
    dropped: Counter[str] = Counter()
    keep = crops
    for other, what in ((landmarks, "landmarks"), (masks, "masks")):
        extra = other.rows.merge(crops[_KEY], on=_KEY, how="left", indicator=True)
        if (extra["_merge"] == "left_only").any():
            first = extra.loc[extra["_merge"] == "left_only", _KEY].iloc[0].to_dict()
            raise ManifestError(
                f"{other.path}: {first} is not in {sequences.path}; the two are of different runs: run {what} again"
            )
        found = keep[_KEY].merge(other.rows[_KEY].assign(found=1), on=_KEY, how="left")["found"].notna().to_numpy()
        share = pd.Series(found.astype(float), index=keep.index).groupby(keep["sequence"]).transform("mean")
        dropped[f"sequence without {what}"] += int((share == 0).sum())
        dropped[f"sequence with {what} at some frames only"] += int(((share > 0) & (share < 1)).sum())
        keep = keep[share == 1]
    for name, frames in keep.groupby("sequence"):
        if sorted(frames["position"]) != list(range(len(frames))):
            raise ManifestError(f"{sequences.path}: the positions of sequence {name} are not 0 .. {len(frames) - 1}")
    labels = ["labels_file", "labels_offset", "labels_length"]
    found = landmarks.rows[[*_KEY, "points68", "score", "instability"]]
    joined = keep.merge(found.rename(columns={"score": "confidence"}), on=_KEY)
    joined = joined.merge(masks.rows[[*_KEY, *labels, "face"]], on=_KEY)
    limit = settings.max_instability
    if limit and joined["instability"].isna().any():
        raise SettingsError("dataset.max_instability needs the scores that landmarks.check_shift makes; it is 0")
    for reason, poor in (
        ("low confidence", joined["confidence"] < settings.min_confidence),
        ("unstable landmarks", joined["instability"] > (limit or np.inf)),
        ("little face", joined["face"] < settings.min_face),
    ):
        gone = joined["sequence"].isin(joined.loc[poor, "sequence"])
        dropped[reason] += int(gone.sum())
        joined = joined[~gone]
    names = [c.name for c in DATASET_SHARD.columns if not c.name.startswith("flow")]
    counted = {reason: count for reason, count in dropped.items() if count}
    return joined[names].sort_values(_KEY).reset_index(drop=True), counted


def _run_whole(settings: Settings, inputs: Paths, outputs: Paths) -> None:
    shards = [read(path, DATASET_SHARD) for path in sorted(map(str, inputs["manifests"]))]
    filled = [shard.rows for shard in shards if len(shard.rows)]
    rows = pd.concat(filled, ignore_index=True) if filled else DATASET_SHARD.empty()
    split = settings.dataset.split
    if split.validation + split.test >= 1:
        raise SettingsError(
            f"dataset.split: validation {split.validation} + test {split.test} leave nothing to train on; lower them"
        )
    repeated = _recaps(rows, settings.dataset.recap_distance)
    dropped = {RECAP: int(rows["sequence"].isin(repeated).sum())} if repeated else {}
    rows = rows[~rows["sequence"].isin(repeated)]
    sequences = rows.drop_duplicates("sequence")[["sequence", "show", "episode", "person"]].sort_values("sequence")
    sequences["split"] = assign(sequences, _DISJOINT[split.disjoint], (split.validation, split.test))
    lost = sequences[sequences["split"].isna()]
    reason = f"person and episode in different parts of the {split.disjoint}-disjoint split"
    if len(lost):
        dropped[reason] = int(rows["sequence"].isin(lost["sequence"]).sum())
    parts = dict(zip(sequences["sequence"], sequences["split"], strict=True))
    rows["split"] = [parts[name] for name in rows["sequence"]]
    rows = rows[rows["split"].notna()]
    statistics = _statistics(settings, shards, sequences, rows, dropped, len(repeated))
    remarks = statistics["remarks"]
    for remark in remarks:
        logger("dataset").warning("%s", remark)
    write(
        outputs["manifest"],
        DATASET,
        rows if len(rows) else DATASET.empty(),
        provenance(
            "dataset",
            settings,
            inputs,
            dropped=dropped,
            backend=settings.dataset.flow.backend,
            notes={"sequences_per_split": statistics["sequences_per_split"], "remarks": remarks},
        ),
    )
    with atomic(outputs["statistics"]) as temporary:
        temporary.write_text(json.dumps(statistics, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _recaps(rows: pd.DataFrame, distance: int) -> set[str]:
    """Return the sequences that repeat footage of an episode of the show which comes before by its name.

    Without this a test sequence could be a copy of a training sequence.
    """
    found: set[str] = set()
    for _, of_show in rows.sort_values(["episode", "sequence", "position"], kind="stable").groupby("show", sort=True):
        names, hashes, takes = [], [], []
        number = {episode: index for index, episode in enumerate(of_show["episode"].unique())}
        for name, frames in of_show.groupby("sequence", sort=False):
            names.append(str(name))
            hashes.append(frames["phash"].to_numpy(np.int64))
            takes.append(number[frames["episode"].iloc[0]])
        found |= {name for name, again in zip(names, recaps(hashes, takes, distance), strict=True) if again}
    return found


def _statistics(
    settings: Settings,
    shards: list[Manifest],
    sequences: pd.DataFrame,
    rows: pd.DataFrame,
    dropped: Mapping[str, int],
    repeated: int,
) -> dict[str, Any]:
    kept = sequences[sequences["split"].notna()]
    per_split = {part: int((kept["split"] == part).sum()) for part in PARTS}
    by_stage: dict[str, Counter[str]] = {}
    for shard in shards:
        for stage, counts in shard.provenance["notes"]["parents_dropped"].items():
            by_stage.setdefault(stage, Counter()).update(counts)
        by_stage.setdefault("dataset", Counter()).update(shard.dropped)
    by_stage.setdefault("dataset", Counter()).update(dropped)
    notes = [shard.provenance["notes"] for shard in shards]
    measured = sum(note["flow_sequences"] for note in notes)
    mean = sum(note["flow_mean_px"] * note["flow_sequences"] for note in notes) / measured if measured else None
    return {
        "sequences": len(kept),
        "frames": len(rows),
        "episodes": int(sequences["episode"].nunique()),
        "sequences_before_recaps": len(sequences) + repeated,
        "sequences_before_split": len(sequences),
        "sequences_per_split": per_split,
        "sequences_per_show": _count(kept, ["show"]),
        "sequences_per_person": _count(kept, ["show", "person"]),
        "sequences_per_episode": _count(kept, ["episode"]),
        "persons_per_split": {
            part: _unique(f"{r.show}/{r.person}" for r in kept[kept["split"] == part].itertuples()) for part in PARTS
        },
        "episodes_per_split": {part: _unique(kept.loc[kept["split"] == part, "episode"]) for part in PARTS},
        "dropped": {stage: dict(sorted(counts.items())) for stage, counts in sorted(by_stage.items())},
        "flow": {
            "backend": settings.dataset.flow.backend,
            "size_px": settings.dataset.flow.size,
            "mean_px": mean,
            "max_px": max((note["flow_max_px"] for note in notes), default=None),
            "pairs_across_shots": sum(note["pairs_across_shots"] for note in notes),
        },
        "remarks": _remarks(settings, sequences, per_split),
    }


def _remarks(settings: Settings, sequences: pd.DataFrame, per_split: Mapping[str, int]) -> list[str]:
    if sequences.empty:
        return ["no sequence is complete: nothing to train on"]
    split = settings.dataset.split
    shares = {"train": 1 - split.validation - split.test, "validation": split.validation, "test": split.test}
    empty = [part for part in PARTS if shares[part] > 0 and not per_split[part]]
    if not empty:
        return []
    people = sequences[["show", "person"]].drop_duplicates().shape[0]
    return [
        f"{' and '.join(empty)} empty: {len(sequences)} sequences of {people} person(s) in "
        f"{sequences['episode'].nunique()} episode(s) allow no more {split.disjoint}-disjoint parts "
        "(dataset.split.disjoint)"
    ]


def _count(rows: pd.DataFrame, columns: list[str]) -> dict[str, int]:
    names = rows[columns].agg("/".join, axis=1) if len(rows) else pd.Series(dtype=str)
    return {str(name): int(count) for name, count in names.value_counts(sort=False).sort_index().items()}


def _unique(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


def _device(settings: Settings) -> str:
    from tvface.runtime.device import torch_device  # torch is slow to import, and only running the stage needs it

    return str(torch_device(settings.device))
