"""Statistics of a dataset: the size of each part, and the sequences dropped on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from tvface.manifests import Manifest
from tvface.mining.split import PARTS
from tvface.settings.model import Dataset, Split


def dataset_statistics(
    settings: Dataset,
    shards: list[Manifest],
    sequences: pd.DataFrame,
    rows: pd.DataFrame,
    dropped: Mapping[str, int],
    repeated: int,
) -> dict[str, Any]:
    """Count the contents of the dataset and what the stages before it dropped.

    Args:
        settings: of the dataset.
        shards: the manifests of the episodes.
        sequences: one row per sequence that is no repeat: ``sequence``, ``show``, ``episode``, ``person``, ``split``
            (None where it belongs to no part).
        rows: the crops that stay.
        dropped: crops that the split and the search for repeats dropped, by reason.
        repeated: sequences that repeat another episode.

    Returns:
        The content of ``dataset.json``; ``remarks`` are sentences for the log and the report.
    """
    kept = sequences[sequences["split"].notna()]
    per_split = {part: int((kept["split"] == part).sum()) for part in PARTS}
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
        "dropped": _dropped_by_stage(shards, dropped),
        "flow": _flow_statistics(settings, shards),
        "remarks": _remarks(settings.split, sequences, per_split),
    }


def _dropped_by_stage(shards: list[Manifest], dropped: Mapping[str, int]) -> dict[str, dict[str, int]]:
    by_stage: dict[str, Counter[str]] = {}
    for shard in shards:
        for stage, counts in shard.provenance["notes"]["parents_dropped"].items():
            by_stage.setdefault(stage, Counter()).update(counts)
        by_stage.setdefault("dataset", Counter()).update(shard.dropped)
    by_stage.setdefault("dataset", Counter()).update(dropped)
    return {stage: dict(sorted(counts.items())) for stage, counts in sorted(by_stage.items())}


def _flow_statistics(settings: Dataset, shards: list[Manifest]) -> dict[str, Any]:
    notes = [shard.provenance["notes"] for shard in shards]
    measured = sum(note["flow_sequences"] for note in notes)
    mean = sum(note["flow_mean_px"] * note["flow_sequences"] for note in notes) / measured if measured else None
    return {
        "backend": settings.flow.backend,
        "size_px": settings.flow.size,
        "mean_px": mean,
        "max_px": max((note["flow_max_px"] for note in notes), default=None),
        "pairs_across_shots": sum(note["pairs_across_shots"] for note in notes),
    }


def _remarks(split: Split, sequences: pd.DataFrame, per_split: Mapping[str, int]) -> list[str]:
    if sequences.empty:
        return ["no sequence is complete: nothing to train on"]
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
