"""Pictures of the stage ``fit``: heads over their crops, and the neutral heads of the people side by side."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.media import drawing
from tvface.media.images import Image, read_image
from tvface.rendering.renderer import Renderer
from tvface.reporting.data_pictures import evenly

_CROP = ["sequence", "position", "image_file", "image_offset", "image_length"]
SIDE = 224  # px of a picture
_YAWS = (0.0, 40.0)  # degrees, of the neutral heads
_CAMERA = (7.0, 0.0, 0.005)  # the whole face with the ears
# White light from above and in front that gives skin about its own brightness.
_EVEN = ((3.0,) * 3, (0.0,) * 3, (0.25,) * 3, (0.45,) * 3, *((0.0,) * 3,) * 5)


class _Tools(NamedTuple):
    """What draws the heads of one run."""

    head: HeadModel
    albedo: AlbedoModel
    renderer: Renderer


def _tools(data: HeadData, rows: pd.DataFrame) -> _Tools:
    head = HeadModel(data, len(rows["shape"].iloc[0]), len(rows["expression"].iloc[0]))
    albedo = AlbedoModel(data, len(rows["texture"].iloc[0]), data.albedo_mean.shape[0])
    return _Tools(head, albedo, Renderer(data, SIDE, 64))


def heads(crops: pd.DataFrame, fits: pd.DataFrame, data: HeadData, count: int) -> Image | None:
    """Return crops, the fitted shape over them, and the head in its colours and light; the worst fit last.

    Args:
        crops, fits: rows of the sequences and fit manifests.
        data: the head.
        count: most crops.
    """
    joined = crops[_CROP].merge(fits, on=_CROP[:2])
    if joined.empty:
        return None
    rows = evenly(joined, count - 1)
    worst = joined.sort_values("residual").tail(1)
    rows = pd.concat([rows, worst], ignore_index=True)
    tools = _tools(data, rows)
    pictures: list[Image] = []
    captions: list[str] = []
    for _, row in rows.iterrows():
        crop = read_image(row["image_file"], int(row["image_offset"]), int(row["image_length"]))
        under = np.asarray(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
        shape, colour = _over(tools, row, under)
        pictures += [under, shape, colour]
        captions += [f"{row['sequence']} #{row['position']}", f"residual {row['residual']:.1f} %", str(row["verdict"])]
    return drawing.contact_sheet(pictures, captions, columns=6, cell=(180, 180))


def people(crops: pd.DataFrame, fits: pd.DataFrame, data: HeadData, count: int) -> Image | None:
    """Return a crop of each person beside its neutral head under one even light, from the front and from the side."""
    joined = crops[_CROP].merge(fits, on=_CROP[:2])
    if joined.empty:
        return None
    best = joined.sort_values("residual").groupby("person", sort=True).head(1).sort_values("person")
    tools = _tools(data, best)
    pictures, captions = [], []
    for _, row in evenly(best, count).iterrows():
        pictures.append(read_image(row["image_file"], int(row["image_offset"]), int(row["image_length"])))
        pictures += [_neutral(tools, row, yaw) for yaw in _YAWS]
        captions += [str(row["person"]), f"rms of the shape {np.sqrt(np.mean(np.square(row['shape']))):.2f}", ""]
    return drawing.contact_sheet(pictures, captions, columns=6, cell=(180, 180))


def _code(row: pd.Series, name: str) -> Tensor:
    return torch.from_numpy(np.array(row[name], np.float32))[None]


@torch.no_grad()
def _over(tools: _Tools, row: pd.Series, under: Image) -> tuple[Image, Image]:
    """Return the grey shape and the coloured face over a crop of SIDE pixels."""
    pose, eyes = _code(row, "pose"), _code(row, "eyes")
    vertices = tools.head(_code(row, "shape"), _code(row, "expression"), pose, eyes=eyes).vertices
    seen = project(vertices, _code(row, "camera"))
    below = torch.from_numpy(under).permute(2, 0, 1)[None].float() / 255
    shape = tools.renderer.render_shape(vertices, seen, images=below)
    light = _code(row, "light").unflatten(1, (9, 3))
    lit = tools.renderer.render(vertices, seen, tools.albedo(_code(row, "texture")), light)
    inside = lit.alpha * lit.face_eye_mask
    return _picture(shape), _picture(lit.images * inside + below * (1 - inside))


@torch.no_grad()
def _neutral(tools: _Tools, row: pd.Series, yaw: float) -> Image:
    pose = torch.tensor([[0.0, float(np.radians(yaw)), 0.0, 0.0, 0.0, 0.0]])
    vertices = tools.head(_code(row, "shape"), torch.zeros(1, tools.head.n_expression), pose).vertices
    seen = project(vertices, torch.tensor([_CAMERA]))
    lit = tools.renderer.render(vertices, seen, tools.albedo(_code(row, "texture")), torch.tensor([_EVEN]))
    return _picture(lit.images + 1 - lit.alpha)


def _picture(images: Tensor) -> Image:
    return np.asarray((255 * images[0].clamp(0, 1)).round().permute(1, 2, 0).numpy(), np.uint8)
