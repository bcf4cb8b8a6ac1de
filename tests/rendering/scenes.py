"""The scenes of the reference files: a mesh from a formula, and (with licensed files) the original head template."""

import numpy as np
import pytest

from tests.reference.arrays import ROOT, SHARED
from tests.reference.checks import scene
from tests.reference.checks.sheet import Folder, Missing, Sheet


class Scene(scene.Scene):
    """``render_free``, ``uv_free`` or, where the licensed files are, ``render``, ``uv``; landmarks amid the faces."""

    def __init__(self, name: str) -> None:
        root = ROOT if name.endswith("_free") else SHARED / "reference"
        folder = Folder(root, SHARED / "licensed" / "deca", SHARED / "weights")
        if not (root / "deca" / f"{name}.npz").is_file():
            pytest.skip(f"needs {root / 'deca' / name}.npz, made from files that may not be distributed")
        try:
            super().__init__(Sheet(name, folder, folder.open("deca", name)))
        except Missing as missing:
            pytest.skip(str(missing))
        self.head.full_faces = np.arange(68)
        self.head.full_bary = np.full((68, 3), 1 / 3, np.float32)
