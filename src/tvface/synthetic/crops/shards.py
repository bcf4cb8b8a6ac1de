"""Sets of synthetic crops with full ground truth: npz shards and their Parquet index.

Shard k of seed s is drawn from the generator seeded (s, k); :mod:`tvface.synthetic.crops.shard_files` writes them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tvface.dag.code import code_digest
from tvface.files.digests import digest
from tvface.head.data import HeadData
from tvface.manifests.base import Provenance, write
from tvface.manifests.crops import CROPS
from tvface.runtime.threads import one_thread
from tvface.synthetic.crops.maker import PERSON_EVERY
from tvface.synthetic.crops.shard_files import HEAD, CropsError, save_shard, sizes, write_head, write_missing
from tvface.synthetic.crops.truth import LAYERS, Shot, ShotMaker, check_layers
from tvface.synthetic.people.population import PARTS

INDEX = "index.parquet"
PER_SHARD = 240  # crops; with all layers of 128 x 128 px about 120 MB


@dataclass(frozen=True)
class Recipe:
    """The settings that determine the crops, together with the code.

    seed: of everything random; size: side in pixels; frames: per shot; layers: of
    :data:`tvface.synthetic.crops.truth.LAYERS`; per_shard: crops per file, a multiple of ``frames``; people: part of
    the population, :data:`tvface.synthetic.people.population.PARTS`.

    Raises:
        CropsError: a value is impossible.
    """

    seed: int = 0
    size: int = 128
    frames: int = 2
    layers: tuple[str, ...] = LAYERS
    per_shard: int = PER_SHARD
    people: str = "all"

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("size", 16), ("frames", 1), ("per_shard", 1)):
            if getattr(self, name) < least:
                raise CropsError(f"{name} {getattr(self, name)} must be at least {least}")
        if self.people not in PARTS:
            raise CropsError(f"people {self.people!r}: valid are {', '.join(PARTS)}")
        if self.per_shard % self.frames:
            raise CropsError(f"per_shard {self.per_shard} must be a multiple of frames {self.frames}: shots stay whole")
        try:
            layers = check_layers(self.layers)
        except ValueError as error:
            raise CropsError(str(error)) from error
        if layers == {"flow"} and self.frames == 1:
            raise CropsError("the layer flow needs shots of at least 2 frames (frames 1)")
        # The order of the names makes no difference to the set.
        object.__setattr__(self, "layers", tuple(layer for layer in LAYERS if layer in layers))


@dataclass(frozen=True)
class Task:
    """One shard to write: its number ``index``, the number of its shots, and the notes ``made_with`` to store in it."""

    folder: Path
    index: int
    shots: int
    recipe: Recipe
    made_with: str

    @property
    def path(self) -> Path:
        """The shard's file."""
        return self.folder / f"crops_{self.index:05d}.npz"


