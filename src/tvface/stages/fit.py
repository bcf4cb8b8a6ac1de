"""Fit the head to every crop: one shape and albedo per person, pose, jaw, expression, camera and light per frame.

The points decide the geometry, helped by a guess of the shape from the pictures; the picture of each eye decides its
lids and gaze; with the geometry fixed, the skin's colours decide albedo and light. Reads the manifests of sequences,
landmarks and masks with their pictures, and the head. Writes one row per crop: codes, projected points, the distance of
every point, and a verdict (:mod:`tvface.fitting.verdicts`). Drops nothing: ``dataset`` decides by the verdicts; frames
that failed are counted by reason in the provenance's notes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tvface import manifests
from tvface.assets import registry
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.fitting.eyes import BATCH, Eyes, Lids
from tvface.fitting.light_prior import LightPrior
from tvface.fitting.person import PersonFit, fit_person
from tvface.fitting.photometry import Appearance, Photometry
from tvface.fitting.placed import Placed, observe
from tvface.fitting.readers import Readers
from tvface.fitting.seen_eyes import joints, openings
from tvface.fitting.shape_guess import ShapeGuess
from tvface.fitting.views import Picture, views
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.manifests.fit import FIT, FITTED
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import decode_labels, read_image
from tvface.media.tarstore import read_bytes
from tvface.mining.surroundings import path_of
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings

_KEY = ["sequence", "position"]
_LABELS = ["labels_file", "labels_offset", "labels_length"]
_DOUBTED = 0.1  # factor on the confidence of points that depend on the box: they hardly decide the shape
_NOBODY = "-"  # a face that a human took out of the people


@stage_run("fit")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Run the stage for one episode.

    Args:
        inputs: ``sequences``, ``landmarks``, ``masks``: manifests of the episode; ``head``: the npz.
        outputs: ``manifest``.
    """
    torch.set_num_threads(threads)
    sequences = manifests.read(path_of(inputs, "sequences"), SEQUENCES).rows
    landmarks = manifests.read(path_of(inputs, "landmarks"), LANDMARKS).rows
    masks = manifests.read(path_of(inputs, "masks"), MASKS).rows
    data = HeadData.load(path_of(inputs, "head"))
    full = HeadModel(data, settings.head.n_shape, settings.head.n_expression)
    lids = Lids(data)
    head = full.restricted(torch.from_numpy(lids.vertices))
    readers = Readers.of(settings.fit, data)
    names = data.notes.get("expression_names", [])[: full.n_expression]
    photometry = Photometry(data, settings.head.n_texture, LightPrior.load(registry.place("light_prior")))
    joined = sequences.merge(landmarks.drop(columns=["episode", "score"]), on=_KEY)
    joined = joined.merge(masks[[*_KEY, *_LABELS]], on=_KEY)
    parts = []
    people = list(_shared(joined, settings.fit.share))
    for rows in progress(people, f"fit {shard}", len(people)):
        eyes, guesses = _looks(rows, readers)
        guess = None if guesses is None else readers.pooled(guesses, _trust(rows), full.n_shape)
        fit, placed = _fit(head, rows, settings, names, lids, eyes, guess)
        seen = views(full, fit.codes, placed.camera(fit.codes), _pictures(rows))
        parts.append(_table(rows, fit, placed, head, photometry.fit(seen), eyes))
    table = pd.concat(parts, ignore_index=True) if parts else FIT.empty()
    failed = {str(reason): int(count) for reason, count in table["verdict"].value_counts().items() if reason != FITTED}
    logger("fit").info(
        "%s: %d crops of %d people, mean residual %.2f %%, failed: %s",
        shard,
        len(table),
        len(people),
        table["residual"].mean() if len(table) else float("nan"),
        failed or "none",
    )
    notes = {"failed": failed, "shapes": len(people)}
    manifests.write(outputs["manifest"], FIT, table, provenance("fit", settings, inputs, notes=notes))


