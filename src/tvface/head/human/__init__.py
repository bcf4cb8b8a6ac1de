"""The human head: MakeHuman's CC0 shapes in the project's format, read from the shipped file: ``build(settings)``.

``python -m tvface.head.human.convert`` makes that file; nothing else reads MakeHuman's files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tvface.head.data import HeadData
from tvface.head.human import paint, regions
from tvface.head.human.rig import PARENTS, SINE_ROW
from tvface.head.human.stored import TRAITS, Stored
from tvface.head.human.texels import texels
from tvface.settings.model import Head

__all__ = ["PLACE", "build", "table_of_people"]

PLACE = Path(__file__).resolve().parents[4] / "resources" / "heads" / "human.npz"
ALBEDO_SIZE, LABEL_SIZE = 256, 512  # px
TEXTURE_COLUMNS = 50
_METRES = 1e-3


def build(settings: Head, notes: Mapping[str, Any] | None = None, place: Path = PLACE) -> HeadData:
    """Build the human head from the shipped file.

    Args:
        settings: ``uv_size`` is the side of the masks; the head has at least 50 columns of albedo.
        notes: further metadata, e.g. provenance.
        place: the file.

    Returns:
        The head, in metres. The expression columns are the 52 face units, in the notes ``expression_names``: codes are
        blendshape weights, 1 the full movement. The column of jawOpen is zero: the jaw's joint makes that movement,
        jawOpen = 1 at ``jaw_open_angle`` rad, and two ways to open a mouth could not be told apart.

    Raises:
        HeadError: the file is missing or damaged.
        ValueError: the settings need more columns than the head has.
    """
    head = Stored.load(place)
    _need_columns("n_shape", settings.n_shape, len(head.identity))
    _need_columns("n_expression", settings.n_expression, len(head.units))
    pose = np.zeros((36, head.template.size))
    pose[SINE_ROW] = head.corrective.reshape(-1) * _METRES
    large, small, mask = (texels(head, size) for size in (LABEL_SIZE, ALBEDO_SIZE, settings.uv_size))
    face_mask, face_eye_mask = regions.masks(mask, regions.regions(head, mask))
    painted = regions.regions(head, small)
    albedo, albedo_names = paint.albedo_basis(head, small, painted, max(TEXTURE_COLUMNS, settings.n_texture))
    return HeadData(
        v_template=(head.template * _METRES).astype(np.float32),
        faces=head.faces.astype(np.int32),
        shape_basis=_columns(head.identity),
        expression_basis=_columns(_without_jaw(head)),
        pose_basis=pose.astype(np.float32),
        joint_regressor=(head.regressor / head.regressor.sum(1, keepdims=True)).astype(np.float32),
        skinning=head.skinning.astype(np.float32),
        parents=np.array(PARENTS, np.int32),
        static_faces=head.static_faces.astype(np.int32),
        static_bary=head.static_bary.astype(np.float32),
        contour_faces=head.contour_faces.astype(np.int32),
        contour_bary=head.contour_bary.astype(np.float32),
        full_faces=head.full_faces.astype(np.int32),
        full_bary=head.full_bary.astype(np.float32),
        uv=head.uv.astype(np.float32),
        uv_faces=head.uv_faces.astype(np.int32),
        face_mask=face_mask,
        face_eye_mask=face_eye_mask,
        fixed_displacement=np.zeros((settings.uv_size, settings.uv_size), np.float32),
        labels=regions.label_map(large, regions.regions(head, large)),
        albedo_mean=paint.albedo_mean(head, small, painted),
        albedo_basis=albedo,
        meta=json.dumps({**_notes(head, albedo_names), **(notes or {})}, sort_keys=True),
    )


def _without_jaw(head: Stored) -> np.ndarray:
    """Return the units (52,V,3) with the one that the jaw's joint makes at zero."""
    units = head.units.copy()
    units[head.unit_names.index("jawOpen")] = 0
    return units


def _need_columns(setting: str, wanted: int, there: int) -> None:
    if there < wanted:
        raise ValueError(f"head.{setting} = {wanted}: the human head has {there} columns; lower it")


def _notes(head: Stored, albedo_names: list[str]) -> dict[str, Any]:
    """Return what the head's metadata say."""
    return {
        "source": "human",
        "licence": "CC0-1.0 (MakeHuman)",
        "command": "tvface head",
        "unit": "metre",
        "shape_names": [f"component_{k}" for k in range(len(head.identity))],
        "expression_names": head.unit_names,
        "expression_full": 1.0,
        "albedo_names": albedo_names,
        "jaw_open_angle": head.notes["jaw_open_angle"],
    }


def table_of_people(place: Path = PLACE) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the table of persons drawn in slider space, so that beard, wrinkles or skin can agree with the bone.

    Returns:
        codes (N,S) float32, identity codes of :func:`build`'s head; and by name, (N,) float32 each: ``male`` share of
        the male shape, ``age`` years, ``african``, ``asian``, ``caucasian`` shares that sum to 1, ``muscle``,
        ``weight``, ``height`` in [0,1] with .5 the average.

    Raises:
        HeadError: the file is missing or damaged.
    """
    head = Stored.load(place)
    return head.codes.astype(np.float32), {name: head.traits[:, k].astype(np.float32) for k, name in enumerate(TRAITS)}


def _columns(fields: np.ndarray) -> np.ndarray:
    """Return (V,3,C) float32 metres of fields (C,V,3) mm."""
    return np.ascontiguousarray((fields * _METRES).transpose(1, 2, 0).astype(np.float32))
