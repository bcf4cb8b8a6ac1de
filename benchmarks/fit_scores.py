"""What ``benchmarks/fits.py`` measures: fits against the truth, and the errors of the found points themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fit_tracks import Track
from tvface.conventions.points68 import PARTS, eye_distance
from tvface.evaluation.labels import true_points
from tvface.evaluation.models import geometry_metrics, point_metrics
from tvface.evaluation.points import normalised_mean_error
from tvface.evaluation.table import MetricTable
from tvface.fitting.codes import FittedCodes
from tvface.fitting.photometry import Photometry
from tvface.fitting.placed import observe
from tvface.fitting.views import views
from tvface.head import human
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.settings.model import Head
from tvface.synthetic.looks.tone import painted_skin
from tvface.synthetic.show.casting import cast_people

LIPS = ((61, 67), (62, 66), (63, 65))
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
EVERY = 5  # frames whose vertices are compared: the whole head is costly
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
NAMES = {
    "reprojection_nme": "reproj %",
    "posed_error": "posed %",
    "aligned_error": "aligned mm",
    "neutral_error": "neutral mm",
    "jitter": "jitter %",
}


def point_rows(track: Track, points: NDArray[np.floating], rows: NDArray[np.int64]) -> pd.DataFrame:
    """Return frames ``rows`` of a track with points (T,68,2) in crop pixels, in the columns of ``evaluation``."""
    return pd.DataFrame(
        {
            "episode": track.truth["episode"].to_numpy()[rows],
            "source_frame": track.truth["source_frame"].to_numpy()[rows],
            "sequence": track.name,
            "track": track.name,
            "person": track.person,
            "size": track.truth["size"].to_numpy()[rows],
            "transform": list(track.transform[rows].reshape(-1, 6)),
            "landmarks68": list(track.points[rows].reshape(-1, 136)),
            "points68": list(np.asarray(points, np.float64).reshape(-1, 136)),
        }
    )


def score(rows: pd.DataFrame, truth: pd.DataFrame, head: HeadData, size: int, way: str) -> dict[str, object]:
    """Return the numbers of one way: rows of :func:`point_rows`, with codes or points alone.

    Args:
        rows: of all tracks; with the columns ``shape``, ``expression``, ``pose`` and ``camera`` if these are fits.
        truth: true faces of all tracks.
        head: of the codes.
        size: side of the crops.
        way: name of the row.
    """
    joined = true_points(rows, truth)
    table = MetricTable()
    point_metrics(table, joined, way, True)
    if "shape" in joined:
        some = joined[joined.groupby("sequence").cumcount() % EVERY == 0]
        geometry_metrics(table, some, head, size, np.array(some["size"].to_list(), float), way)
    values = table.rows().set_index("metric")["value"]
    points, found = (np.stack(joined[name].to_list()).reshape(-1, 68, 2) for name in ("points68", "landmarks68"))
    true = np.stack(joined["true68"].to_list())
    track = joined["track"].to_numpy()
    line: dict[str, object] = {"way": way, "people": joined["person"].nunique(), "frames": len(joined)}
    line["found NME %"] = 100 * normalised_mean_error(points, found).mean()
    line |= {short: values.get(name, np.nan) for name, short in NAMES.items()}
    for name, pairs in (("lips", LIPS), ("lids", LIDS)):
        line |= _agreement(name, *(gap(each, pairs) / _eyes(true, track) for each in (points, true)), track)
    if "pose" in joined:
        jaws = np.stack(joined["pose"].to_list())[:, 3], np.stack(joined["joints"].to_list())[:, 6]
        line |= _agreement("jaw", *jaws, track)
    return line


def gap(points: NDArray[np.floating], pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the mean distance between the points of the pairs, (N,)."""
    upper, lower = np.array(pairs).T
    return np.asarray(np.linalg.norm(points[:, upper] - points[:, lower], axis=-1).mean(1), np.float64)


