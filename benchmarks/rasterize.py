"""Time the rasteriser's backends against each other on a mesh of FLAME's size.

    python benchmarks/rasterize.py [--batch 1 2 10] [--device cpu] [--template head_template.obj] [--threads 1]

*Forward* is what the renderer does in every pass: choose the faces, compute the barycentric weights, interpolate nine
attributes per vertex. *Forward + backward* adds the gradients to the attributes and, through the weights, to the
vertices. Two scenes: a picture of 224 px that the mesh covers to 70 %, and its UV layout at 256 px (where the product
chooses the faces once and for all; here it is done in every pass). Printed are milliseconds per image, median of
interleaved runs, the ratio to the peer (pytorch3d where it is installed, else numba), and the share of pixels whose
face is the peer's. The last line compares the faces with those of pytorch3d that the tests keep.

The mesh is made by formula (5,023 vertices, 9,976 triangles); ``--template`` takes DECA's head_template.obj instead.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

from benchmarks.timing import interleaved
from tests.reference.arrays import load
from tvface.head.flame import read_template
from tvface.rendering.rasterizer import interpolate, rasterize

ATTRIBUTES = 9


class Mesh(NamedTuple):
    """vertices (V, 3) in [-1, 1], faces (F, 3), uv (Vt, 2) in [0, 1], uv_faces (F, 3)."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray


