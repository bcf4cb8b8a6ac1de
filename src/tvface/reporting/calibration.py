"""Thresholds of identity compared with suggestions from the footage: a table and histograms of distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from tvface import embedders
from tvface.dag.layout import decisions, face_manifests, require_made
from tvface.embedders.base import unit
from tvface.evaluation.calibration import Calibration, Choice, Known, choose
from tvface.files.atomic import atomic
from tvface.manifests import read
from tvface.manifests.faces import FACES
from tvface.mining.decisions import Constraints, Track, read_decisions
from tvface.settings import Settings, SettingsError, merge, nested

_COLUMNS = ["episode", "frame", "shot", "x0", "y0", "x1", "y1", "track", "embedding"]


@dataclass(frozen=True)
class Line:
    """One setting: its dotted name, the threshold in use, the known pairs, and the choice (None: pairs are missing)."""

    setting: str
    now: float
    known: Known
    choice: Choice | None


def calibrate(settings: Settings, shows: Sequence[str], false_accepts: float) -> list[Line]:
    """Compare the thresholds of identity with pairs of faces that the footage itself labels.

    Args:
        settings: of a run whose stage ``faces`` is done.
        shows: shows that share no actor; their people count as different.
        false_accepts: part of the pairs of two people that a threshold may join, 0..1.

    Raises:
        SettingsError: the stage has not run, or it detected no face.
        DecisionError: a decision names an unknown track.
    """
    calibration = Calibration(settings.identities.min_faces, settings.seed)
    faces = 0
    for show in shows:
        decision_files = decisions(settings, show)
        decided = read_decisions(decision_files[0]) if decision_files else None
        decided_tracks = decided.tracks() if decided is not None else set()
        means: dict[Track, np.ndarray] = {}
        tracks: dict[Track, int] = {}
        paths = face_manifests(settings, show)
        require_made(paths, "faces")
        for path in paths:
            rows = read(path, FACES).rows[_COLUMNS].sort_values("frame", kind="stable")
            if rows.empty:
                continue
            faces += len(rows)
            embeddings = np.stack(rows["embedding"].to_list()).astype(np.float32)
            places = rows[["x0", "y0", "x1", "y1"]].to_numpy(np.float64)
            calibration.add(show, rows["frame"].to_numpy(), rows["shot"].to_numpy(), places, embeddings)
            episode = str(rows["episode"].iloc[0])
            for number, members in rows.reset_index(drop=True).groupby("track").groups.items():
                track = (episode, int(number))
                tracks[track] = len(tracks)
                if track in decided_tracks:
                    means[track] = unit(embeddings[members].mean(0))
        if decided is not None:
            Constraints(decided, tracks)  # raises for unknown tracks
            calibration.add_decisions(decided, means)
    if not faces:
        raise SettingsError("calibrate: no face was found in this footage; there is nothing to compare")
    calibration.add_shows()
    embedder = embedders.distances(settings.faces.embedder)
    lines = (
        ("faces.tracks.distance", settings.faces.tracks.distance, embedder.track_distance, calibration.tracks),
        ("identities.threshold", settings.identities.threshold, embedder.person_distance, calibration.people),
        ("sequences.pair_distance", settings.sequences.pair_distance, embedder.pair_distance, calibration.pairs),
    )
    return [
        _line(name, default if threshold is None else threshold, known, false_accepts)
        for name, threshold, default, known in lines
    ]


def _line(setting: str, now: float, known: Known, false_accepts: float) -> Line:
    both = all(len(kind) for kind in known.arrays())
    return Line(setting, now, known, choose(known, now, false_accepts) if both else None)


def table(lines: Sequence[Line]) -> pd.DataFrame:
    """Return a row per setting.

    It holds the number of pairs of one and of two people, how well distances separate them, and the share of either
    kind that the threshold in use and the suggested one join [%]. Without pairs of both kinds only the numbers.
    """
    rows = []
    for line in lines:
        same, different = (len(kind) for kind in line.known.arrays())
        row: dict[str, object] = {"setting": line.setting, "one_person": same, "two_people": different, "now": line.now}
        if line.choice is not None:
            one, two = 100 * np.array(line.choice.accepted), 100 * np.array(line.choice.false)
            row |= {"suggested": round(line.choice.suggested, 3), "roc_area": round(line.choice.figures.area, 4)}
            row |= {"joined_of_one_now": one[0], "joined_of_one_suggested": one[1]}
            row |= {"joined_of_two_now": two[0], "joined_of_two_suggested": two[1]}
        rows.append(row)
    return pd.DataFrame(rows).round(3)


def snippet(lines: Sequence[Line]) -> str:
    """Return the suggested thresholds as YAML for a configuration file."""
    suggested: dict[str, Any] = {}
    for line in lines:
        if line.choice is not None:
            suggested = merge(suggested, nested(line.setting, round(line.choice.suggested, 3)))
    return yaml.safe_dump(suggested, sort_keys=False) if suggested else ""


def write_histograms(lines: Sequence[Line], path: Path) -> None:
    """Draw the distances of both kinds of pairs per setting, the threshold in use and the suggested one."""
    figure = Figure(figsize=(13, 3.6), dpi=100)
    edges = np.linspace(0, 2, 81)
    for axis, line in zip(figure.subplots(1, len(lines)), lines, strict=True):
        same, different = line.known.arrays()
        for kind, colour, label in ((same, "tab:blue", "one person"), (different, "tab:orange", "two people")):
            axis.hist(
                kind,
                edges,
                weights=np.full(len(kind), 100 / max(1, len(kind))),
                color=colour,
                alpha=0.6,
                label=f"{label}, {len(kind)} pairs",
            )
        axis.axvline(line.now, color="black", linewidth=1.2, label=f"now {line.now:.3g}")
        if line.choice is not None:
            suggested = line.choice.suggested
            axis.axvline(suggested, color="tab:red", linewidth=1.2, linestyle="--", label=f"suggested {suggested:.3f}")
        axis.set(title=line.setting, xlabel="distance of embeddings", xlim=(0, 2))
        axis.legend(fontsize=7)
    figure.axes[0].set_ylabel("pairs of the kind [%]")
    figure.tight_layout()
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
