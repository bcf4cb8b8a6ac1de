"""The shipped file of the human head: quantised, half of the mirror-symmetric arrays, nothing executed on loading."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvface.head.data import CONTOUR_ROWS, HeadError
from tvface.media.npz import NpzWriter

FORMAT = 1
TEMPLATE_STEP, FIELD_STEP = 1e-2, 4e-3  # mm
CODE_STEP, SHARE_STEP, UV_STEP = 1e-2, 1 / 65535, 1 / 65535
TRAITS = ("male", "age", "african", "asian", "caucasian", "muscle", "weight", "height")
# Steps of the columns of the table of people: shares and settings, years.
_TRAIT_STEPS = np.array([1e-3, 1e-2, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3])
_EYE_SWAP = [0, 1, 2, 4, 3]

# name: (dtype, shape); equal letters are equal lengths, numbers are fixed
_LAYOUT: dict[str, tuple[type, tuple[str | int, ...]]] = {
    "mirror": (np.uint16, ("V",)),
    "half": (np.uint16, ("H",)),
    "part": (np.uint8, ("V",)),
    "quads": (np.uint16, ("Q", 4)),
    "quad_uv": (np.uint16, ("Q", 4)),
    "triangles": (np.uint8, ("Q", 2, 3)),
    "piece": (np.uint8, ("Q",)),
    "uv": (np.uint16, ("Vt", 2)),
    "lips": (np.uint8, ("V",)),
    "ears": (np.uint8, ("V",)),
    "template": (np.int16, ("H", 3)),
    "identity": (np.int16, ("S", "H", 3)),
    "identity_sign": (np.int8, ("S",)),
    "unit_left": (np.int16, ("P", "V", 3)),
    "unit_middle": (np.int16, ("M", "H", 3)),
    "corrective": (np.int16, ("H", 3)),
    "skinning": (np.uint16, ("H", 5)),
    "regressor": (np.float32, (5, "V")),
    "static_faces": (np.uint16, (51,)),
    "static_bary": (np.float32, (51, 3)),
    "contour_faces": (np.uint16, (CONTOUR_ROWS, 17)),
    "contour_bary": (np.float32, (CONTOUR_ROWS, 17, 3)),
    "full_faces": (np.uint16, (68,)),
    "full_bary": (np.float32, (68, 3)),
    "people_codes": (np.int16, ("N", "S")),
    "people_traits": (np.int16, ("N", len(TRAITS))),
}
ARRAYS = tuple(_LAYOUT)
_REMEDY = "restore it from the repository, or make it anew: python -m tvface.head.human.convert"


@dataclass(frozen=True)
class Stored:
    """The arrays of the human head. V vertices, Q quads, Vt texture places, S identity columns, E units, N people.

    template (V,3), identity (S,V,3) per unit normal coefficient, units (E,V,3) at weight 1, corrective (V,3) per unit
    sine of the jaw's turn: mm, float64, mirror symmetric exactly. mirror (V,) involution; part (V,), the kinds of
    :mod:`tvface.head.human.cut`; quads, quad_uv (Q,4); triangles (Q,2,3) places in each quad; piece (Q,) number in
    ``notes["pieces"]``, of the texture layout; uv (Vt,2) in [0,1], v up; lips, ears (V,) in [0,1]; skinning (V,5),
    regressor (5,V); landmarks as in :class:`tvface.head.data.HeadData`; codes (N,S) and traits (N,8), columns
    :data:`TRAITS`: persons drawn in slider space. identity_sign (S,): 1 mirror symmetric, -1 antisymmetric column.
    """

    mirror: np.ndarray
    part: np.ndarray
    quads: np.ndarray
    quad_uv: np.ndarray
    triangles: np.ndarray
    piece: np.ndarray
    uv: np.ndarray
    lips: np.ndarray
    ears: np.ndarray
    template: np.ndarray
    identity: np.ndarray
    identity_sign: np.ndarray
    units: np.ndarray
    corrective: np.ndarray
    skinning: np.ndarray
    regressor: np.ndarray
    static_faces: np.ndarray
    static_bary: np.ndarray
    contour_faces: np.ndarray
    contour_bary: np.ndarray
    full_faces: np.ndarray
    full_bary: np.ndarray
    codes: np.ndarray
    traits: np.ndarray
    notes: dict[str, Any]

    @property
    def faces(self) -> np.ndarray:
        """Return (F,3) the triangles, two per quad, outward counter-clockwise."""
        return np.take_along_axis(self.quads[:, None].repeat(2, 1), self.triangles, 2).reshape(-1, 3)

    @property
    def uv_faces(self) -> np.ndarray:
        """Return (F,3) the triangles' places in ``uv``."""
        return np.take_along_axis(self.quad_uv[:, None].repeat(2, 1), self.triangles, 2).reshape(-1, 3)

    @property
    def unit_names(self) -> list[str]:
        """Return the names of the units."""
        return list(self.notes["units"])

    def save(self, path: Path) -> None:
        """Write the file; equal arrays give equal bytes.

        Raises:
            ValueError: an array exceeds the range of its step, or is not mirror symmetric.
        """
        half = np.flatnonzero(np.arange(len(self.mirror)) <= self.mirror)
        names = self.unit_names
        left = [k for k, name in enumerate(names) if name.endswith("Left")]
        middle = [k for k, name in enumerate(names) if not name.endswith(("Left", "Right"))]
        numbers: dict[str, np.ndarray] = {
            "half": half,
            "template": _quantised(self.template[half], TEMPLATE_STEP, "template"),
            "identity": _quantised(self.identity[:, half], FIELD_STEP, "identity"),
            "unit_left": _quantised(self.units[left], FIELD_STEP, "units"),
            "unit_middle": _quantised(self.units[middle][:, half], FIELD_STEP, "units"),
            "corrective": _quantised(self.corrective[half], FIELD_STEP, "corrective"),
            "skinning": _shares(self.skinning[half]),
            "uv": np.round(self.uv / UV_STEP),
            "lips": np.round(self.lips * 255),
            "ears": np.round(self.ears * 255),
            "people_codes": _quantised(self.codes, CODE_STEP, "codes"),
            "people_traits": np.round(self.traits / _TRAIT_STEPS),
        }
        rest = {name: numbers.get(name, getattr(self, name, None)) for name in _LAYOUT}
        arrays: dict[str, Any] = {name: np.asarray(rest[name]).astype(kind) for name, (kind, _) in _LAYOUT.items()}
        with NpzWriter(path) as writer:
            writer.put(**arrays, meta=np.frombuffer(json.dumps(self.notes, sort_keys=True).encode(), np.uint8))

    @classmethod
    def load(cls, path: Path) -> Stored:
        """Read the file.

        Raises:
            HeadError: missing, damaged, or of another format.
        """
        if not path.is_file():
            raise HeadError(f"{path}: the human head's file is missing; {_REMEDY}")
        arrays: dict[str, np.ndarray]
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in (*_LAYOUT, "meta") if name in archive.files}
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise HeadError(f"{path}: not a readable npz of plain numbers ({error}); {_REMEDY}") from error
        _check(arrays, path)
        notes = json.loads(arrays["meta"].tobytes().decode())
        if notes.get("format") != FORMAT:
            raise HeadError(f"{path}: format {notes.get('format')}, this version reads {FORMAT}; {_REMEDY}")
        return cls(**_decoded(arrays, notes), notes=notes)


