"""Crops around the eyes with exact lids and gaze, for the network that reads eyes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvface.head.data import HeadData
from tvface.head.human.units import NAMES
from tvface.runtime.threads import one_thread
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.crops.shard_files import HEAD, save_shard, sizes, write_head, write_missing
from tvface.synthetic.crops.truth import ShotMaker
from tvface.synthetic.people.expressions import Mien, follow_gaze
from tvface.synthetic.person import rotation_matrix
from tvface.synthetic.render.scene import Camera
from tvface.synthetic.render.surfaces import Posed

SIZE = 128
# Side of a crop in mean sides of the box of its 68 points: from both eyes alone to the whole face.
NEAR = (0.75, 1.5)
BLINKING = 0.5  # share of the crops with lids of any opening
WINKING = 0.08  # share with two different lids
LOOKING = 0.6  # share with eyes that look far aside
ASIDE = np.array([0.15, 0.28])  # rad, standard deviation of pitch and yaw of such eyes
FARTHEST = np.array([0.42, 0.60])  # rad
ARRAYS = ("images", "points", "lids", "visible", "classes", "rotations", "gaze")
_BLINKS = [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]
_LOOKS = [column for column, name in enumerate(NAMES) if name.startswith("eyeLook")]


class EyeCrops(CropMaker):
    """Crops of eyes: lids of all openings, gaze in all directions.

    Args:
        head, size: as for :class:`CropMaker`.
        near: smallest and largest side of a crop, in mean sides of the box of its 68 points.
    """

    def __init__(self, head: HeadData, size: int = SIZE, near: tuple[float, float] = NEAR) -> None:
        super().__init__(head, size)
        self.near = near

    def mien(self, rng: np.random.Generator) -> Mien:
        """See :meth:`CropMaker.mien`."""
        mien = super().mien(rng)
        code, gaze = mien.code.copy(), mien.gaze
        if rng.random() < LOOKING:
            gaze = np.clip(rng.normal(0, ASIDE), -FARTHEST, FARTHEST)
            code[_LOOKS] = 0
            code = follow_gaze(code, gaze)
        blinking, winking = rng.random() < BLINKING, rng.random() < WINKING
        closure = rng.uniform(0, 1.0, 2) if winking else rng.uniform(0, 1.0) + rng.normal(0, 0.04, 2)
        if blinking or winking:
            code[_BLINKS] = np.clip(closure, 0, 1)
        return Mien(code, mien.jaw, gaze)

    def camera(self, posed: Posed, rng: np.random.Generator) -> Camera:
        """See :meth:`CropMaker.camera`."""
        plain = Camera(1.0, 1, 1, (0.0, 0.0)).project(posed.landmarks)[:, :2]
        low, high = plain.min(0), plain.max(0)
        side = (high - low).mean() * np.exp(rng.uniform(*np.log(self.near)))
        centre = (plain[36:48].mean(0) if self.near[0] < 1 else (low + high) / 2) + rng.normal(0, 0.03, 2) * side
        focal = self.size / side
        middle = (self.size - 1) / 2 - centre * focal
        return Camera(float(focal), self.size, self.size, (float(middle[0]), float(middle[1])))


def make(
    head: HeadData, count: int, seed: int, size: int = SIZE, near: tuple[float, float] = NEAR
) -> dict[str, np.ndarray]:
    """Return ``count`` crops; equal arguments give equal crops.

    Returns:
        images (N, S, S, 3) uint8; points (N, 68, 2) float32 as annotated, and lids (N, 12, 2) float32, the head's own
        points 36..47, both in px of the crop; visible (N, 12) bool of the eyes' points; classes (N, 2, 5) uint8 at the
        middle of each eye and at its lids' four points; rotations (N, 3, 3) float32 of the head, relative to the line
        of sight; gaze (N, 2, 3) float32 axis-angle, rad, of the left and the right eye's joint.
    """
    maker = ShotMaker(head, size, 1, ("image", "points", "labels", "vertices", "parameters"))
    maker.crops = EyeCrops(head, size, near)
    rng = np.random.default_rng([seed, 0xE7E5])
    corners = head.faces[head.static_faces[19:31]]
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
    for person in maker.crops.cast(count, rng):
        truth = {name: value[0] for name, value in maker.shot(person, rng).arrays.items()}
        lids = np.einsum("nij,ni->nj", truth["vertices"][corners], head.static_bary[19:31])
        focal, x, y = truth["camera"]
        turns = rotation_matrix(truth["joints"].reshape(5, 3))
        lids = Camera(float(focal), size, size, (float(x), float(y))).project(lids)[:, :2]
        columns["images"].append(truth["image"])
        columns["points"].append(truth["points"])
        columns["lids"].append(lids)
        columns["classes"].append(_classes(truth["labels"], lids))
        columns["visible"].append(truth["visible"][36:48])
        turn = straightened(truth["vertices"][corners].mean((0, 1))) @ turns[0] @ turns[1]
        columns["rotations"].append(turn.astype(np.float32))
        columns["gaze"].append(truth["joints"].reshape(5, 3)[3:])
    return {name: np.stack(values) for name, values in columns.items()}


def straightened(place: np.ndarray) -> np.ndarray:
    """Return the smallest rotation (3, 3) that turns the line from a ``place`` (3,) to the camera into the z axis."""
    line = -np.asarray(place, np.float64) / np.linalg.norm(place)
    axis = np.cross(line, (0.0, 0.0, 1.0))
    return rotation_matrix(axis / max(float(np.linalg.norm(axis)), 1e-12) * np.arccos(np.clip(line[2], -1, 1)))


def _classes(labels: np.ndarray, lids: np.ndarray) -> np.ndarray:
    """Return the classes (2, 5) at the middle of each eye and at the four points of its lids; 0 outside."""
    eyes = lids.reshape(2, 6, 2)
    places = np.concatenate([eyes.mean(1, keepdims=True), eyes[:, [1, 2, 4, 5]]], 1)
    column, row = np.round(np.moveaxis(places, -1, 0)).astype(int)
    size = len(labels)
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    return np.where(inside, labels[row.clip(0, size - 1), column.clip(0, size - 1)], 0).astype(np.uint8)


@dataclass(frozen=True)
class Shard:
    """A shard to write: ``count`` crops from ``seed``."""

    path: Path
    count: int
    seed: int
    near: tuple[float, float] = NEAR
    size: int = SIZE


def _write_shard(shard: Shard) -> Path:
    with one_thread():
        arrays = make(HeadData.load(shard.path.parent / HEAD), shard.count, shard.seed, shard.size, shard.near)
    return save_shard(shard.path, arrays)


def write(folder: Path, count: int, seed: int, processes: int, per_shard: int = 250) -> Iterator[Path]:
    """Write the head of this version and shards ``eyes_*.npz`` into a folder; yield each path when it is written.

    Args:
        folder: of the shards; created if missing.
        count: number of crops.
        seed: of the set; every shard has its own seed.
        processes: number of worker processes; it does not change the files.
        per_shard: number of crops in a shard.

    Raises:
        CropsError: the folder holds crops of another head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_head(folder)
    shards = [
        Shard(folder / f"eyes_{index:04d}.npz", number, seed * 100_003 + index)
        for index, number in enumerate(sizes(count, per_shard))
    ]
    yield from write_missing(_write_shard, shards, processes)