def _eyes(true: NDArray[np.floating], track: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the track's median eye distance of each frame: it shrinks while a head turns."""
    distance = pd.Series(eye_distance(true))
    return distance.groupby(track).transform("median").to_numpy()


def _agreement(
    name: str, fitted: NDArray[np.floating], true: NDArray[np.floating], track: NDArray[np.object_]
) -> dict[str, object]:
    """Return correlation and slope of fitted over true values about the means of their tracks."""
    about = [pd.Series(each).groupby(track).transform(lambda v: v - v.mean()).to_numpy() for each in (fitted, true)]
    both, alone = (about[0] * about[1]).sum(), [(each**2).sum() for each in about]
    if not min(alone) > 0:
        return {f"{name} r": np.nan, f"{name} slope": np.nan}
    return {f"{name} r": both / np.sqrt(alone[0] * alone[1]), f"{name} slope": both / alone[1]}


def point_errors(tracks: Sequence[Track]) -> pd.DataFrame:
    """Return what is wrong with the found points per part, in % of the eye distance.

    ``error``: mean distance to the truth. ``stays``: of it what stays the same in all frames of a track (length of the
    mean of found minus true). ``common``: the same in all tracks. ``of the person``: what stays in a track about that.
    ``in all shots``: what stays about ``common`` in the mean of a person's tracks. ``changes``: root mean square about
    the track's mean.
    """
    errors, people = [], []
    for track in tracks:
        true = track.true_points
        errors.append(100 * (track.points - true) / eye_distance(true).mean())
        people.append(track.person)
    means = np.stack([error.mean(0) for error in errors])
    common = means.mean(0)
    person = np.stack([means[np.array(people) == name].mean(0) for name in sorted(set(people))])
    rows = []
    for part, where in (*PARTS.items(), ("all", slice(0, 68))):
        apart = np.concatenate([error - mean for error, mean in zip(errors, means, strict=True)])[:, where]
        rows.append(
            {
                "part": part,
                "error": np.linalg.norm(np.concatenate(errors)[:, where], axis=-1).mean(),
                "stays": np.linalg.norm(means[:, where], axis=-1).mean(),
                "common": np.linalg.norm(common[where], axis=-1).mean(),
                "of the person": np.linalg.norm((means - common)[:, where], axis=-1).mean(),
                "in all shots": np.linalg.norm((person - common)[:, where], axis=-1).mean(),
                "changes": np.sqrt((apart**2).sum(-1).mean()),
            }
        )
    return pd.DataFrame(rows)


def skins(
    tracks: Sequence[Track], codes: dict[str, FittedCodes], head: HeadData, n_texture: int, size: int
) -> pd.DataFrame:
    """Return the fitted and the true luminance of every person's skin, display values.

    Args:
        tracks: with crops.
        codes: of each track by its name.
        head: of the codes.
        n_texture: coefficients of the albedo.
        size: side of the crops.
    """
    some = next(iter(codes.values()))
    full = HeadModel(head, len(some.shape), some.expression.shape[1])
    photometry, painted = Photometry(head, n_texture), human.build(Head())
    rows = []
    for person in sorted({track.person for track in tracks}):
        seen = []
        shown = [track for track in tracks if track.person == person]
        for number, track in enumerate(shown):
            part = codes[track.name]
            segment, time = np.zeros(len(track.points), np.int64), track.truth["time_s"].to_numpy(np.float64)
            _, placed = observe(full, track.points, track.confidence, track.transform, segment, time, size)
            pictures = ((image, label, number) for image, label in zip(track.images, track.labels, strict=True))
            seen += list(views(full, part.take(track.seen), placed.camera(part)[track.seen], pictures))
        name = person.partition("/")[2]
        texture = cast_people([name], painted, shown[0].seed)[name].texture
        truth = painted_skin(painted, texture.colour, texture.labels)
        fitted = photometry.tone(photometry.fit(seen).texture)
        rows.append({"person": person, "fitted": fitted @ LUMINANCE, "true": truth @ LUMINANCE})
    return pd.DataFrame(rows)
