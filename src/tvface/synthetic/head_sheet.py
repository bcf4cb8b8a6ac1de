"""Sheets of the human head for visual checks: turns, expressions, random people; plain clay or the mean albedo.

    python -m tvface.synthetic.head_sheet OUT_FOLDER

writes ``turns.png`` (the mean from -90 to 90 degrees), ``expressions.png`` (twelve of them), ``units.png`` (all face
units), ``people.png`` (24 people of the head's table), each as clay above and in the mean albedo below.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from tvface.head import human
from tvface.head.data import HeadData
from tvface.head.human import units
from tvface.head.human.refine import refinement
from tvface.head.model import HeadModel
from tvface.media import drawing
from tvface.rendering.rasterizer import interpolate, rasterize
from tvface.rendering.renderer import sample
from tvface.rendering.shading import vertex_normals
from tvface.rendering.uv import uv_to_grid
from tvface.settings.model import Head

SIDE, SAMPLES = 288, 2  # px of a picture, and samples per pixel and axis
SPAN, FACE_SPAN = 290.0, 190.0  # mm that a picture shows: the head, the face
YAWS = (-90, -67, -45, -22, 0, 22, 45, 67, 90)
PEOPLE_YAWS = (0, -25, 30, 0, 45, -50)
_CLAY = (0.76, 0.70, 0.65)
# Direction towards the lamp, strength.
_LAMPS = (((0.45, 0.55, 0.75), 0.72), ((-0.7, 0.2, 0.6), 0.30), ((0.0, -0.6, 0.4), 0.10))
_AMBIENT, _GLOSS = 0.22, 0.10


def _both(name: str, weight: float = 1.0) -> dict[str, float]:
    return {f"{name}Left": weight, f"{name}Right": weight}


EXPRESSIONS: dict[str, dict[str, float]] = {
    "smile": {**_both("mouthSmile", 0.8), **_both("cheekSquint", 0.5)},
    "laugh": {
        **_both("mouthSmile", 0.8),
        **_both("cheekSquint", 0.7),
        **_both("eyeSquint", 0.4),
        **_both("mouthUpperUp", 0.4),
        "jawOpen": 0.45,
    },
    "open mouth": {"jawOpen": 1.0},
    "sad": {**_both("mouthFrown", 0.8), "browInnerUp": 0.8, "mouthShrugLower": 0.4},
    "angry": {**_both("browDown", 1.0), **_both("mouthPress", 0.6), **_both("noseSneer", 0.5)},
    "surprised": {"browInnerUp": 0.8, **_both("browOuterUp", 0.8), **_both("eyeWide", 0.8), "jawOpen": 0.4},
    "disgusted": {**_both("noseSneer", 1.0), **_both("mouthUpperUp", 0.6), **_both("browDown", 0.5)},
    "pucker": {"mouthPucker": 1.0},
    "oh": {"mouthFunnel": 0.8, "jawOpen": 0.3},
    "puffed cheeks": {"cheekPuff": 1.0},
    "eyes closed": _both("eyeBlink"),
    "wink, look aside": {"eyeBlinkLeft": 1.0, "eyeLookInRight": 0.9, "mouthSmileLeft": 0.6},
}


class Studio:
    """Render the head orthographically in one light on white."""

    def __init__(self, head: HeadData, side: int = SIDE) -> None:
        self.head, self.side = head, side
        self.model = HeadModel(head, head.shape_basis.shape[-1], head.expression_basis.shape[-1])
        self.fine = refinement(head)
        self.coarse_faces = torch.from_numpy(head.faces.astype(np.int64))
        self.faces = torch.from_numpy(self.fine.faces.astype(np.int64))
        self.uv_faces = torch.from_numpy(self.fine.uv_faces.astype(np.int64))
        self.grid = uv_to_grid(torch.from_numpy(self.fine.uv))[None]
        self.albedo = torch.from_numpy(head.albedo_mean).permute(2, 0, 1)[None].contiguous()

    @torch.no_grad()
    def pose(self, weights: Mapping[str, float], shape: np.ndarray | None = None, yaw: float = 0.0) -> torch.Tensor:
        """Return the vertices (V,3) in mm of a person with units at ``weights``, turned by ``yaw`` degrees."""
        expression, jaw, eyes = units.controls(weights, float(self.head.notes["jaw_open_angle"]))
        code = np.zeros(self.model.n_shape) if shape is None else shape
        pose = np.concatenate([[0.0, np.radians(yaw), 0.0], jaw])
        codes = [torch.from_numpy(np.asarray(a, np.float32))[None] for a in (code, expression, pose, eyes)]
        return self.model(*codes[:3], eyes=codes[3]).vertices[0] * 1000

    @torch.no_grad()
    def take(self, vertices: torch.Tensor, span: float = SPAN, height: float = -20.0, clay: bool = True) -> np.ndarray:
        """Return the picture (side,side,3) uint8 of vertices (V,3) in mm; ``height`` of its middle in mm."""
        coarse = vertex_normals(vertices[None], self.coarse_faces)[0].numpy()
        fine = torch.from_numpy(self.fine.vertices(vertices.numpy(), coarse).astype(np.float32))[None]
        normals = vertex_normals(fine, self.faces)
        projected = torch.stack([fine[..., 0], height - fine[..., 1], -fine[..., 2] / 4], -1) / (span / 2)
        size = self.side * SAMPLES
        fragments = rasterize(projected, self.faces, size, size)
        normal = torch.nn.functional.normalize(interpolate(fragments, self.faces, normals), dim=1)
        if clay:
            colour = torch.tensor(_CLAY)[None, :, None, None].expand_as(normal)
        else:
            colour = sample(self.albedo, interpolate(fragments, self.uv_faces, self.grid))
        light = torch.full_like(normal[:, :1], _AMBIENT)
        for direction, strength in _LAMPS:
            light = light + strength * (normal * _unit(direction)).sum(1, keepdim=True).clamp(min=0)
        gloss = (normal * _unit((0.25, 0.4, 0.9))).sum(1, keepdim=True).clamp(min=0) ** 30
        linear = colour.clamp(0, 1) ** 2.2 * light + _GLOSS * gloss
        picture = torch.where(fragments.face[:, None] >= 0, linear.clamp(0, 1) ** (1 / 2.2), torch.ones_like(linear))
        whole = (picture[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        return np.asarray(cv2.resize(whole, (self.side, self.side), interpolation=cv2.INTER_AREA))


def _unit(direction: tuple[float, float, float]) -> torch.Tensor:
    vector = torch.tensor(direction)
    return (vector / vector.norm())[None, :, None, None]


def sheets(studio: Studio) -> dict[str, np.ndarray]:
    """Return the sheets by name, RGB uint8."""
    side = (studio.side, studio.side)
    codes, traits = human.table_of_people()

    def sheet(items: Sequence[tuple[str, torch.Tensor, float, float]], columns: int, both: bool = True) -> np.ndarray:
        pictures, captions = [], []
        for first in range(0, len(items), columns):
            row = items[first : first + columns]
            for clay in (True, False) if both else (True,):
                pictures += [studio.take(vertices, span, height, clay) for _, vertices, span, height in row]
                captions += [caption for caption, *_ in row]
        return drawing.contact_sheet(pictures, captions, columns, side)

    face = (FACE_SPAN, -35.0)
    people = []
    for k in range(24):
        sex = "man" if traits["male"][k] > 0.5 else "woman"
        largest = max(("african", "asian", "caucasian"), key=lambda name, k=k: float(traits[name][k]))  # type: ignore[misc]
        caption = f"{sex} {traits['age'][k]:.0f}, {largest} {traits[largest][k]:.1f}"
        people.append((caption, studio.pose({}, codes[k], PEOPLE_YAWS[k % len(PEOPLE_YAWS)]), 250.0, -15.0))
    return {
        "turns": sheet([(f"yaw {yaw}", studio.pose({}, yaw=yaw), SPAN, -20.0) for yaw in YAWS], len(YAWS)),
        "expressions": sheet([(name, studio.pose(weights), *face) for name, weights in EXPRESSIONS.items()], 6),
        "units": sheet([(name, studio.pose({name: 1.0}), *face) for name in units.NAMES], 9, both=False),
        "people": sheet(people, 6),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write the sheets."""
    parser = argparse.ArgumentParser(prog="python -m tvface.synthetic.head_sheet", description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder")
    parser.add_argument("--side", type=int, default=SIDE, help=f"pixels of a picture (default {SIDE})")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    head = human.build(Head())
    pictures = sheets(Studio(head, options.side))
    for name, picture in pictures.items():
        cv2.imwrite(str(options.out / f"{name}.png"), picture[..., ::-1])


if __name__ == "__main__":
    main()
