"""Read the head's files one by one and report their arrays (``tvface assets check``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from tvface.assets.reports import LoadReport
from tvface.head import flame
from tvface.head.dense_template import KEYS as DENSE_KEYS
from tvface.head.dense_template import read_dense_template
from tvface.head.flame_albedo import albedo_from_file
from tvface.head.human import stored
from tvface.head.unpickle import read_object_npy, read_pickle

FLAME_FACES = 9976


def _arrays(path: Path, held: Iterable[str], names: tuple[str, ...]) -> LoadReport:
    return LoadReport(str(path), names, tuple(name for name in map(str, held) if name not in names), ())


def _human(path: Path) -> list[LoadReport]:
    stored.Stored.load(path)
    with np.load(path, allow_pickle=False) as archive:
        return [_arrays(path, archive.files, (*stored.ARRAYS, "meta"))]


def _model(path: Path) -> list[LoadReport]:
    flame.read_model(path)
    return [_arrays(path, read_pickle(path, "FLAME's model"), flame.MODEL_KEYS)]


def _albedo(path: Path) -> list[LoadReport]:
    albedo_from_file(path, 1)
    with np.load(path, allow_pickle=False) as archive:
        names = ("MU", "PC") if "MU" in archive.files else ("mean", "tex_dir")
        return [_arrays(path, archive.files, names)]


def _template(path: Path) -> list[LoadReport]:
    flame.read_template(path)
    return [LoadReport(str(path), ("faces", "uv", "uv_faces"), ("vertices",), ())]


def _embedding(path: Path) -> list[LoadReport]:
    flame.read_embedding(path, FLAME_FACES)
    return [_arrays(path, read_object_npy(path, "FLAME's landmark embedding"), flame.EMBEDDING_KEYS)]


def _mask(path: Path) -> list[LoadReport]:
    flame.read_mask(path, 256, "DECA's UV mask")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    channels = 1 if image is None or image.ndim == 2 else image.shape[2]
    return [LoadReport(str(path), ("red",), ("green", "blue", "alpha")[: channels - 1], ())]


def _displacement(path: Path) -> list[LoadReport]:
    flame.read_displacement(path, 256)
    return [LoadReport(str(path), ("displacement",), (), ())]


def _dense(path: Path) -> list[LoadReport]:
    read_dense_template(path)
    return [_arrays(path, read_object_npy(path, "DECA's dense template"), DENSE_KEYS)]


# Asset of the registry -> reader of its file; it raises HeadError.
LOADERS: dict[str, Callable[[Path], list[LoadReport]]] = {
    "human_head": _human,
    "flame": _model,
    "flame_albedo": _albedo,
    "head_template": _template,
    "landmark_embedding": _embedding,
    "face_mask": _mask,
    "face_eye_mask": _mask,
    "fixed_displacement": _displacement,
    "dense_template": _dense,
}