def write_crops(folder: str | Path, count: int, recipe: Recipe, processes: int = 1) -> Iterator[Path]:
    """Write a set of crops; yield each shard when it is written, and finally the index.

    The folder gets ``crops_00000.npz`` ... (arrays of :data:`tvface.synthetic.crops.truth.ARRAYS`, and ``identity``,
    ``shot`` and ``frame`` (N,) int64), ``index.parquet`` (:data:`tvface.manifests.crops.CROPS`) and ``head.npz``, the
    head of the vertices and codes.

    Args:
        folder: created if missing. Shards of the same set stay.
        count: total number of crops, a multiple of the recipe's frames.
        recipe: of the set.
        processes: number of workers, with one thread each.

    Raises:
        CropsError: invalid numbers; the folder holds a set of another recipe, head or code, more shards than ``count``
            needs, or a damaged file.
    """
    folder = Path(folder)
    if count < 1 or count % recipe.frames:
        raise CropsError(f"count {count} must be a positive multiple of frames {recipe.frames}: shots stay whole")
    if processes < 1:
        raise CropsError(f"processes {processes} must be at least 1")
    folder.mkdir(parents=True, exist_ok=True)
    write_head(folder)
    head = digest(folder / HEAD)
    made_with = json.dumps({**dataclasses.asdict(recipe), "head": head, "code": code_digest(__name__)})
    shots = sizes(count // recipe.frames, recipe.per_shard // recipe.frames)
    tasks = [Task(folder, index, number, recipe, made_with) for index, number in enumerate(shots)]
    surplus = sorted(set(folder.glob("crops_*.npz")) - {task.path for task in tasks})
    if surplus:
        raise CropsError(f"{surplus[0]}: count {count} makes {len(tasks)} files; delete the others or raise the count")
    yield from write_missing(write_shard, tasks, processes, _is_done)
    yield _write_index(folder, tasks, recipe, made_with)


def make_shots(maker: ShotMaker, count: int, generator: np.random.Generator) -> Iterator[tuple[int, str, Shot]]:
    """Yield (number of the person, name of the texture, shot): a new person every two shots, new looks every four."""
    for index, person in enumerate(maker.crops.cast(count, generator)):
        yield index // PERSON_EVERY, person.texture.name, maker.shot(person, generator)


def _is_done(task: Task) -> bool:
    """Return whether a task's shard exists and is complete.

    Raises:
        CropsError: it belongs to another set, or is damaged.
    """
    if not task.path.is_file():
        return False
    notes = _notes(task.path)
    before, now = json.loads(notes["made_with"]), json.loads(task.made_with)
    if before != now:
        differing = [name for name in now if before.get(name) != now[name]]
        other = ", ".join(f"{name} {before.get(name)}, here {now[name]}" for name in differing)
        raise CropsError(f"{task.path} was made otherwise ({other}): delete the folder's crops or name another folder")
    return len(notes["rows"]) == task.shots * task.recipe.frames  # the last shard grows with the count


def _notes(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(json.loads(archive["notes"].tobytes()))
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise CropsError(f"{path}: not a readable shard of crops ({error}); delete it and run again") from error


def write_shard(task: Task) -> Path:
    """Write one shard and replace an older one of its name; the folder must hold the head."""
    recipe = task.recipe
    with one_thread():
        maker = _maker(task.folder / HEAD, recipe)
        generator = np.random.default_rng([recipe.seed, task.index, 0x7A11])
        shots = list(make_shots(maker, task.shots, generator))
    arrays = {name: np.concatenate([shot.arrays[name] for _, _, shot in shots]) for name in maker.arrays}
    first = task.index * (recipe.per_shard // recipe.frames)
    rows: list[dict[str, Any]] = []
    for index, (person, looks, shot) in enumerate(shots):
        for frame, facts in enumerate(shot.facts):
            last = frame + 1 == recipe.frames
            place = {
                "row": len(rows),
                "flow_row": -1 if last or "flow" not in arrays else index * (recipe.frames - 1) + frame,
                "shot": first + index,
                "frame": frame,
                "identity": first + person,  # fewer persons than shots: numbers of two shards never meet
                "looks": looks,
            }
            rows.append({**place, **facts})
    for name in ("identity", "shot", "frame"):
        arrays[name] = np.array([row[name] for row in rows], np.int64)
    notes = json.dumps({"made_with": task.made_with, "rows": rows}).encode()
    return save_shard(task.path, {**arrays, "notes": np.frombuffer(notes, np.uint8)})


@functools.lru_cache(maxsize=2)
def _maker(head: Path, recipe: Recipe) -> ShotMaker:
    return ShotMaker(HeadData.load(head), recipe.size, recipe.frames, recipe.layers, recipe.people)


def _write_index(folder: Path, tasks: list[Task], recipe: Recipe, made_with: str) -> Path:
    rows = [{"file": task.path.name, **row} for task in tasks for row in _notes(task.path)["rows"]]
    inputs = json.loads(made_with)
    settings, head = dataclasses.asdict(recipe), {HEAD: inputs["head"]}
    provenance = Provenance("synth-crops", settings, inputs["code"], head, backend="human head", seed=recipe.seed)
    write(folder / INDEX, CROPS, pd.DataFrame(rows), provenance)
    return folder / INDEX
