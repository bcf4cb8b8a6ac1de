"""Quality of every episode: counts, drops by reason, and histograms of the face scores beside the thresholds.

Manifests are read one episode at a time and a few columns wide, so a thousand episodes cost no more memory than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from tvface.mining.decisions import DROPPED
from tvface.reporting.histograms import Histograms, Score

ALL = "all"

SCORES = (
    Score("score", 0.5, 1.0, ("min_score",)),
    Score("side", 0.0, 400.0, ("min_side",)),
    Score("clarity", 0.0, 1.0, ()),
    Score("pose", 0.0, 1.5, ("max_pose",)),
    Score("crop_luma", 0.0, 255.0, ("luma",)),
    Score("upscale", 0.0, 8.0, ("max_upscale",)),
    Score("shift", 0.0, 1.5, ("move", "too_fast")),
    Score("deformation", 0.0, 0.2, ("deform",)),
)
LABELS = (
    Score("score", 0.0, 1.0, ("min_confidence",), "landmarks: confidence"),
    Score("instability", 0.0, 0.1, ("max_instability",), "landmarks: instability"),
    Score("face", 0.0, 1.0, ("min_face",), "face mask's part"),
)


class Quality:
    """Collects episodes with :meth:`add`; then :meth:`table`, and ``faces``, the histograms of :data:`SCORES`."""

    def __init__(self) -> None:
        self._episodes: list[dict[str, object]] = []
        self._reasons: dict[str, Counter[str]] = {}
        self._people: dict[str, set[str]] = {}
        self.faces = Histograms(SCORES)

    def add(self, frames: Path, candidates: Path) -> None:
        """Count an episode from its manifests of frames and of ``sequences``' candidates."""
        shown = pq.read_table(frames, columns=["show", "episode", "shot"]).to_pandas()
        columns = ["track", "person", "reason", "sequence", *(score.column for score in SCORES)]
        faces = pq.read_table(candidates, columns=columns).to_pandas()
        episode = Path(frames).stem if shown.empty else str(shown["episode"].iloc[0])
        show = "" if shown.empty else str(shown["show"].iloc[0])
        reasons = Counter(faces.loc[faces["reason"] != "used", "reason"].tolist())
        people = set(faces["person"]) - {DROPPED}
        self._people.setdefault(show, set()).update(people)
        self._reasons.setdefault(show, Counter()).update(reasons)
        used = (faces["reason"] == "used").to_numpy()
        self._episodes.append(
            {
                "show": show,
                "episode": episode,
                "frames": len(shown),
                "shots": int(shown["shot"].nunique()),
                "faces": len(faces),
                "tracks": int(faces["track"].nunique()),
                "people": len(people),
                "sequences": int(faces["sequence"].nunique()),
                "faces used": int(used.sum()),
                "dropped most": _most(reasons),
            }
        )
        self.faces.add(faces, used)

    def table(self, most: int = 40) -> pd.DataFrame:
        """Return a row per show (episode ``all``) and one per episode.

        Of more than ``most`` episodes the table holds those with the fewest used faces per frame.

        Args:
            most: largest number of episodes listed.
        """
        rows = pd.DataFrame(self._episodes)
        if rows.empty:
            return rows
        counted = ["frames", "shots", "faces", "tracks", "sequences", "faces used"]
        sums = rows.groupby("show", sort=True)[counted].sum().reset_index()
        sums.insert(1, "episode", [f"{ALL} {count}" for count in rows.groupby("show", sort=True).size()])
        sums["people"] = [len(self._people[show]) for show in sums["show"]]
        sums["dropped most"] = [_most(self._reasons[show]) for show in sums["show"]]
        if len(rows) > most:
            yielded = rows["faces used"] / rows["frames"].clip(lower=1)
            rows = rows.loc[yielded.sort_values(kind="stable").index[:most]]
        return pd.concat([sums[rows.columns], rows.sort_values(["show", "episode"])], ignore_index=True)


def _most(reasons: Counter[str], count: int = 3) -> str:
    return ", ".join(f"{reason} {faces}" for reason, faces in reasons.most_common(count))


def collect(frames: Sequence[Path], candidates: Sequence[Path]) -> Quality:
    """Return the quality of a run's episodes.

    Args:
        frames: manifests ``<episode>.parquet`` of ``frames``; candidates: ``<episode>.candidates.parquet``.

    Raises:
        ValueError: an episode has one manifest and not the other.
    """
    of_episode: Mapping[str, Path] = {path.name.removesuffix(".candidates.parquet"): path for path in candidates}
    names = {path.name.removesuffix(".parquet") for path in frames}
    if names != set(of_episode):
        raise ValueError(f"frames and candidates name different episodes: {sorted(names ^ set(of_episode))[:5]}")
    quality = Quality()
    for path in sorted(frames):
        quality.add(path, of_episode[path.name.removesuffix(".parquet")])
    return quality


def label_scores(landmarks: Sequence[Path], masks: Sequence[Path], kept: set[str]) -> Histograms:
    """Return the histograms of :data:`LABELS` over all crops.

    Args:
        landmarks, masks: manifests of all episodes; kept: the sequences in the dataset.
    """
    histograms = Histograms(LABELS)
    for paths, columns in ((landmarks, ["score", "instability"]), (masks, ["face"])):
        for path in paths:
            rows = pq.read_table(path, columns=["sequence", *columns]).to_pandas()
            histograms.add(rows, rows["sequence"].isin(kept).to_numpy(bool))
    return histograms
