"""The scenes of the reference files: a mesh made by formula, and (with licensed files) the original head template."""

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.reference.arrays import SHARED, Reference, load

LICENSED = SHARED / "licensed" / "deca"


def _read_obj(path: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "f": []}
    for line in path.read_text().splitlines():
        words = line.split()
        if words and words[0] in rows:
            rows[words[0]].append(words[1:])
    corners = np.array([[corner.split("/") for corner in face] for face in rows["f"]], np.int64) - 1
    return np.array(rows["v"], np.float32), corners[..., 0], np.array(rows["vt"], np.float32), corners[..., 1]


class Scene:
    """A reference file of the renderer with the head, projected vertices and a comparison of subsampled arrays."""

    def __init__(self, name: str) -> None:
        """Open ``render_free``, ``uv_free`` or, where the licensed files are, ``render``, ``uv``."""
        self.free = name.endswith("_free")
        if self.free:
            self.reference = load("deca", name)
            template, uv = self.reference.array("mesh_v"), self.reference.array("mesh_vt")
            faces = uv_faces = self.reference.array("mesh_f")
            mask = self.reference.array("uv_face_eye_mask")[0, 0]
            fixed = self.reference.array("fixed_displacement")
        else:
            if not LICENSED.is_dir() or not (SHARED / "reference").is_dir():
                pytest.skip(f"needs DECA's head template and UV maps in {LICENSED}, which may not be distributed")
            template, faces, uv, uv_faces = _read_obj(LICENSED / "head_template.obj")
            self.reference = Reference(SHARED / "reference" / "deca" / f"{name}.npz", {"v_template": template})
            mask = cv2.imread(str(LICENSED / "uv_face_eye_mask.png"), cv2.IMREAD_UNCHANGED)[..., 2] / np.float32(255)
            fixed = np.load(LICENSED / "fixed_displacement_256.npy", allow_pickle=False)
        # The renderer reads nothing else of a head.
        self.head: Any = SimpleNamespace(
            dense_faces=None,
            v_template=template,
            faces=faces,
            uv=uv,
            uv_faces=uv_faces,
            face_eye_mask=mask.astype(np.float32),
            face_mask=np.ones_like(mask, np.float32),
            fixed_displacement=fixed.astype(np.float32),
            full_faces=np.arange(68),
            full_bary=np.full((68, 3), 1 / 3, np.float32),
        )
        self.faces = torch.from_numpy(faces)
        self.vertex_step = 1 if self.free else 7

    def projected(self, vertices: Tensor) -> Tensor:
        """Orthographic projection with the file's camera, y and z negated."""
        scale, shift = self.reference.tensor("cam")[:, None, :1], self.reference.tensor("cam")[:, None, 1:]
        flip = torch.tensor([1.0, -1.0, -1.0])
        return torch.cat((scale * (vertices[..., :2] + shift), scale * vertices[..., 2:]), -1) * flip

    def check(self, key: str, value: Tensor, step: int, relative: float = 1.2e-4, outliers: float = 0.0) -> None:
        """Compare ``value[..., ::step, ::step]`` with ``<key>.sub`` and its mean and deviation with ``<key>.stats``.

        relative: of the largest value; the README of the files names 1.2e-4 for a disturbance in the last bit.
        outliers: part of the entries that may differ by more (pixels on an edge that take another face).
        """
        stats, sub = self.reference[f"{key}.stats"], self.reference[f"{key}.sub"]
        ours = value.detach().numpy()
        difference = np.abs(ours[..., ::step, ::step] - sub)
        assert difference.shape == sub.shape
        allowed = relative * stats[2]
        assert (difference > allowed).mean() <= outliers, f"{key}: {difference.max():.3g}, allowed {allowed:.3g}"
        np.testing.assert_allclose([ours.mean(), ours.std()], stats[:2], atol=relative * stats[2], err_msg=key)

    def check_bits(self, key: str, value: Tensor) -> None:
        """Compare a mask, pixel for pixel."""
        np.testing.assert_array_equal(
            np.packbits(value.detach().numpy().astype(bool).ravel()), self.reference[f"{key}.bits"]
        )
        assert int(value.sum()) == int(self.reference[f"{key}.sum"])