def _shared(joined: pd.DataFrame, share: str) -> Iterator[pd.DataFrame]:
    """Yield the rows that share one shape, sorted by sequence and position."""
    group = joined["sequence"] if share == "sequence" else joined["track"].astype(str)
    if share == "person":
        known = joined["person"] != _NOBODY
        group = group.where(~known, "person " + joined["person"])
    for _, rows in joined.groupby(group, sort=True):
        yield rows.sort_values(_KEY).reset_index(drop=True)


def _looks(rows: pd.DataFrame, readers: Readers) -> tuple[Eyes, NDArray[np.float32] | None]:
    """Read the eyes of every crop and guess its shape, a part of the crops at a time."""
    points = np.stack(rows["points68"].to_list()).reshape(-1, 68, 2)
    eyes, guesses = [], []
    for start in range(0, len(rows), BATCH):
        part = rows.iloc[start : start + BATCH]
        crops = np.stack([read_image(r.image_file, r.image_offset, r.image_length) for r in part.itertuples()])
        eyes.append(readers.look_at_eyes(crops, points[start : start + BATCH]))
        guesses.append(readers.guesses(crops, points[start : start + BATCH]))
    read = Eyes(*(np.concatenate(columns) for columns in zip(*eyes, strict=True)))
    return read, np.concatenate([g for g in guesses if g is not None]) if guesses[0] is not None else None


def _trust(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return how much each crop's guess counts, (T,): the points' mean confidence."""
    return np.stack(rows["confidence"].to_list()).astype(np.float64).mean(1)


def _fit(
    head: HeadModel,
    rows: pd.DataFrame,
    settings: Settings,
    names: list[str],
    lids: Lids,
    eyes: Eyes,
    guess: ShapeGuess | None,
) -> tuple[PersonFit, Placed]:
    points = np.stack(rows["points68"].to_list()).reshape(-1, 68, 2)
    limit = settings.fit.max_instability
    # Scores may be missing (landmarks.check_shift: null): then nothing is known against a crop.
    unstable = rows["instability"].to_numpy(np.float64) > (np.inf if limit is None else limit)
    observed, placed = observe(
        head,
        points,
        np.where(unstable[:, None], _DOUBTED, 1.0) * np.stack(rows["confidence"].to_list()),
        np.stack(rows["transform"].to_list()).reshape(-1, 2, 3).astype(np.float64),
        pd.factorize(rows["sequence"])[0].astype(np.int64),
        rows["time_s"].to_numpy(np.float64),
        settings.sequences.image_size,
        openings(eyes, points),
    )
    fit = fit_person(head, observed, settings.fit, names, lids=lids, guess=guess)
    return fit._replace(verdict=np.where(unstable, "unstable", fit.verdict)), placed


def _pictures(rows: pd.DataFrame) -> Iterator[Picture]:
    """Yield crops, label maps and shots, read one by one."""
    for row in rows.itertuples():
        labels = decode_labels(read_bytes(row.labels_file, row.labels_offset, row.labels_length))
        yield read_image(row.image_file, row.image_offset, row.image_length), labels, int(row.shot)


def _table(
    rows: pd.DataFrame, fit: PersonFit, placed: Placed, head: HeadModel, appearance: Appearance, eyes: Eyes
) -> pd.DataFrame:
    codes, count = fit.codes, len(rows)
    points = placed.to_crop(codes.points(head)).astype(np.float32)
    return rows[["episode", *_KEY, "track", "person"]].assign(
        shape=list(np.broadcast_to(codes.shape, (count, len(codes.shape)))),
        texture=list(np.broadcast_to(appearance.texture, (count, len(appearance.texture)))),
        expression=list(codes.expression),
        pose=list(codes.pose),
        eyes=list(joints(eyes, codes.rotation)),
        camera=list(placed.camera(codes)),
        light=list(appearance.light.reshape(count, 27)),
        points68=list(points.reshape(count, -1)),
        residuals=list(fit.residual),
        residual=fit.residual.mean(1),
        colour_residual=appearance.residual,
        verdict=fit.verdict,
    )
