"""The head model as plain arrays, in FLAME's format, stored as an npz whose loading executes nothing."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvface.files.atomic import atomic

CONTOUR_ROWS = 79  # yaw 0..39, then -1..-39 (FLAME's table)
JOINTS = ("root", "neck", "jaw", "eye", "eye")

# name: (dtype, shape); equal letters are equal lengths, numbers are fixed
_LAYOUT: dict[str, tuple[type, tuple[str | int, ...]]] = {
    "v_template": (np.float32, ("V", 3)),
    "faces": (np.int32, ("F", 3)),
    "shape_basis": (np.float32, ("V", 3, "S")),
    "expression_basis": (np.float32, ("V", 3, "E")),
    "pose_basis": (np.float32, (36, "3V")),
    "joint_regressor": (np.float32, (5, "V")),
    "skinning": (np.float32, ("V", 5)),
    "parents": (np.int32, (5,)),
    "static_faces": (np.int32, (51,)),
    "static_bary": (np.float32, (51, 3)),
    "contour_faces": (np.int32, (CONTOUR_ROWS, 17)),
    "contour_bary": (np.float32, (CONTOUR_ROWS, 17, 3)),
    "full_faces": (np.int32, (68,)),
    "full_bary": (np.float32, (68, 3)),
    "uv": (np.float32, ("Vt", 2)),
    "uv_faces": (np.int32, ("F", 3)),
    "face_mask": (np.float32, ("U", "U")),
    "face_eye_mask": (np.float32, ("U", "U")),
    "fixed_displacement": (np.float32, ("U", "U")),
    "labels": (np.uint8, ("L", "L")),
    "albedo_mean": (np.float32, ("A", "A", 3)),
    "albedo_basis": (np.float16, ("T", "A", "A", 3)),
}

# Arrays of DECA's dense template; a head without a template has none of them.
_OPTIONAL: dict[str, tuple[type, tuple[str | int, ...]]] = {
    "dense_faces": (np.int32, ("M", 3)),
    "dense_pixels": (np.int32, ("N", 2)),
    "dense_corners": (np.int32, ("N", 3)),
    "dense_bary": (np.float32, ("N", 3)),
}


class HeadError(ValueError):
    """A head model violates its format; the message names the file, the array and the expected values."""


@dataclass(frozen=True)
class HeadData:
    """A head model.

    Convention: metres, x to the subject's left, y up, z towards the camera of a frontal view.

    v_template (V,3) f32; faces (F,3) i32 outward counter-clockwise; shape_basis (V,3,S) f32 and expression_basis
    (V,3,E) f32 for unit normal coefficients; pose_basis (36,3V) f32: rotations minus identity of joints 1..4
    (row-major) to vertex offsets (row-major); joint_regressor (5,V) f32; skinning (V,5) f32, rows sum to 1; parents
    (5,) i32 = -1, 0, 1, 1, 1 for root, neck, jaw, eye, eye.
    static_faces (51,), static_bary (51,3): points 17..67 of 300-W; contour_faces (79,17), contour_bary (79,17,3): jaw
    points 0..16 by yaw, row y for y = 0..39 degrees and 39 - y for y = -1..-39; full_faces (68,), full_bary (68,3):
    all points with the jaw of the 3D convention.
    uv (Vt,2) f32 in [0,1], v UP; uv_faces (F,3) i32. Images in UV have row 0 at v = 1: face_mask and face_eye_mask
    (U,U) f32 in [0,1], fixed_displacement (U,U) f32 metres, labels (L,L) u8 in zllrunning order, albedo_mean (A,A,3)
    f32 RGB, albedo_basis (T,A,A,3) f16 for unit normal coefficients.
    meta: JSON text with source, licence, command and, for the human head, the names of the modes.
    dense_faces (M,3) i32, dense_pixels (N,2) i32, dense_corners (N,3) i32, dense_bary (N,3) f32: the user's template of
    the dense mesh (:class:`tvface.head.dense_template.DenseTemplate`; its size is ``dense_size`` of the notes) or None.
    """

    v_template: np.ndarray
    faces: np.ndarray
    shape_basis: np.ndarray
    expression_basis: np.ndarray
    pose_basis: np.ndarray
    joint_regressor: np.ndarray
    skinning: np.ndarray
    parents: np.ndarray
    static_faces: np.ndarray
    static_bary: np.ndarray
    contour_faces: np.ndarray
    contour_bary: np.ndarray
    full_faces: np.ndarray
    full_bary: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    face_mask: np.ndarray
    face_eye_mask: np.ndarray
    fixed_displacement: np.ndarray
    labels: np.ndarray
    albedo_mean: np.ndarray
    albedo_basis: np.ndarray
    meta: str
    dense_faces: np.ndarray | None = None
    dense_pixels: np.ndarray | None = None
    dense_corners: np.ndarray | None = None
    dense_bary: np.ndarray | None = None

    def __post_init__(self) -> None:
        _validate(self, "head model")

    @property
    def notes(self) -> dict[str, Any]:
        """The metadata as a mapping."""
        return dict(json.loads(self.meta))

    def save(self, path: str | Path) -> None:
        """Write an npz atomically; equal arrays give equal bytes."""
        with (
            atomic(path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive,
        ):
            for field in dataclasses.fields(self):
                value = getattr(self, field.name)
                if value is None:
                    continue
                array = np.frombuffer(value.encode(), np.uint8) if field.name == "meta" else value
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
                # A fixed time: zip would otherwise store the current time.
                archive.writestr(
                    zipfile.ZipInfo(f"{field.name}.npy", (1980, 1, 1, 0, 0, 0)),
                    buffer.getvalue(),
                    zipfile.ZIP_DEFLATED,
                    4,
                )

    @classmethod
    def load(cls, path: str | Path) -> HeadData:
        """Read and validate a stored head model.

        Raises:
            FileNotFoundError: no such file.
            HeadError: not an npz, an array is missing, or has the wrong type, shape or values.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such head model; make it with `snakemake head` or `tvface head`")
        names = {field.name for field in dataclasses.fields(cls)}
        try:
            with np.load(path, allow_pickle=False) as archive:
                missing = sorted(names - set(archive.files) - set(_OPTIONAL))
                if missing:
                    raise HeadError(f"{path}: arrays {', '.join(missing)} are missing; run the stage `head` again")
                arrays = {name: archive[name] for name in names if name in archive.files}
        except (zipfile.BadZipFile, OSError) as error:
            raise HeadError(
                f"{path}: not a readable npz ({error}); delete it and run the stage `head` again"
            ) from error
        except ValueError as error:
            if isinstance(error, HeadError):
                raise
            raise HeadError(f"{path}: holds an array that is not plain numbers ({error})") from error
        meta = arrays.pop("meta").tobytes().decode()
        try:
            return cls(**arrays, meta=meta)
        except HeadError as error:
            raise HeadError(f"{path}: {error}") from error


