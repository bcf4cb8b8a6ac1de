"""Figures of the models: rows input, landmarks, coarse shape, detail shape and rendering, over one sequence.

Everything is decoded from the codes that ``reconstruct`` stored, so a figure shows exactly what the meshes hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pandas as pd
import torch

from tvface.head.data import HeadData
from tvface.manifests import read, read_all
from tvface.manifests.dataset import DATASET
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.media import drawing
from tvface.media.images import read_image
from tvface.media.video import write_video
from tvface.model.face_model import Codes, FaceModel, ModelSpec
from tvface.model.inference import decode
from tvface.model.weights_files import load_weights, read_spec
from tvface.rendering.renderer import sample
from tvface.settings import Settings

LABEL_WIDTH = 150
VIDEO_RATE = 3.0


class Album(Protocol):
    """Destination of the figures (``tvface.stages.render.Album``)."""

    folder: Path

    def picture(self, stage: str, name: str, image: np.ndarray | None, caption: str) -> None:
        """Store one picture, (H, W, 3) uint8 RGB; None adds nothing."""
        ...

    def add(self, stage: str, path: Path, kind: str, caption: str) -> None:
        """Add the row of a file that is in the folder already."""
        ...


@dataclass(frozen=True)
class Views:
    """Pictures of one model over N frames, each (N, S, S, 3) uint8, and its landmarks (N, 68, 2) in crop pixels."""

    landmarks: np.ndarray
    coarse: np.ndarray
    detail: np.ndarray
    render: np.ndarray


def draw_models(album: Album, settings: Settings, inputs: Mapping[str, object]) -> None:
    """Add a figure and a side-by-side video of some sequences, evenly spaced over all.

    Args:
        inputs: ``dataset``, ``head``, lists ``reconstruct`` and ``weights`` (detail phase, one per model).
    """
    dataset = read(inputs["dataset"], DATASET).rows  # type: ignore[arg-type]
    rows = read_all(inputs["reconstruct"], RECONSTRUCT)  # type: ignore[arg-type]
    rows = rows[rows["weights"] == "trained"]
    head = HeadData.load(inputs["head"])  # type: ignore[arg-type]
    models = {spec.model: (path, spec) for path, spec in _specs(inputs["weights"])}  # type: ignore[arg-type]
    names = sorted(rows["sequence"].unique())
    shown = [names[i] for i in _spread(len(names), settings.render.sequences)]
    tile = settings.render.tile
    views: dict[str, dict[str, Views]] = {name: {} for name in shown}
    for kind, (path, spec) in models.items():
        model = FaceModel(spec, head)
        model.load_weights(load_weights(path, spec))
        for name in shown:
            of_model = rows[(rows["model"] == kind) & (rows["sequence"] == name)].sort_values("position")
            if len(of_model):
                views[name][kind] = model_views(model, of_model, _crops(dataset, name), tile)
    for number, name in enumerate(shown):
        crops = _crops(dataset, name)
        columns = _spread(len(crops), settings.render.columns)
        caption = f"Sequence {name}: input, landmarks, coarse shape, detail shape and rendering of each model."
        album.picture("render", f"figure_{number}", _figure(crops, views[name], columns, tile), caption)
        path = album.folder / f"render_side_by_side_{number}.mp4"
        write_video(path, _video_frames(crops, views[name], tile), VIDEO_RATE)
        album.add("render", path, "video", f"Sequence {name}: input and the detail shape of each model.")


@torch.no_grad()
def model_views(model: FaceModel, rows: pd.DataFrame, crops: np.ndarray, size: int) -> Views:
    """Draw the stored codes of one sequence.

    Args:
        model: with its trained weights.
        rows: RECONSTRUCT rows of one sequence, in order.
        crops: (N, C, C, 3) uint8 input crops.
        size: side of the pictures, px.
    """
    result = decode(model, codes_of(rows))
    geometry, renderer = result.geometry, model.renderer
    white = torch.ones(len(rows), 3, size, size)
    coarse = renderer.render_shape(geometry.vertices, geometry.projected, images=white)
    normals = None if result.detail is None else result.detail.normals
    detail = renderer.render_shape(geometry.vertices, geometry.projected, normals, white)
    albedo = model.albedo(result.codes.texture)
    picture = renderer.render(geometry.vertices, geometry.projected, albedo, result.codes.light, (size, size))
    textured = picture.images if result.detail is None else sample(albedo * result.detail.shading, picture.grid)
    inside = picture.alpha * picture.face_eye_mask
    under = torch.from_numpy(np.stack([_resize(crop, size) for crop in crops])).permute(0, 3, 1, 2).float() / 255
    render = textured * inside + under * (1 - inside)
    points = np.stack(rows["points68"].to_list()).reshape(-1, 68, 2)
    return Views(points, _uint8(coarse), _uint8(detail), _uint8(render))


def codes_of(rows: pd.DataFrame) -> Codes:
    """Return the codes stored in RECONSTRUCT rows."""

    def column(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack(rows[name].to_list()).astype(np.float32))

    parts = {name: column(name) for name in ("shape", "texture", "expression", "pose", "camera", "detail")}
    return Codes(light=column("light").unflatten(1, (9, 3)), **parts)


def _figure(crops: np.ndarray, views: Mapping[str, Views], columns: list[int], tile: int) -> np.ndarray:
    lines = [("input", [_resize(crops[i], tile) for i in columns])]
    for kind, view in views.items():
        scale = tile / crops.shape[1]
        places = (view.landmarks + 0.5) * scale - 0.5
        pointed = [drawing.points(_resize(crops[i], tile), places[i], radius=tile / 112) for i in columns]
        lines.append((f"{kind}\nlandmarks", pointed))
        lines.append((f"{kind}\ncoarse shape", [view.coarse[i] for i in columns]))
        lines.append((f"{kind}\ndetail shape", [view.detail[i] for i in columns]))
        lines.append((f"{kind}\nrendering", [view.render[i] for i in columns]))
    return np.concatenate([np.concatenate([_label(words, tile), *cells], axis=1) for words, cells in lines], axis=0)


def _video_frames(crops: np.ndarray, views: Mapping[str, Views], tile: int) -> Iterable[np.ndarray]:
    for i, crop in enumerate(crops):
        yield np.concatenate([_resize(crop, tile), *(view.detail[i] for view in views.values())], axis=1)


def _label(words: str, height: int) -> np.ndarray:
    canvas = np.full((height, LABEL_WIDTH, 3), 255, np.uint8)
    return drawing.text(canvas, words, (10, height / 2 - 18), colour=(30, 30, 30), size=16)


def _crops(dataset: pd.DataFrame, name: str) -> np.ndarray:
    rows = dataset[dataset["sequence"] == name].sort_values("position")
    return np.stack([read_image(row.image_file, row.image_offset, row.image_length) for row in rows.itertuples()])


def _specs(paths: Iterable[str | Path]) -> Iterable[tuple[Path, ModelSpec]]:
    for path in sorted(map(Path, paths)):
        yield path, read_spec(path)


def _spread(count: int, most: int) -> list[int]:
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()}) if count else []


def _resize(picture: np.ndarray, size: int) -> np.ndarray:
    if picture.shape[0] == size:
        return picture
    method = cv2.INTER_AREA if picture.shape[0] > size else cv2.INTER_CUBIC
    return cv2.resize(picture, (size, size), interpolation=method)


def _uint8(images: torch.Tensor) -> np.ndarray:
    return (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
