"""Write the manifests which the dataset stage reads, from pictures in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tvface.manifests import Provenance, write
from tvface.manifests.fit import FIT
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import encode_png
from tvface.media.tarstore import TarWriter

GOOD = {"score": 1.0, "instability": 0.01}


@dataclass
class Sequence_:
    """One sequence: images (N,S,S,3) uint8, labels (N,S,S) uint8, points (N,68,2) px."""

    show: str
    episode: str
    person: str
    images: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    crossing: tuple[int, ...] = ()
    without: dict[str, tuple[int, ...]] = field(default_factory=dict)  # "landmarks"/"masks" -> positions left out
    scores: dict[int, dict[str, float | None]] = field(default_factory=dict)  # of the points, by position
    verdicts: tuple[str, ...] = ()  # of the fit, by position; none of all sequences: no fit was made
    hashes: tuple[int, ...] = ()  # perceptual ones; by default unlike those of all other crops


def write_episode(folder: Path, episode: str, sequences: Sequence[Sequence_]) -> dict[str, Path | list[Path]]:
    """Write ``sequences``, ``landmarks``, ``masks`` and perhaps ``fit`` of one episode; return the paths by name."""
    crops, points, masks = [], [], []
    paths = {name: folder / name / f"{episode}.parquet" for name in ("sequences", "landmarks", "masks")}
    with (
        TarWriter(folder / "sequences" / f"{episode}.tar") as image_tar,
        TarWriter(folder / "masks" / f"{episode}.tar") as label_tar,
    ):
        for number, sequence in enumerate(sequences):
            name = f"{episode}.{number:04d}"
            for position, image in enumerate(sequence.images):
                stored = image_tar.add(f"{name}.{position}.png", encode_png(image))
                crops.append(_crop_row(sequence, name, number, position, stored))
                key = {"episode": episode, "sequence": name, "position": position}
                if position not in sequence.without.get("landmarks", ()):
                    flat = sequence.points[position].astype(np.float32).reshape(-1)
                    points.append(
                        {
                            **key,
                            "points68": flat,
                            "confidence": np.ones(68, np.float32),
                            **sequence.scores.get(position, GOOD),
                        }
                    )
                if position not in sequence.without.get("masks", ()):
                    labels = sequence.labels[position]
                    place = label_tar.add(f"{name}.{position}.png", encode_png(labels))
                    masks.append(
                        {
                            **key,
                            **dict(zip(("labels_file", "labels_offset", "labels_length"), place, strict=True)),
                            "pixels": np.bincount(labels.reshape(-1), minlength=19).astype(np.int32),
                            "face": float((labels > 0).mean()),
                        }
                    )
    for name, schema, rows in (
        ("sequences", SEQUENCES, crops),
        ("landmarks", LANDMARKS, points),
        ("masks", MASKS, masks),
    ):
        frame = pd.DataFrame(rows) if rows else schema.empty()
        write(paths[name], schema, frame, Provenance(name, {}, dropped={"made up": 1} if name == "masks" else {}))
    return {**paths, "fit": _write_fit(folder / "fit" / f"{episode}.parquet", crops, sequences)}


def _write_fit(path: Path, crops: list[dict], sequences: Sequence[Sequence_]) -> list[Path]:
    if not any(sequence.verdicts for sequence in sequences):
        return []
    lengths = {"shape": 2, "texture": 2, "expression": 2, "pose": 6, "eyes": 6, "camera": 3, "light": 27}
    codes = {name: np.zeros(length, np.float32) for name, length in lengths.items()}
    points = {"points68": np.zeros(136, np.float32), "residuals": np.ones(68, np.float32), "residual": 1.0}
    rows = [
        {name: crop[name] for name in ("episode", "sequence", "position", "track", "person")}
        | codes
        | points
        | {"colour_residual": None, "verdict": sequences[crop["track"]].verdicts[crop["position"]]}
        for crop in crops
    ]
    write(path, FIT, pd.DataFrame(rows), Provenance("fit", {}))
    return [path]


def _crop_row(sequence: Sequence_, name: str, number: int, position: int, stored: tuple[str, int, int]) -> dict:
    side = float(sequence.images.shape[1])
    return {
        "sequence": name,
        "position": position,
        "show": sequence.show,
        "episode": sequence.episode,
        "clip": sequence.episode,
        "frame": 20 * number + position,
        "source_frame": 20 * number + position,
        "time_s": position / 3,
        "shot": 0,
        "scene": 0,
        "track": number,
        "person": sequence.person,
        **dict(zip(("image_file", "image_offset", "image_length"), stored, strict=True)),
        "transform": np.array([1, 0, 0, 0, 1, 0], np.float32),
        "crop_side": side,
        "box": np.array([0, 0, side, side], np.float32),
        "points5": np.zeros(10, np.float32),
        "score": 1.0,
        "side": side,
        "inside": 1.0,
        "aspect": 1.0,
        "clarity": 1.0,
        "crop_luma": 100.0,
        "upscale": 1.0,
        "pose": 0.0,
        "padding": 0.0,
        "shift": None if position == 0 else 0.1,
        "deformation": None if position == 0 else 0.1,
        "gap": None if position == 0 else 1,
        "crossing": position in sequence.crossing,
        "contiguity": "continuous",
        "phash": sequence.hashes[position] if sequence.hashes else _some_hash(name, position),
    }


def _some_hash(name: str, position: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{name}/{position}".encode()).digest()[:8], "big", signed=True)


def sliding(
    show: str, episode: str, person: str, *, frames: int = 4, size: int = 64, seed: int = 0, **more
) -> Sequence_:
    """A smooth random picture that slides 2 px right and 1 px down per frame."""

    rng = np.random.default_rng(seed)
    large = cv2.resize(rng.integers(0, 256, (24, 24, 3), np.uint8), (2 * size, 2 * size), interpolation=cv2.INTER_CUBIC)
    images = np.stack([large[40 - t : 40 - t + size, 60 - 2 * t : 60 - 2 * t + size] for t in range(frames)])
    labels = np.zeros((frames, size, size), np.uint8)
    labels[:, 16:48, 16:48] = 1
    points = rng.uniform(16, 48, (frames, 68, 2))
    return Sequence_(show, episode, person, images, labels, points, **more)
