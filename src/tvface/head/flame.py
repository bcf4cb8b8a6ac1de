"""FLAME 2020/2023 and DECA's data files, converted to :class:`HeadData` without executing anything.

Sources of the layouts: DECA's ``FLAME.py`` and ``renderer.py``. Nothing of these files is shipped; the settings
``head.*`` name the user's copies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tvface.assets.head_needs import located
from tvface.head.data import HeadData, HeadError
from tvface.head.dense_template import read_dense_template
from tvface.head.flame_albedo import albedo_from_file, plain_albedo
from tvface.head.flame_regions import label_map
from tvface.head.unpickle import as_array, check_file, read_object_npy, read_pickle
from tvface.settings.model import Head

__all__ = [
    "EMBEDDING_KEYS",
    "MODEL_KEYS",
    "convert",
    "read_displacement",
    "read_embedding",
    "read_mask",
    "read_model",
    "read_template",
]

IDENTITY_COLUMNS = 300  # of shapedirs; expression follows
LABEL_SIZE = 512  # px
EMBEDDING_KEYS = tuple(
    f"{kind}_lmk_{part}" for kind in ("static", "dynamic", "full") for part in ("faces_idx", "bary_coords")
)
_META = {
    "source": "flame",
    "licence": "FLAME model licence of the user's own copy; not to be redistributed",
    "command": "tvface head",
    "unit": "metre",
}
MODEL_KEYS = ("f", "v_template", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")


def convert(settings: Head, notes: Mapping[str, Any] | None = None) -> HeadData:
    """Read the user's FLAME and DECA's data files.

    Args:
        settings: the paths, the numbers of coefficients, the side of the UV masks.
        notes: more metadata, e.g. provenance.

    Raises:
        HeadError: a file is missing, is a login page, wants to run code, or has another layout.
    """
    paths = {option: path for option, (_, path) in located(settings).items()}
    model_path = paths["flame"]
    model = read_model(model_path)
    vertices = len(model["v_template"])
    faces, uv, uv_faces = read_template(paths["template"])
    _need_same_faces(faces, model["f"], paths["template"], model_path)
    points = read_embedding(paths["embedding"], len(faces))
    size = settings.uv_size
    face_mask = read_mask(paths["face_mask"], size, "DECA's UV face mask")
    face_eye_mask = read_mask(paths["face_eye_mask"], size, "DECA's UV mask of face and eyes")
    displacement = read_displacement(paths["fixed_displacement"], size)
    labels = label_map(LABEL_SIZE, uv, uv_faces, faces, model["weights"], points, face_mask)
    if "albedo" not in paths:
        mean, basis = plain_albedo(labels, settings.n_texture)
    else:
        mean, basis = albedo_from_file(paths["albedo"], settings.n_texture)
    shape = _columns(model["shapedirs"][..., :IDENTITY_COLUMNS], settings.n_shape, "n_shape", model_path)
    expression = _columns(model["shapedirs"][..., IDENTITY_COLUMNS:], settings.n_expression, "n_expression", model_path)
    dense, dense_notes = _dense(paths.get("dense_template"), vertices)
    albedo = "plain" if "albedo" not in paths else paths["albedo"].name
    meta = {**_META, "albedo": albedo, **dense_notes, **(notes or {})}
    return HeadData(
        v_template=model["v_template"].astype(np.float32),
        faces=faces.astype(np.int32),
        shape_basis=shape,
        expression_basis=expression,
        pose_basis=np.ascontiguousarray(model["posedirs"].reshape(vertices * 3, -1).T, np.float32),
        joint_regressor=model["J_regressor"].astype(np.float32),
        skinning=model["weights"].astype(np.float32),
        parents=model["parents"],
        uv=uv,
        uv_faces=uv_faces.astype(np.int32),
        face_mask=face_mask,
        face_eye_mask=face_eye_mask,
        fixed_displacement=displacement,
        labels=labels,
        albedo_mean=mean,
        albedo_basis=basis,
        meta=json.dumps(meta, sort_keys=True),
        **points,
        **dense,
    )


def _need_same_faces(faces: np.ndarray, of_model: np.ndarray, template: Path, model: Path) -> None:
    if faces.shape != of_model.shape or (faces != of_model).any():
        raise HeadError(
            f"{template}: its {len(faces)} faces are not the {len(of_model)} faces of {model}; take "
            "DECA's head_template.obj, which has FLAME's topology"
        )


def _dense(template: Path | None, vertices: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the dense mesh by the names of :class:`HeadData`, and what the metadata say of it; both may be empty."""
    if template is None:
        return {}, {}
    read = read_dense_template(template, vertices)
    arrays = {f"dense_{name}": getattr(read, name) for name in ("faces", "pixels", "corners", "bary")}
    return arrays, {"dense_size": read.size}


def read_model(path: Path) -> dict[str, np.ndarray]:
    """Read FLAME's arrays by their names in the pickle, dense, and ``parents`` (5,) int32.

    Raises:
        HeadError: not FLAME 2020 or 2023, or a pickle that would run code.
    """
    content = read_pickle(path, "FLAME's model (generic_model.pkl)")
    missing = [key for key in MODEL_KEYS if key not in content]
    if missing:
        raise HeadError(f"{path}: not FLAME's model, {', '.join(missing)} are missing")
    model = {key: as_array(content[key], key, path) for key in MODEL_KEYS}
    vertices = len(model["v_template"])
    model["f"] = model["f"].astype(np.int64)
    expected = {
        "v_template": (vertices, 3),
        "f": (len(model["f"]), 3),
        "posedirs": (vertices, 3, 36),
        "J_regressor": (5, vertices),
        "weights": (vertices, 5),
        "kintree_table": (2, 5),
    }
    for key, shape in expected.items():
        if model[key].shape != shape:
            raise HeadError(
                f"{path}: {key} has shape {model[key].shape}, expected {shape}; is this FLAME 2020 or 2023?"
            )
    if model["shapedirs"].ndim != 3 or model["shapedirs"].shape[:2] != (vertices, 3):
        raise HeadError(f"{path}: shapedirs has shape {model['shapedirs'].shape}, expected ({vertices}, 3, 400)")
    # The root's parent is stored as 2^32 - 1.
    parents = model["kintree_table"][0].astype(np.int64).astype(np.int32)
    parents[0] = -1
    model["parents"] = parents
    return model


