"""Join crops, landmarks and masks; keep the sequences that are complete and good enough for the dataset."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from tvface.manifests import Manifest, ManifestError
from tvface.manifests.dataset import DATASET_SHARD
from tvface.manifests.fit import REASONS
from tvface.settings import SettingsError
from tvface.settings.model import Dataset

_KEY = ["sequence", "position"]


def join(
    sequences: Manifest, landmarks: Manifest, masks: Manifest, fit: Manifest | None, settings: Dataset
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Keep the sequences that have landmarks and masks at every position, all good enough by the settings.

    A single poor crop drops its whole sequence, because the temporal model needs neighbouring frames. A sequence with
    several faults counts under the first. Without ``fit`` no sequence is dropped for the fit of its crops.

    Returns:
        Rows with the columns of ``DATASET_SHARD`` except flow, and the number of dropped crops by reason.

    Raises:
        ManifestError: landmarks, masks or fit hold crops that the sequences manifest lacks: they are of another run.
    """
    dropped: Counter[str] = Counter()
    others = {"landmarks": landmarks, "masks": masks} | ({} if fit is None else {"fit": fit})
    keep = _complete(sequences, others, dropped)
    labels = ["labels_file", "labels_offset", "labels_length"]
    points = landmarks.rows[[*_KEY, "points68", "score", "instability"]]
    joined = keep.merge(points.rename(columns={"score": "confidence"}), on=_KEY)
    joined = joined.merge(masks.rows[[*_KEY, *labels, "face"]], on=_KEY)
    if fit is not None:
        joined = _trusted(joined, fit.rows, dropped)
    joined = _good(joined, settings, dropped)
    names = [c.name for c in DATASET_SHARD.columns if not c.name.startswith("flow")]
    counted = {reason: count for reason, count in dropped.items() if count}
    return joined[names].sort_values(_KEY).reset_index(drop=True), counted


def _complete(sequences: Manifest, others: dict[str, Manifest], dropped: Counter[str]) -> pd.DataFrame:
    """Return the crops of the sequences that have a row in every other manifest at every position."""
    keep = sequences.rows
    for what, other in others.items():
        extra = other.rows.merge(sequences.rows[_KEY], on=_KEY, how="left", indicator=True)
        if (extra["_merge"] == "left_only").any():
            first = extra.loc[extra["_merge"] == "left_only", _KEY].iloc[0].to_dict()
            raise ManifestError(
                f"{other.path}: {first} is not in {sequences.path}; the two are of different runs: run {what} again"
            )
        there = keep[_KEY].merge(other.rows[_KEY].assign(there=1), on=_KEY, how="left")["there"].notna().to_numpy()
        share = pd.Series(there.astype(float), index=keep.index).groupby(keep["sequence"]).transform("mean")
        dropped[f"sequence without {what}"] += int((share == 0).sum())
        dropped[f"sequence with {what} at some frames only"] += int(((share > 0) & (share < 1)).sum())
        keep = keep[share == 1]
    for name, frames in keep.groupby("sequence"):
        if sorted(frames["position"]) != list(range(len(frames))):
            raise ManifestError(f"{sequences.path}: the positions of sequence {name} are not 0 .. {len(frames) - 1}")
    return keep


def _trusted(joined: pd.DataFrame, fits: pd.DataFrame, dropped: Counter[str]) -> pd.DataFrame:
    """Return the crops of the sequences whose fit can be trusted in every frame."""
    verdicts = joined[_KEY].merge(fits[[*_KEY, "verdict"]], on=_KEY, how="left")["verdict"].to_numpy()
    for reason in REASONS:
        gone = joined["sequence"].isin(joined.loc[verdicts == reason, "sequence"])
        dropped[f"failed fit: {reason}"] += int(gone.sum())
        joined, verdicts = joined[~gone], verdicts[~gone.to_numpy()]
    return joined


def _good(joined: pd.DataFrame, settings: Dataset, dropped: Counter[str]) -> pd.DataFrame:
    """Return the crops of the sequences without a poor one."""
    limit = settings.max_instability
    if limit is not None and joined["instability"].isna().any():
        raise SettingsError("dataset.max_instability needs the scores that landmarks.check_shift makes; it is null")
    for reason, poor in (
        ("low confidence", joined["confidence"] < settings.min_confidence),
        ("unstable landmarks", joined["instability"] > (np.inf if limit is None else limit)),
        ("little face", joined["face"] < settings.min_face),
    ):
        gone = joined["sequence"].isin(joined.loc[poor, "sequence"])
        dropped[reason] += int(gone.sum())
        joined = joined[~gone]
    return joined