def _validate(head: HeadData, where: str) -> None:
    sizes: dict[str, int] = {"V": len(head.v_template), "3V": 3 * len(head.v_template)}
    dense = {name for name in _OPTIONAL if getattr(head, name) is not None}
    if dense and dense != set(_OPTIONAL):
        raise HeadError(
            f"{where}: {', '.join(sorted(set(_OPTIONAL) - dense))} missing beside {', '.join(sorted(dense))}"
        )
    for name, (dtype, shape) in {**_LAYOUT, **(_OPTIONAL if dense else {})}.items():
        array = getattr(head, name)
        if not isinstance(array, np.ndarray) or array.dtype != dtype:
            raise HeadError(f"{where}: {name} is {getattr(array, 'dtype', type(array))}, expected {np.dtype(dtype)}")
        expected = tuple(
            n if isinstance(n, int) else sizes.setdefault(n, array.shape[i] if i < array.ndim else -1)
            for i, n in enumerate(shape)
        )
        if array.shape != expected:
            raise HeadError(
                f"{where}: {name} has shape {array.shape}, expected {expected} ({', '.join(map(str, shape))})"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise HeadError(f"{where}: {name} holds values that are not finite")
    limits = {
        "faces": sizes["V"],
        "uv_faces": sizes["Vt"],
        "static_faces": sizes["F"],
        "contour_faces": sizes["F"],
        "full_faces": sizes["F"],
        "labels": 19,
    }
    if dense:
        limits |= {"dense_faces": sizes["N"], "dense_pixels": int(json.loads(head.meta).get("dense_size", 0))}
        limits["dense_corners"] = sizes["V"]
    for name, limit in limits.items():
        array = getattr(head, name)
        if array.size and (int(array.min()) < 0 or int(array.max()) >= limit):
            raise HeadError(f"{where}: {name} holds {array.min()}..{array.max()}, expected 0..{limit - 1}")
    if head.parents.tolist() != [-1, 0, 1, 1, 1]:
        raise HeadError(f"{where}: parents are {head.parents.tolist()}, expected [-1, 0, 1, 1, 1]")
    for name in ("skinning", "joint_regressor", "static_bary", "contour_bary", "full_bary"):
        total = getattr(head, name).sum(-1)
        if np.abs(total - 1).max() > 1e-3:
            raise HeadError(f"{where}: rows of {name} sum to {total.min():.4f}..{total.max():.4f}, expected 1")
    if head.uv.size and (head.uv.min() < 0 or head.uv.max() > 1):
        raise HeadError(f"{where}: uv lies in {head.uv.min():.3f}..{head.uv.max():.3f}, expected 0..1")
    try:
        notes = json.loads(head.meta)
    except json.JSONDecodeError as error:
        raise HeadError(f"{where}: meta is not JSON: {error}") from error
    if not isinstance(notes, dict) or not {"source", "licence"} <= set(notes):
        raise HeadError(f"{where}: meta must be an object with at least 'source' and 'licence'")
