"""DECA's template of the dense detail mesh (``texture_data_256.npy``): a vertex per covered UV pixel.

Source: ``upsample_mesh`` in DECA's ``util.py``.

The file is licensed and optional: :meth:`tvface.rendering.uv.UVSpace.dense_mesh` makes an equivalent template from the
UV layout. With the file, vertices and faces come in DECA's order, so that meshes can be compared with its exports.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvface.head.data import HeadError
from tvface.head.unpickle import as_array, read_object_npy

KEYS = ("img_size", "f", "x_coords", "y_coords", "valid_pixel_ids", "valid_pixel_3d_faces", "valid_pixel_b_coords")


@dataclass(frozen=True)
class DenseTemplate:
    """N dense vertices, each on a triangle of the head.

    size: side of the UV image. faces: (M,3) i32, indices of dense vertices, wound like the head's. pixels: (N,2) i32,
    row and column in the UV image. corners: (N,3) i32, the head's vertices round each dense one. bary: (N,3) f32, their
    barycentric weights.
    """

    size: int
    faces: np.ndarray
    pixels: np.ndarray
    corners: np.ndarray
    bary: np.ndarray


def read_dense_template(path: Path, n_vertices: int | None = None) -> DenseTemplate:
    """Read the template; nothing in the file is executed.

    Args:
        path: an object .npy holding one mapping.
        n_vertices: vertices of the head, which bound the indices; None: not checked.

    Raises:
        HeadError: missing, another layout, an index out of range, or a pickle that wants to run something.
    """
    content = read_object_npy(path, "DECA's dense template (texture_data_256.npy)")
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise HeadError(f"{path}: {', '.join(missing)} missing; take DECA's texture_data_256.npy")
    array = {key: as_array(content[key], key, path) for key in KEYS}
    size = int(array["img_size"].reshape(-1)[0])
    ids = array["valid_pixel_ids"].reshape(-1).astype(np.int64)
    columns, rows = (array[key].reshape(-1).astype(np.int64) for key in ("x_coords", "y_coords"))
    if len(columns) != len(rows):
        raise HeadError(f"{path}: {len(columns)} x_coords and {len(rows)} y_coords")
    _within(path, "valid_pixel_ids", ids, len(columns))
    pixels = np.stack([rows[ids], columns[ids]], 1)
    _within(path, "x_coords and y_coords", pixels, size)
    faces, corners, bary = array["f"], array["valid_pixel_3d_faces"], array["valid_pixel_b_coords"]
    for key, value, length in (
        ("f", faces, None),
        ("valid_pixel_3d_faces", corners, len(ids)),
        ("valid_pixel_b_coords", bary, len(ids)),
    ):
        if value.ndim != 2 or value.shape[1] != 3 or (length is not None and len(value) != length):
            raise HeadError(f"{path}: {key} has shape {value.shape}, expected ({length or 'M'}, 3)")
    _within(path, "f", faces, len(ids))
    if n_vertices is not None:
        _within(path, "valid_pixel_3d_faces", corners, n_vertices)
    if not np.isfinite(bary).all() or np.abs(bary.sum(1) - 1).max(initial=0) > 1e-2:
        raise HeadError(f"{path}: rows of valid_pixel_b_coords do not sum to 1")
    return DenseTemplate(
        size,
        faces.astype(np.int32),
        pixels.astype(np.int32),
        corners.astype(np.int32),
        bary.astype(np.float32),
    )


def _within(path: Path, key: str, values: np.ndarray, limit: int) -> None:
    if values.size and (values.min() < 0 or values.max() >= limit):
        raise HeadError(f"{path}: {key} holds {values.min()}..{values.max()}, expected 0..{limit - 1}")
