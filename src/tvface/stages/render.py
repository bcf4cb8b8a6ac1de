"""Stage ``render``: the figures of the paper, pictures of every stage, training curves, side-by-side videos.

Reads manifests, trained weights and the head; writes PNG and MP4 files into ``outputs['pictures']`` and a manifest that
lists them with captions. Pictures of the data half come from a few evenly spaced episodes, so that a show of four
hundred episodes costs no more than one of four.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.files.relative import project_path
from tvface.head.data import HeadData
from tvface.manifests import read, read_all, write
from tvface.manifests.dataset import DATASET
from tvface.manifests.faces import FACES
from tvface.manifests.fit import FIT
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.render import RENDER
from tvface.manifests.sequences import CANDIDATES, SEQUENCES
from tvface.manifests.train import TRAIN
from tvface.media.images import encode_png
from tvface.reporting import data_pictures, fit_pictures
from tvface.reporting.curves import training_curves
from tvface.reporting.model_figures import draw_models
from tvface.reporting.quality import collect, label_scores
from tvface.runtime.logging import logger
from tvface.settings import Settings

# Pictures of the data half show at most this many episodes.
EPISODES_SHOWN = 4

# Captions of the pictures and tables of the data half, by stage and name.
CAPTIONS = {
    ("frames", "shots"): "The first frame of each shot.",
    ("faces", "detections"): "Detected faces with score and person.",
    ("identities", "people"): "Faces of each person, most seen first; in brackets the number of faces.",
    ("sequences", "quality"): "What came of every episode; of very many those that gave least.",
    ("sequences", "scores"): "Scores of all faces, those in a sequence and the others; in red the thresholds, by their "
    "settings. Values beyond an end of the axis are counted at that end.",
    ("sequences", "accepted"): "Sequences: one row of crops each.",
    ("sequences", "rejected"): "Faces that are in no sequence, a row per reason; in brackets the number of faces.",
    ("landmarks", "points"): "68 landmarks.",
    ("masks", "classes"): "Parsed classes.",
    ("fit", "heads"): "Crops, the fitted shape over them, and the head in its colours and light; the worst fit last.",
    ("fit", "people"): "The neutral head of each person under one even light.",
    ("dataset", "scores"): "Scores of all labelled crops, those in the dataset and the others; in red the thresholds.",
    ("dataset", "flow"): "Crops and the optical flow to the next frame: hue is direction, strength is length.",
}


class Album:
    """Writes figures into a folder and keeps their manifest rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: list[dict[str, object]] = []

    def picture(self, stage: str, name: str, image: np.ndarray | None, caption: str) -> None:
        """Store one PNG; None (nothing to show) is logged and adds no row."""
        if image is None:
            logger("render").info("%s: nothing to show for '%s'", stage, name)
            return
        path = self.folder / f"{stage}_{name}.png"
        path.write_bytes(encode_png(image))
        self.add(stage, path, "picture", caption)

    def table(self, stage: str, name: str, rows: pd.DataFrame, caption: str) -> None:
        """Store a table as tab-separated text."""
        path = self.folder / f"{stage}_{name}.tsv"
        rows.to_csv(path, sep="\t", index=False)
        self.add(stage, path, "table", caption)

    def add(self, stage: str, path: Path, kind: str, caption: str) -> None:
        """Add the row of a file that is in the folder already."""
        order = sum(row["stage"] == stage for row in self._rows)
        self._rows.append(
            {"stage": stage, "order": order, "kind": kind, "file": project_path(path), "caption": caption}
        )

    def rows(self) -> pd.DataFrame:
        """Return the rows of the RENDER manifest."""
        return pd.DataFrame(self._rows) if self._rows else RENDER.empty()


@stage_run("render")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Draw everything.

    Args:
        inputs: lists ``frames``, ``faces``, ``identities``, ``sequences``, ``candidates``, ``landmarks``, ``masks``,
            ``fit``, ``curves``, ``reconstruct``, ``weights`` (of the detail phase, one per model); ``dataset``;
            ``head``.
        outputs: ``pictures`` (folder) and ``manifest``.
    """
    folder = Path(outputs["pictures"])
    if folder.exists():
        shutil.rmtree(folder)  # it may hold figures of an earlier run with other episodes
    folder.mkdir(parents=True)
    album = Album(folder)
    _draw_data(album, settings, inputs)
    curves = read_all(inputs["curves"], TRAIN)
    album.picture("train", "curves", training_curves(curves), "Training curves: total loss and weighted terms.")
    draw_models(album, settings, inputs)
    write(outputs["manifest"], RENDER, album.rows(), provenance("render", settings, inputs))


def _draw_data(album: Album, settings: Settings, inputs: Paths) -> None:
    count = settings.report.pictures
    frames, faces, sequences, candidates, landmarks, masks, fits = (
        read_all(_some(inputs[name]), schema)
        for name, schema in (
            ("frames", FRAMES),
            ("faces", FACES),
            ("sequences", SEQUENCES),
            ("candidates", CANDIDATES),
            ("landmarks", LANDMARKS),
            ("masks", MASKS),
            ("fit", FIT),
        )
    )
    people = read_all(inputs["identities"], IDENTITIES)
    dataset = read(inputs["dataset"], DATASET).rows

    def picture(stage: str, name: str, image: np.ndarray | None) -> None:
        album.picture(stage, name, image, CAPTIONS[stage, name])

    picture("frames", "shots", data_pictures.storyboard(frames, 2 * count))
    picture("faces", "detections", data_pictures.detections(frames, faces, people, count))
    picture("identities", "people", data_pictures.cast(frames, faces, people, count))
    quality = collect(sorted(map(Path, inputs["frames"])), sorted(map(Path, inputs["candidates"])))
    album.table("sequences", "quality", quality.table(), CAPTIONS["sequences", "quality"])
    picture("sequences", "scores", quality.faces.picture(settings.sequences, "in a sequence"))
    picture("sequences", "accepted", data_pictures.sequences(sequences, count))
    picture("sequences", "rejected", data_pictures.rejected(frames, faces, candidates))
    picture("landmarks", "points", data_pictures.landmarks(sequences, landmarks, count))
    picture("masks", "classes", data_pictures.masks(sequences, masks, count))
    head = HeadData.load(inputs["head"])
    picture("fit", "heads", fit_pictures.heads(sequences, fits, head, count))
    picture("fit", "people", fit_pictures.people(sequences, fits, head, count))
    points, parsed = (sorted(map(Path, inputs[name])) for name in ("landmarks", "masks"))
    labels = label_scores(points, parsed, set(dataset["sequence"]))
    picture("dataset", "scores", labels.picture(settings.dataset, "in the dataset", columns=3))
    picture("dataset", "flow", data_pictures.flow(dataset, count))


def _some(paths: Sequence[str | Path]) -> list[Path]:
    ordered = sorted(map(Path, paths))
    if len(ordered) <= EPISODES_SHOWN:
        return ordered
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, EPISODES_SHOWN).round().astype(int)]
