"""What the files of renderer and UV have in common: a mesh made by formula, or DECA's head template."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.reference.arrays import Reference
from tests.reference.checks.head import obj_vertices
from tests.reference.checks.sheet import Sheet
from tvface.head.camera import project
from tvface.head.flame import read_displacement, read_embedding, read_mask, read_template
from tvface.rendering.renderer import Renderer

IMAGE, UV = 224, 256


class Scene:
    """Mesh, camera and renderer of a reference file; ``sheet.reference`` then has the template it wants."""

    def __init__(self, sheet: Sheet) -> None:
        self.free = "mesh_v" in sheet.reference.inputs
        if self.free:
            reference = sheet.reference
            template, uv = reference.array("mesh_v"), reference.array("mesh_vt")
            faces = uv_faces = reference.array("mesh_f")
            square = np.ones((UV, UV), np.float32)
            mask = reference.array("uv_face_eye_mask")[0, 0] if "uv_face_eye_mask" in reference.inputs else square
            fixed = reference.array("fixed_displacement") if "fixed_displacement" in reference.inputs else 0 * square
            points: dict[str, np.ndarray] = {"full_faces": np.zeros(68, np.int64), "full_bary": np.ones((68, 3)) / 3}
        else:
            obj, eye_mask, displacement, embedding = sheet.folder.need(
                "head_template.obj", "uv_face_eye_mask.png", "fixed_displacement_256.npy", "landmark_embedding.npy"
            )
            template = obj_vertices(sheet)
            reference = sheet.reference = Reference(sheet.reference.path, {"v_template": template})
            faces, uv, uv_faces = read_template(obj)
            mask = read_mask(eye_mask, UV, "DECA's UV mask of face and eyes")
            fixed = read_displacement(displacement, UV)
            points = read_embedding(embedding, len(faces))
        self.reference = reference
        self.template = torch.from_numpy(template)[None]
        # The renderer reads nothing else of a head.
        self.head: Any = SimpleNamespace(
            faces=faces,
            uv=uv,
            uv_faces=uv_faces,
            face_eye_mask=mask.astype(np.float32),
            face_mask=mask.astype(np.float32),
            fixed_displacement=fixed.astype(np.float32),
            full_faces=points["full_faces"],
            full_bary=points["full_bary"],
            dense_faces=None,
        )
        self.faces = torch.from_numpy(faces)
        self.step = 1 if self.free else 7

    def renderer(self) -> Renderer:
        """Return tvface's renderer of this head."""
        return Renderer(self.head, IMAGE, UV)

    def projected(self, vertices: Tensor) -> Tensor:
        """Return the vertices in the file's camera."""
        return project(vertices, self.reference.tensor("cam"))

    def thinned(self, array: np.ndarray) -> np.ndarray:
        """Return the vertices that the file stores."""
        return array[:, :: self.step]
