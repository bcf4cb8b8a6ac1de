"""The ``reconstruct`` stage's rows as one parameter file per sequence; see :mod:`tvface.exports.parameters`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tvface.dag import layout
from tvface.exports.neutral import ExportError
from tvface.exports.parameters import put_description, rows_of
from tvface.head.data import HeadData
from tvface.manifests import read, read_all
from tvface.manifests.dataset import DATASET
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import read_image
from tvface.media.npz import NpzWriter
from tvface.runtime.logging import logger
from tvface.settings import Settings

_CODES = ("shape", "texture", "expression", "pose", "camera", "light", "detail")
_KEY = ["sequence", "position"]


def export_sequences(settings: Settings, model: str, out: Path) -> list[Path]:
    """Write ``<out>/<sequence>.npz`` for every sequence that the stage reconstructed; return the paths.

    Args:
        settings: of the run, whose results are read.
        model: deca or temporal.
        out: folder for the files; those of the same name are replaced.

    Raises:
        ExportError: the stage has not run, or has no row.
    """
    places = {
        "reconstruct": layout.outputs("reconstruct", settings, model)["manifest"],
        "dataset": layout.outputs("dataset", settings)["manifest"],
        "head": layout.outputs("head", settings)["head"],
    }
    for stage, path in places.items():
        if not (isinstance(path, Path) and path.is_file()):
            raise ExportError(f"{path} is missing; run snakemake --cores all {stage}")
    manifest = read(places["reconstruct"], RECONSTRUCT)  # type: ignore[arg-type]
    rows = manifest.rows[manifest.rows["weights"] == "trained"]
    if rows.empty:
        raise ExportError(f"{places['reconstruct']}: no sequence was reconstructed; look at reconstruct.split")
    head = HeadData.load(places["head"])  # type: ignore[arg-type]
    dataset = read(places["dataset"], DATASET).rows  # type: ignore[arg-type]
    shards = [layout.outputs("sequences", settings, name)["manifest"] for name in sorted(rows["episode"].unique())]
    times = read_all(shards, SEQUENCES)[[*_KEY, "time_s", "frame", "clip"]]  # type: ignore[arg-type]
    placed = dataset[[*_KEY, "source_frame", "track", "transform", "image_file", "image_offset", "image_length"]]
    joined = rows.merge(placed, on=_KEY, how="left", validate="one_to_one").merge(
        times, on=_KEY, how="left", validate="one_to_one"
    )
    if joined[["transform", "time_s"]].isna().any().any():
        raise ExportError("the dataset lacks sequences of the reconstruction: run snakemake --cores all reconstruct")
    shared = bool(manifest.provenance["settings"]["reconstruct"]["shared_identity"])
    paths = []
    for name, frames in joined.groupby("sequence", sort=True):
        paths.append(out / f"{name}.npz")
        _write(paths[-1], frames.sort_values("position"), head, model, settings.frames.fps, shared)
    logger("export").info("%s: %d sequences", out, len(paths))
    return paths


def _write(path: Path, frames: pd.DataFrame, head: HeadData, model: str, fps: float, shared: bool) -> None:
    first = frames.iloc[0]
    side = read_image(first["image_file"], int(first["image_offset"]), int(first["image_length"])).shape[0]
    maps = np.stack(frames["transform"].tolist()).astype(np.float64).reshape(-1, 2, 3)
    points = np.stack(frames["points68"].tolist()).astype(np.float64).reshape(-1, 68, 2) - maps[:, None, :, 2]
    even = bool((np.diff(frames["frame"]) == 1).all())
    with NpzWriter(path) as writer:
        put_description(
            writer,
            head,
            model=model,
            crop_size=side,
            fps=fps if even else 0.0,
            shared_identity=shared,
            source=first["clip"],
            track=int(first["track"]),
        )
        writer.append(
            {
                **rows_of({name: np.stack(frames[name].tolist()) for name in _CODES}, head),
                "landmarks2d": (points @ np.linalg.inv(maps[:, :, :2]).transpose(0, 2, 1)).astype(np.float32),
                "crop_transform": maps,
                "frame": frames["source_frame"].to_numpy(np.int64),
                "time_s": frames["time_s"].to_numpy(np.float64),
            }
        )
