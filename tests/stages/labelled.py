"""A made-up episode for the label stages: pictures with one white dot and a grey square, and sequences over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from tvface.manifests import Provenance, Schema, write
from tvface.manifests.frames import FRAMES
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import encode_png, warp_crop
from tvface.media.tarstore import TarWriter

CROP = 64
HEIGHT, WIDTH = 150, 200


@dataclass
class Episode:
    """Paths of the manifests, and the truth: dot (n, 2) in crop pixels and transform (n, 2, 3) of every row."""

    sequences: Path
    frames: Path
    dots: np.ndarray
    transforms: np.ndarray


def make_episode(folder: Path, sequences: int = 2, length: int = 3, dark: tuple[int, ...] = ()) -> Episode:
    """Write an episode; the pictures of the sequences numbered in ``dark`` hold no square."""
    rng = np.random.default_rng(0)
    frames, crops, dots, transforms = [], [], [], []
    with TarWriter(folder / "f.tar") as store, TarWriter(folder / "s.tar") as images:
        for number in range(sequences * length):
            sequence, position = divmod(number, length)
            middle = np.array([100.0, 75.0]) + rng.uniform(-8, 8, 2)
            dot = middle + rng.uniform(-14, 14, 2)
            picture = _picture(middle, dot, sequence not in dark)
            stored = store.add(f"{number}.png", encode_png(picture))
            scale = 1.25
            transform = np.array(
                [[scale, 0, CROP / 2 - scale * middle[0]], [0, scale, CROP / 2 - scale * middle[1]]], np.float32
            )
            frames.append(_frame(number, stored))
            crop = warp_crop(picture, transform, CROP)
            crops.append(_crop(sequence, position, number, transform, images.add(f"{number}.png", encode_png(crop))))
            dots.append(transform[:, :2] @ dot + transform[:, 2])
            transforms.append(transform)
    for path, schema, rows in ((folder / "f.parquet", FRAMES, frames), (folder / "s.parquet", SEQUENCES, crops)):
        write(path, schema, pd.DataFrame(rows) if rows else schema.empty(), Provenance(schema.stage, {}))
    return Episode(folder / "s.parquet", folder / "f.parquet", np.array(dots), np.array(transforms))


def _picture(middle: np.ndarray, dot: np.ndarray, square: bool) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.zeros((HEIGHT, WIDTH), np.float64)
    if square:
        picture[(np.abs(x - middle[0]) < 18) & (np.abs(y - middle[1]) < 18)] = 120
    picture = np.maximum(picture, 255 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / 4))
    return np.repeat(picture.astype(np.uint8)[..., None], 3, 2)


def _scores(schema: Schema) -> dict[str, float]:
    """Zero for every measurement, which the label stages do not read."""
    return {column.name: 0.0 for column in schema.columns if column.type == pa.float32() and column.low in (0, None)}


def _frame(number: int, stored: tuple[str, int, int]) -> dict[str, object]:
    return {
        **_scores(FRAMES),
        "show": "s",
        "episode": "e",
        "clip": "e",
        "frame": number,
        "source_frame": number,
        "time_s": number / 3,
        "shot": 0,
        "scene": 0,
        "width": WIDTH,
        "height": HEIGHT,
        "luma": 20.0,
        "state": "valid",
        **dict(zip(("image_file", "image_offset", "image_length"), stored, strict=True)),
    }


def _crop(
    sequence: int, position: int, number: int, transform: np.ndarray, stored: tuple[str, int, int]
) -> dict[str, object]:
    return {
        **_scores(SEQUENCES),
        "gap": None,
        "sequence": f"e.{sequence:04d}",
        "position": position,
        "show": "s",
        "episode": "e",
        "clip": "e",
        "frame": number,
        "source_frame": number,
        "time_s": number / 3,
        "shot": 0,
        "scene": 0,
        "track": sequence,
        "person": "p000",
        "transform": transform.reshape(-1),
        "crop_side": CROP / 1.25,
        "box": np.array([8, 4, 56, 58], np.float32),
        "points5": np.full(10, 32, np.float32),
        "crossing": False,
        "contiguity": "continuous",
        "phash": number,
        **dict(zip(("image_file", "image_offset", "image_length"), stored, strict=True)),
    }