def formula_mesh() -> Mesh:
    """Return a bumpy egg, open below: a pole, 73 rings of 68 vertices, and 58 faces of ring 30 cut in three.

    4,965 + 58 = 5,023 vertices, 9,860 + 2 * 58 = 9,976 triangles. In UV the rings are cut open, so each has one vertex
    more, and the pole is a row of 68.
    """
    rings, around, cut = 73, 68, 58

    def triangles(across: int, pole: Callable[[np.ndarray], np.ndarray], first: int) -> np.ndarray:
        """List the faces for rings of ``across`` vertices in a row behind the ``first`` vertices of the pole."""
        column = np.arange(around)
        after = (column + 1) % across
        cap = np.stack([pole(column), first + after, first + column], -1)
        row = first + np.arange(rings - 1)[:, None] * across
        a, b, c, d = row + column, row + after, row + across + column, row + across + after
        return np.concatenate([cap, np.stack([a, b, c, b, d, c], -1).reshape(-1, 3)])

    def split(faces: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Put a new vertex into the middle of ``cut`` faces."""
        selected = around + 2 * around * 30 + np.arange(cut)
        middle = len(points) + np.arange(cut)
        a, b, c = faces[selected].T
        parts = [np.stack(three, -1) for three in ((a, b, middle), (b, c, middle), (c, a, middle))]
        points = np.concatenate([points, points[faces[selected]].mean(1)])
        return np.concatenate([np.delete(faces, selected, 0), *parts]), points

    polar = np.pi * np.linspace(0.02, 0.85, rings)[:, None]
    azimuth = 2 * np.pi * (np.arange(around) / around)[None]
    radius = 1 + 0.06 * np.sin(7 * azimuth) * np.sin(5 * polar)
    x, z = (0.78 * radius * np.sin(polar) * turn(azimuth) for turn in (np.sin, np.cos))
    y = radius * np.cos(polar) + 0 * azimuth
    shell = np.concatenate([[[0.0, 1.0, 0.0]], np.stack([x, y, z], -1).reshape(-1, 3)])
    faces, vertices = split(triangles(around, np.zeros_like, 1), shell)
    u, v = np.meshgrid(np.linspace(0.02, 0.98, around + 1), np.linspace(0.96, 0.02, rings))
    top = np.stack([(np.arange(around) + 0.5) / around * 0.96 + 0.02, np.full(around, 0.98)], -1)
    flat = np.concatenate([top, np.stack([u, v], -1).reshape(-1, 2)])
    uv_faces, uv = split(triangles(around + 1, np.array, around), flat)
    return Mesh(vertices.astype(np.float32), faces, uv.astype(np.float32), uv_faces)


def template_mesh(path: Path) -> Mesh:
    """Return DECA's head template, scaled to the formula mesh's size."""
    faces, uv, uv_faces = read_template(path)
    rows = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("v ")]
    vertices = np.array(rows, np.float32)
    vertices -= (vertices.max(0) + vertices.min(0)) / 2
    return Mesh(vertices / np.abs(vertices).max(), faces, uv, uv_faces)


class Scene:
    """What is drawn: positions (B, V, 3), their faces, attributes (B, N, 9) and the faces that index them."""

    def __init__(self, mesh: Mesh, batch: int, uv: bool, device: torch.device) -> None:
        """Turn every head of the batch by another angle; a UV layout is the same for all."""
        generator = torch.Generator().manual_seed(0)
        self.attributes = torch.randn(batch, len(mesh.vertices), ATTRIBUTES, generator=generator).to(device)
        self.corners = torch.from_numpy(mesh.faces).to(device)
        if uv:
            flat = np.concatenate([mesh.uv * [2, -2] + [-1, 1], np.zeros((len(mesh.uv), 1))], 1).astype(np.float32)
            self.positions = torch.from_numpy(flat)[None].repeat(batch, 1, 1).to(device)
            self.faces, self.size = torch.from_numpy(mesh.uv_faces).to(device), 256
            return
        angles = np.linspace(-0.6, 0.6, batch) if batch > 1 else np.zeros(1)
        turned = [_turned(mesh.vertices, angle) for angle in angles]
        self.positions = torch.from_numpy(np.stack(turned)).to(device)
        self.faces, self.size = self.corners, 224

    def forward(self, backend: str) -> torch.Tensor:
        """Return the image of the attributes, without gradient."""
        with torch.no_grad():
            fragments = rasterize(self.positions, self.faces, self.size, self.size, backend)
            return interpolate(fragments, self.corners, self.attributes)

    def backward(self, backend: str) -> torch.Tensor:
        """Draw and return the gradient to the positions; the one to the attributes is computed as well."""
        positions = self.positions.clone().requires_grad_()
        attributes = self.attributes.clone().requires_grad_()
        fragments = rasterize(positions, self.faces, self.size, self.size, backend)
        interpolate(fragments, self.corners, attributes).sum().backward()
        assert positions.grad is not None
        return positions.grad

    def face(self, backend: str) -> torch.Tensor:
        """Return the face index of every pixel."""
        return rasterize(self.positions, self.faces, self.size, self.size, backend).face


def _turned(vertices: np.ndarray, angle: float) -> np.ndarray:
    """Turn about the vertical, scale so that 70 % of the picture is covered, and go over to y down, z away."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = (1.06 * vertices).T
    return np.stack([1.12 * (cosine * x + sine * z), -y + 0.06, sine * x - cosine * z], -1).astype(np.float32)


class Row(NamedTuple):
    """Median seconds of a pass over a batch; same: share of the pixels whose face is the peer's, covered: by a face."""

    scene: str
    batch: int
    label: str
    backend: str
    seconds: float
    peer_seconds: float
    same: float
    covered: float


def measured(
    mesh: Mesh,
    batches: Sequence[int],
    layouts: Sequence[bool],
    device: torch.device,
    backends: Sequence[str],
    peer: str,
    runs: int,
) -> Iterator[Row]:
    """Time the backends in turns, forward and forward + backward; ``layouts``: the picture (False), UV (True)."""
    for uv in layouts:
        for batch in batches:
            scene = Scene(mesh, batch, uv, device)
            expected = scene.face(peer)
            same = {name: float((scene.face(name) == expected).float().mean()) for name in backends}
            covered, title = float((expected >= 0).float().mean()), f"{'UV' if uv else 'picture'} {scene.size}"
            for label, once in (("forward", scene.forward), ("forward+backward", scene.backward)):
                times = interleaved({name: partial(once, name) for name in backends}, runs, device)
                for name, seconds in times.items():
                    yield Row(title, batch, label, name, seconds, times[peer], same[name], covered)


def stored_agreement(backends: list[str]) -> dict[str, float]:
    """Return the share of pixels whose face is pytorch3d's in the tests' reference file."""
    reference = load("deca", "render_free")
    projected = torch.from_numpy(reference["trans_verts.sub"])  # all vertices, projected by the original
    faces, expected = torch.from_numpy(reference.array("mesh_f")), reference["pix_to_face"]
    return {
        name: float((rasterize(projected, faces, 224, 224, name).face[0].numpy() == expected).mean())
        for name in backends
    }


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2, 10])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--template", type=Path, help="DECA's head_template.obj instead of the mesh made by formula")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    mesh = template_mesh(options.template) if options.template else formula_mesh()
    backends = ["torch"] if device.type == "cuda" else ["numba", "torch"]
    backends += ["pytorch3d"] if importlib.util.find_spec("pytorch3d") else []
    peer = "pytorch3d" if "pytorch3d" in backends else backends[0]
    print(f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces, torch {torch.__version__}, {device}, ", end="")
    print(f"{options.threads} thread(s), {ATTRIBUTES} attributes, median of {options.runs} interleaved runs")
    print("scene        batch  pass              backend     ms per image   x peer   faces as peer")
    for row in measured(mesh, options.batch, (False, True), device, backends, peer, options.runs):
        each = 1000 * row.seconds / row.batch
        print(
            f"{row.scene:<12} {row.batch:>5}  {row.label:<17} {row.backend:<11} {each:>12.2f}"
            f"   {row.peer_seconds / row.seconds:>6.2f}   {100 * row.same:>9.3f} %"
            f"   ({100 * row.covered:.0f} % covered)"
        )
    shares = ", ".join(f"{name} {100 * share:.3f} %" for name, share in stored_agreement(backends).items())
    print(f"faces as pytorch3d's in tests/reference/deca/render_free.npz: {shares}")


if __name__ == "__main__":
    main()
