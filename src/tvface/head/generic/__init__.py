"""The generic head, built from formulas in FLAME's format: ``build(settings)``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tvface.head.data import HeadData
from tvface.head.generic.atlas import texels, uv_map
from tvface.head.generic.expression import FULL, expression_basis
from tvface.head.generic.identity import identity_basis
from tvface.head.generic.landmarks import jaw_embedding, static_embedding
from tvface.head.generic.paint import albedo_basis, albedo_mean
from tvface.head.generic.parts import parts
from tvface.head.generic.regions import label_map, masks
from tvface.head.generic.rig import joint_regressor, skinning
from tvface.settings.model import Head

__all__ = ["build"]

ALBEDO_SIZE, LABEL_SIZE = 256, 512  # px
SHAPE_COLUMNS, EXPRESSION_COLUMNS, TEXTURE_COLUMNS = 100, 50, 50
_METRES = 1e-3


def build(settings: Head, notes: Mapping[str, Any] | None = None) -> HeadData:
    """Make the generic head.

    Args:
        settings: ``uv_size`` is the side of the masks; the bases have as many columns as are asked for, and at least
            100 of identity, 50 of expression and 50 of albedo.
        notes: more metadata, e.g. provenance.

    Returns:
        The head, in metres, origin between the eyes on the axis of the ears.

    Raises:
        ValueError: the settings need more columns than the head has.
    """
    p = parts()
    n_vertices = len(p.position)
    shape, shape_names = identity_basis(max(SHAPE_COLUMNS, settings.n_shape))
    expression, expression_names = expression_basis(max(EXPRESSION_COLUMNS, settings.n_expression))
    _need_columns("n_shape", settings.n_shape, len(shape_names))
    _need_columns("n_expression", settings.n_expression, len(expression_names))
    uv, uv_faces = uv_map()
    face_mask, face_eye_mask = masks(texels(settings.uv_size))
    albedo, albedo_names = albedo_basis(max(TEXTURE_COLUMNS, settings.n_texture), ALBEDO_SIZE)
    meta = {
        "source": "generic",
        "licence": "Apache-2.0",
        "command": "tvface head",
        "unit": "metre",
        "shape_names": shape_names,
        "expression_names": expression_names,
        "expression_full": FULL,
        "albedo_names": albedo_names,
        **(notes or {}),
    }
    return HeadData(
        v_template=(p.position * _METRES).astype(np.float32),
        faces=p.faces.astype(np.int32),
        shape_basis=(shape * _METRES).astype(np.float32),
        expression_basis=(expression * _METRES).astype(np.float32),
        pose_basis=np.zeros((36, 3 * n_vertices), np.float32),
        joint_regressor=joint_regressor().astype(np.float32),
        skinning=skinning().astype(np.float32),
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        uv=uv.astype(np.float32),
        uv_faces=uv_faces.astype(np.int32),
        face_mask=face_mask,
        face_eye_mask=face_eye_mask,
        fixed_displacement=np.zeros((settings.uv_size, settings.uv_size), np.float32),
        labels=label_map(texels(LABEL_SIZE)),
        albedo_mean=albedo_mean(ALBEDO_SIZE),
        albedo_basis=albedo,
        meta=json.dumps(meta, sort_keys=True),
        **_landmarks(),
    )


def _need_columns(setting: str, wanted: int, there: int) -> None:
    if there < wanted:
        raise ValueError(f"head.{setting} = {wanted}: the generic head has {there} columns; lower it or use FLAME")


def _landmarks() -> dict[str, np.ndarray]:
    """Return where the 68 points lie on the mesh, by the names of :class:`HeadData`."""
    static_faces, static_bary = static_embedding()
    (contour_faces, contour_bary), (jaw_faces, jaw_bary) = jaw_embedding()
    return {
        "static_faces": static_faces.astype(np.int32),
        "static_bary": static_bary.astype(np.float32),
        "contour_faces": contour_faces.astype(np.int32),
        "contour_bary": contour_bary.astype(np.float32),
        "full_faces": np.concatenate([jaw_faces, static_faces]).astype(np.int32),
        "full_bary": np.concatenate([jaw_bary, static_bary]).astype(np.float32),
    }
