"""Neutral heads of single pictures, an OBJ and a file of 3D points each, for the benchmarks of shape."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvface.dag import layout
from tvface.files.atomic import atomic
from tvface.files.digests import digest
from tvface.head.data import HeadData, HeadError
from tvface.media.images import Image, MediaError
from tvface.media.meshes import plain_obj
from tvface.model.face_model import FaceModel
from tvface.model.inference import neutral_heads
from tvface.model.published import trained_model
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings, SettingsError

log = logger("export")
_NAMED = 20


class ExportError(ValueError):
    """An export failed; the message says what and why."""


@dataclass(frozen=True)
class Picture:
    """One picture to reconstruct.

    ``name`` is its relative path without suffix. ``crop`` returns its crop (S,S,3) uint8 RGB, or raises OSError,
    EOFError, MediaError, HeadError or ExportError if the picture cannot be used.
    """

    name: str
    crop: Callable[[], Image]


@dataclass
class Outcome:
    """Result of an export: numbers of pictures written and kept from before, and name and reason of each failure."""

    written: int = 0
    kept: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def load_model(settings: Settings, weights_file: Path) -> tuple[FaceModel, HeadData]:
    """Return the trained model and the run's head.

    Raises:
        SettingsError: the head is missing.
        WeightsError: the weights are damaged.
    """
    path = layout.outputs("head", settings)["head"]
    assert isinstance(path, Path)
    if not path.is_file():
        raise SettingsError(f"{path}: the head of the run is missing; make it with `tvface head`")
    head = HeadData.load(path)
    return trained_model(settings, weights_file, head), head


def claim(out: Path, weights_file: Path, **values: Any) -> None:
    """Reserve the folder ``out`` for results of these weights and values.

    Raises:
        ExportError: it holds results of other weights or values.
    """
    description = {"weights": digest(weights_file), **values}
    file = out / "export.json"
    if file.is_file():
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored != description:
            different = ", ".join(sorted(name for name in description if stored.get(name) != description[name]))
            raise ExportError(f"{out} holds an export that differs in: {different}; choose another --out or empty it")
        return
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(description, indent=1, sort_keys=True), encoding="utf-8")


def write_neutral(
    model: FaceModel, head: HeadData, pictures: Sequence[Picture], out: Path, points: Sequence[int], batch: int
) -> Outcome:
    """Write ``<out>/<name>.obj`` (V vertices, metres, the head's faces) and ``.npy`` ((P,3) float32, metres).

    Expression and pose are zero: only the shape code counts. Pictures whose two files are complete are skipped. A
    picture that cannot be used is named in the log, and the others go on.

    Args:
        model: trained, with this ``head``.
        pictures: names must stay inside ``out``.
        out: folder; sub-folders are made.
        points: P of the 68 points (fixed contour, 3D convention).
        batch: pictures per step of the model.
    """
    outcome = Outcome()
    todo = [picture for picture in pictures if not _whole(out / picture.name, head, len(points))]
    outcome.kept = len(pictures) - len(todo)
    crops = _crops(progress(todo, "pictures"), outcome)
    while group := list(itertools.islice(crops, batch)):
        geometry = neutral_heads(model, [crop for _, crop in group])
        vertices = geometry.vertices.cpu().numpy()
        point_positions = geometry.landmarks3d[:, list(points)].cpu().numpy().astype(np.float32)
        for (name, _), mesh, landmarks in zip(group, vertices, point_positions, strict=True):
            with atomic(_beside(out / name, ".obj")) as temporary:
                temporary.write_bytes(plain_obj(mesh, np.asarray(head.faces)))
            with atomic(_beside(out / name, ".npy")) as temporary:
                np.save(temporary, landmarks, allow_pickle=False)
            outcome.written += 1
    return outcome


def report(outcome: Outcome, out: Path) -> None:
    """Log the counts.

    Raises:
        ExportError: a picture failed; the message names them.
    """
    log.info("%s: %d written, %d kept from before, %d failed", out, outcome.written, outcome.kept, len(outcome.failed))
    if outcome.failed:
        failures = "\n".join(f"  {name}: {reason}" for name, reason in outcome.failed[:_NAMED])
        more = f"\n  and {len(outcome.failed) - _NAMED} more, see the log" if len(outcome.failed) > _NAMED else ""
        total = outcome.written + outcome.kept + len(outcome.failed)
        raise ExportError(
            f"{len(outcome.failed)} of {total} pictures could not be exported to {out}:\n{failures}{more}"
        )


def _crops(pictures: Iterator[Picture], outcome: Outcome) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for picture in pictures:
        try:
            crop = picture.crop()
        except (OSError, EOFError, MediaError, HeadError, ExportError) as error:
            log.warning("%s: %s", picture.name, error)
            outcome.failed.append((picture.name, str(error)))
            continue
        yield picture.name, crop


def _beside(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)  # with_suffix would cut names that hold a dot


def _whole(stem: Path, head: HeadData, points: int) -> bool:
    """Return whether both files of an earlier run are complete."""
    mesh, landmarks = _beside(stem, ".obj"), _beside(stem, ".npy")
    if not (mesh.is_file() and landmarks.is_file()):
        return False
    end = b"f %d %d %d\n" % tuple(int(corner) + 1 for corner in head.faces[-1])
    with open(mesh, "rb") as file:
        file.seek(max(0, mesh.stat().st_size - len(end)))
        if file.read() != end:
            return False
    try:
        return bool(np.load(landmarks, allow_pickle=False).shape == (points, 3))
    except (ValueError, EOFError):
        return False
