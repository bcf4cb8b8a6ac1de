"""Files in the layout of FLAME and of DECA's data, with made-up numbers: input of the loader in the tests.

The pickle is written with classes that claim to live in chumpy and in scipy's old modules, in the protocol of
Python 2, as the licensed file is.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch


class _State:
    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


Ch = type("Ch", (_State,), {"__module__": "chumpy.ch"})
CscMatrix = type("csc_matrix", (_State,), {"__module__": "scipy.sparse.csc"})


def chumpy(array: np.ndarray) -> Any:
    """Return an object that pickles as chumpy's Ch around ``array``."""
    return Ch(x=array, _dirty_vars=set(), _cache={})


def columns_matrix(dense: np.ndarray) -> Any:
    """Return an object that pickles as scipy's csc_matrix."""
    columns, rows = np.nonzero(dense.T)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=dense.shape[1]))]).astype(np.int32)
    return CscMatrix(
        _shape=dense.shape, data=dense[rows, columns], indices=rows.astype(np.int32), indptr=pointers, maxprint=50
    )


def dump(content: Any, path: Path, protocol: int = 2) -> Path:
    """Pickle while the fake modules exist."""
    modules = {}
    for kind in (Ch, CscMatrix):
        module = types.ModuleType(kind.__module__)
        setattr(module, kind.__name__, kind)
        modules[kind.__module__] = module
    modules["chumpy"] = types.ModuleType("chumpy")
    with mock.patch.dict(sys.modules, modules):
        path.write_bytes(pickle.dumps(content, protocol))
    return path


def arrays(
    seed: int = 0, rows: int = 12, columns: int = 14, identity: int = 300, expression: int = 100
) -> dict[str, Any]:
    """Return a FLAME-like model on a bent sheet of rows x columns vertices."""
    rng = np.random.default_rng(seed)
    a, b = np.meshgrid(np.linspace(-1.2, 1.2, columns), np.linspace(1.3, -1.3, rows))
    v = 0.1 * np.stack([np.sin(a) * np.cos(b), 1.2 * np.sin(b), np.cos(a) * np.cos(b)], -1).reshape(-1, 3)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + columns, corner + columns + 1], 1),
            np.stack([corner, corner + columns + 1, corner + 1], 1),
        ]
    )
    regressor = np.zeros((5, len(v)))
    for joint in range(5):
        regressor[joint, rng.choice(len(v), 6, replace=False)] = 1 / 6
    logits = rng.normal(size=(len(v), 5)) * 2
    weights = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return {
        "v_template": v,
        "f": faces.astype(np.uint32),
        "shapedirs": 1e-3 * rng.normal(size=(len(v), 3, identity + expression)),
        "posedirs": 1e-3 * rng.normal(size=(len(v), 3, 36)),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "grid": (rows, columns),
    }


def write_model(path: Path, model: Mapping[str, Any]) -> Path:
    """Write generic_model.pkl."""
    content = {key: model[key] for key in ("f", "weights", "kintree_table", "posedirs")}
    content |= {"v_template": chumpy(model["v_template"]), "shapedirs": chumpy(model["shapedirs"])}
    content |= {"J_regressor": columns_matrix(model["J_regressor"]), "bs_style": "lbs", "bs_type": "lrotmin"}
    return dump(content, path)


def write_template(path: Path, model: Mapping[str, Any]) -> Path:
    """Write head_template.obj; its geometry is shifted, as in DECA's file."""
    rows, columns = model["grid"]
    u, v = np.meshgrid((np.arange(columns) + 0.5) / columns, 1 - (np.arange(rows) + 0.5) / rows)
    lines = [f"v {x:.6f} {y + 1.5:.6f} {z:.6f}" for x, y, z in model["v_template"]]
    lines += [f"vt {x:.6f} {y:.6f}" for x, y in zip(u.ravel(), v.ravel(), strict=True)]
    lines += ["f " + " ".join(f"{i + 1}/{i + 1}" for i in face) for face in model["f"].tolist()]
    path.write_text("# head\n" + "\n".join(lines) + "\n")
    return path


def write_embedding(path: Path, n_faces: int, seed: int = 1) -> Path:
    """Write landmark_embedding.npy: an object array with numpy arrays and torch tensors."""
    rng = np.random.default_rng(seed)

    def bary(*shape: int) -> np.ndarray:
        raw = rng.uniform(0.1, 1, (*shape, 3))
        return raw / raw.sum(-1, keepdims=True)

    content = {
        "static_lmk_faces_idx": rng.integers(0, n_faces, 51),
        "static_lmk_bary_coords": bary(51),
        "dynamic_lmk_faces_idx": torch.from_numpy(rng.integers(0, n_faces, (79, 17))),
        "dynamic_lmk_bary_coords": torch.from_numpy(bary(79, 17).astype(np.float32)),
        "full_lmk_faces_idx": rng.integers(0, n_faces, (1, 68)),
        "full_lmk_bary_coords": bary(1, 68).astype(np.float32),
    }
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def write_all(folder: Path, seed: int = 0) -> tuple[dict[str, str], dict[str, Any]]:
    """Write every file; return the settings that name them, and the arrays of the model."""
    model = arrays(seed)
    mask = np.zeros((64, 64, 4), np.uint8)
    mask[16:48, 8:56] = (10, 20, 255, 255)  # BGRA: the red channel counts
    cv2.imwrite(str(folder / "uv_face_mask.png"), mask)
    mask[:8] = (10, 20, 128, 255)
    cv2.imwrite(str(folder / "uv_face_eye_mask.png"), mask)
    np.save(folder / "fixed.npy", 1e-3 * np.random.default_rng(2).normal(size=(64, 64)))
    settings = {
        "model": "flame",
        "flame": str(write_model(folder / "generic_model.pkl", model)),
        "template": str(write_template(folder / "head_template.obj", model)),
        "embedding": str(write_embedding(folder / "landmark_embedding.npy", len(model["f"]))),
        "face_mask": str(folder / "uv_face_mask.png"),
        "face_eye_mask": str(folder / "uv_face_eye_mask.png"),
        "fixed_displacement": str(folder / "fixed.npy"),
    }
    return settings, model