def _check(arrays: dict[str, np.ndarray], path: Path) -> None:
    missing = sorted({*_LAYOUT, "meta"} - set(arrays))
    if missing:
        raise HeadError(f"{path}: arrays {', '.join(missing)} are missing; {_REMEDY}")
    sizes: dict[str, int] = {}
    for name, (dtype, shape) in _LAYOUT.items():
        array = arrays[name]
        expected = tuple(
            n if isinstance(n, int) else sizes.setdefault(n, array.shape[k] if k < array.ndim else -1)
            for k, n in enumerate(shape)
        )
        if array.dtype != dtype or array.shape != expected:
            raise HeadError(
                f"{path}: {name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {expected}; {_REMEDY}"
            )
    limits = {"mirror": "V", "half": "V", "quads": "V", "quad_uv": "Vt"}
    for name, letter in limits.items():
        if arrays[name].size and int(arrays[name].max()) >= sizes[letter]:
            raise HeadError(f"{path}: {name} holds {arrays[name].max()}, expected below {sizes[letter]}; {_REMEDY}")


def _decoded(arrays: dict[str, np.ndarray], notes: dict[str, Any]) -> dict[str, np.ndarray]:
    mirror, half = arrays["mirror"].astype(np.int64), arrays["half"].astype(np.int64)
    other = mirror[half]

    def whole(values: np.ndarray, step: float, sign: np.ndarray | float = 1.0) -> np.ndarray:
        """Return (...,V,3) of its half (...,H,3); ``sign`` -1: the mirror image is the negative."""
        values = values.astype(np.float64) * step
        result = np.zeros((*values.shape[:-2], len(mirror), 3))
        result[..., other, :] = values * np.array([-1.0, 1.0, 1.0]) * sign
        result[..., half, :] = values
        return result

    left = arrays["unit_left"].astype(np.float64) * FIELD_STEP
    middle = whole(arrays["unit_middle"], FIELD_STEP)
    lefts = iter(left)
    fields: dict[str, np.ndarray] = {}
    middles = iter(middle)
    for name in notes["units"]:
        if name.endswith("Left"):
            fields[name] = next(lefts)
            fields[f"{name.removesuffix('Left')}Right"] = fields[name][mirror] * (-1, 1, 1)
        elif not name.endswith("Right"):
            fields[name] = next(middles)
    skinning = np.zeros((len(mirror), 5))
    weights = arrays["skinning"] * SHARE_STEP
    skinning[other] = weights[:, _EYE_SWAP]
    skinning[half] = weights
    indices = ("static_faces", "contour_faces", "full_faces", "quads", "quad_uv", "triangles")
    same = ("part", "piece", "regressor", "static_bary", "contour_bary", "full_bary", "identity_sign")
    return {
        **{name: arrays[name].astype(np.int64) for name in indices},
        **{name: arrays[name] for name in same},
        "mirror": mirror,
        "uv": arrays["uv"] * UV_STEP,
        "lips": arrays["lips"] / 255.0,
        "ears": arrays["ears"] / 255.0,
        "template": whole(arrays["template"], TEMPLATE_STEP),
        "identity": whole(arrays["identity"], FIELD_STEP, arrays["identity_sign"][:, None, None].astype(float)),
        "units": np.stack([fields[name] for name in notes["units"]]),
        "corrective": whole(arrays["corrective"], FIELD_STEP),
        "skinning": skinning / skinning.sum(1, keepdims=True),
        "codes": arrays["people_codes"] * CODE_STEP,
        "traits": arrays["people_traits"] * _TRAIT_STEPS,
    }


def _shares(weights: np.ndarray) -> np.ndarray:
    """Return rows of weights in steps that sum to 1 exactly; the largest weight takes up the rounding."""
    steps = np.round(weights / SHARE_STEP)
    rows = np.arange(len(steps))
    steps[rows, steps.argmax(1)] += np.round(1 / SHARE_STEP) - steps.sum(1)
    return np.asarray(steps)


def _quantised(values: np.ndarray, step: float, name: str) -> np.ndarray:
    steps = np.round(values / step)
    if np.abs(steps).max(initial=0) > np.iinfo(np.int16).max:
        raise ValueError(f"{name}: {np.abs(values).max():.2f} does not fit 16 bits in steps of {step}")
    return np.asarray(steps)