def _columns(basis: np.ndarray, columns: int, name: str, path: Path) -> np.ndarray:
    if basis.shape[-1] < columns:
        raise HeadError(f"head.{name} = {columns}: {path} has {basis.shape[-1]} columns; lower the setting")
    return np.ascontiguousarray(basis[..., :columns], np.float32)


def read_template(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return faces (F,3), uv (Vt,2) f32 and uv_faces (F,3) of an OBJ; its geometry is not used.

    Raises:
        HeadError: not an OBJ of triangles with UVs.
    """
    check_file(path, "FLAME's topology (DECA's head_template.obj)")
    uv, faces, uv_faces = [], [], []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words or words[0] not in ("vt", "f"):
            continue
        try:
            if words[0] == "vt":
                uv.append([float(word) for word in words[1:3]])
            else:
                corners = [word.split("/")[:2] for word in words[1:]]
                if len(corners) != 3:
                    raise ValueError(f"a face of {len(corners)} corners")
                faces.append([int(corner[0]) - 1 for corner in corners])
                uv_faces.append([int(corner[1]) - 1 for corner in corners])
        except (ValueError, IndexError) as error:
            raise HeadError(f"{path}: line {number} is not a triangle or UV of an OBJ with UVs ({error})") from error
    if not faces or not uv:
        raise HeadError(f"{path}: no faces or no UVs; take DECA's head_template.obj")
    return np.array(faces, np.int64), np.array(uv, np.float32), np.array(uv_faces, np.int64)


def read_embedding(path: Path, n_faces: int) -> dict[str, np.ndarray]:
    """Read the landmark embedding by the names of :class:`HeadData`.

    Args:
        path: an object .npy, possibly with torch tensors; nothing in it is executed.
        n_faces: faces of the mesh, which bound the indices.

    Raises:
        HeadError: another layout, an index beyond the mesh, or a pickle that would run code.
    """
    content = read_object_npy(path, "FLAME's landmark embedding (DECA's landmark_embedding.npy)")
    names = {
        "static_faces": ("static_lmk_faces_idx", (51,), np.int32),
        "static_bary": ("static_lmk_bary_coords", (51, 3), np.float32),
        "contour_faces": ("dynamic_lmk_faces_idx", (79, 17), np.int32),
        "contour_bary": ("dynamic_lmk_bary_coords", (79, 17, 3), np.float32),
        "full_faces": ("full_lmk_faces_idx", (68,), np.int32),
        "full_bary": ("full_lmk_bary_coords", (68, 3), np.float32),
    }
    points: dict[str, np.ndarray] = {}
    for name, (key, shape, dtype) in names.items():
        if key not in content:
            raise HeadError(f"{path}: {key} is missing; take DECA's landmark_embedding.npy")
        array = as_array(content[key], key, path)
        if array.size != int(np.prod(shape)):
            raise HeadError(f"{path}: {key} has shape {array.shape}, expected {shape}")
        points[name] = array.reshape(shape).astype(dtype)
        if dtype == np.int32 and (points[name].min() < 0 or points[name].max() >= n_faces):
            raise HeadError(f"{path}: {key} names face {points[name].max()} of a mesh with {n_faces} faces")
    return points


def nearest(image: np.ndarray, size: int) -> np.ndarray:
    """Return an image (h, w, ...) resized to (size, size, ...) by torch's nearest rule (pixel floor(i * h / size))."""
    rows = np.arange(size) * image.shape[0] // size
    columns = np.arange(size) * image.shape[1] // size
    return np.ascontiguousarray(image[rows][:, columns])


def read_mask(path: Path, size: int, what: str) -> np.ndarray:
    """Read the red channel of a square picture as (size, size) f32 in [0, 1], nearest pixel.

    Raises:
        HeadError: not a square 8-bit picture.
    """
    check_file(path, what)
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise HeadError(f"{path}: not a readable picture, expected {what}")
    red = image if image.ndim == 2 else image[..., 2]  # OpenCV stores BGR(A)
    if image.dtype != np.uint8 or red.shape[0] != red.shape[1]:
        raise HeadError(f"{path}: {image.dtype} of shape {image.shape}, expected a square 8-bit picture of {what}")
    return nearest(red.astype(np.float32) / 255, size)


def read_displacement(path: Path, size: int) -> np.ndarray:
    """Read a square .npy of metres as (size, size) f32, nearest pixel.

    Raises:
        HeadError: not a square array of numbers.
    """
    check_file(path, "DECA's fixed displacement")
    try:
        image = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise HeadError(f"{path}: not a plain .npy array ({error}), expected DECA's fixed displacement") from error
    if image.ndim != 2 or image.shape[0] != image.shape[1] or image.dtype.kind != "f":
        raise HeadError(f"{path}: {image.dtype} of shape {image.shape}, expected a square map in metres")
    return nearest(image.astype(np.float32), size)
