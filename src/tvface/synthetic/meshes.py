"""Meshes beside the head: trunk and clothes, hair, spectacles; built on the neutral head in millimetres."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.atlas import Atlas
from tvface.synthetic.body import hats
from tvface.synthetic.body.clothes import dressed
from tvface.synthetic.body.parts import Part, grid_faces, textured
from tvface.synthetic.body.trunk import Foot, trunk
from tvface.synthetic.hair.growth import Growth, grow
from tvface.synthetic.hair.ribbons import gathered
from tvface.synthetic.people.haircuts import CUTS
from tvface.synthetic.people.traits import Traits

GLASSES, HAT = 6, 18  # zllrunning classes


def _tube(path: np.ndarray, radius: float, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sweep a five-sided tube along (N, 3): vertices (5 N, 3) and faces."""
    following = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    if not closed:
        following[0], following[-1] = path[1] - path[0], path[-1] - path[-2]
    tangent = following / (np.linalg.norm(following, axis=1, keepdims=True) + 1e-9)
    reference = np.where(np.abs(tangent[:, 2:3]) > 0.8, np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 1.0]]))
    side = np.cross(tangent, reference)
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    other = np.cross(tangent, side)
    angle = np.linspace(0, 2 * np.pi, 5, endpoint=False)
    ring = path[:, None] + radius * (
        np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    )
    rows = np.concatenate([ring, ring[:1]]) if closed else ring
    faces, _ = grid_faces(len(rows), 5, closed=True)
    return rows.reshape(-1, 3), faces


def spectacles(atlas: Atlas, traits: Traits, rng: np.random.Generator) -> Part:
    """Build a frame around both eyes with bridge and temples; sunglasses also get opaque lenses."""
    points = atlas.landmarks
    eye = 0.5 * (points[42:48].mean(0) + points[36:42].mean(0) * np.array([-1, 1, 1]))
    front = max(atlas.eye_centres[:, 2].max() + atlas.eye_radius + 8.0, points[27, 2] + 3.0)
    half_wide, half_high = rng.uniform(21, 25), rng.uniform(15, 20)
    power = 2.0 if traits.spectacles == "round" else 4.0
    if traits.spectacles == "round":
        half_wide = half_high = rng.uniform(18, 21.5)
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    rim_x = eye[0] + half_wide * np.sign(cosine) * np.abs(cosine) ** (2 / power)
    rim_y = eye[1] - 1 + half_high * np.sign(sine) * np.abs(sine) ** (2 / power)
    rim_z = front - ((rim_x - 15) / 42).clip(0) ** 2 * 10
    rim = np.stack([rim_x, rim_y, rim_z], 1)
    radius = rng.uniform(0.7, 2.0)
    beside = (
        (np.abs(atlas.vertices[:, 1] - 5) < 12) & (np.abs(atlas.vertices[:, 2] - 32) < 14) & (atlas.vertex_part == 1)
    )
    side = float(np.abs(atlas.vertices[beside, 0]).max()) + 1.5
    outer = rim[np.argmax(rim[:, 0])] + np.array([0, 4, 0])
    temple = np.stack([np.linspace(outer[0], side, 8), np.linspace(outer[1], 2, 8), np.linspace(outer[2], 8, 8)], 1)
    temple[1, 0] = max(temple[1, 0], outer[0] + 0.6 * (side - outer[0]))
    inner = rim[np.argmin(rim[:, 0])]
    bridge = np.stack(
        [
            np.linspace(-inner[0], inner[0], 7),
            eye[1] + 3 + 2 * np.cos(np.linspace(-1.5, 1.5, 7)),
            np.full(7, front + 1),
        ],
        1,
    )
    pieces = [(_tube(rim, radius, True)), (_tube(temple, radius, False))]
    mirrored = [(v * np.array([-1.0, 1, 1]), f[:, ::-1]) for v, f in pieces]
    pieces = [*pieces, *mirrored, _tube(bridge, radius, False)]
    if traits.spectacles == "sun":
        for sign in (1.0, -1.0):
            lens = np.concatenate([rim.mean(0, keepdims=True) + np.array([0, 0, 2]), rim]) * np.array([sign, 1, 1])
            fan = np.array([(0, 1 + k, 1 + (k + 1) % 28) for k in range(28)], np.int32)
            pieces.append((lens, fan if sign > 0 else fan[:, ::-1]))
    offset, vertices, faces = 0, [], []
    for piece, triangles in pieces:
        vertices.append(piece)
        faces.append(triangles + offset)
        offset += len(piece)
    frame = rng.uniform(0.02, 0.25) * np.array([1.0, rng.uniform(0.6, 1), rng.uniform(0.4, 1)])
    if traits.spectacles != "sun" and rng.random() < 0.3:
        frame = np.array([0.6, 0.55, 0.45]) * rng.uniform(0.7, 1.2)
    colour = np.clip(np.broadcast_to(frame, (2, 2, 3)) * 255, 0, 255).astype(np.uint8)
    triangles = np.concatenate(faces).astype(np.int32)
    return Part(
        np.concatenate(vertices).astype(np.float32),
        triangles,
        np.full((len(triangles), 3, 2), 0.5, np.float32),
        np.ascontiguousarray(colour),
        np.full((2, 2), GLASSES, np.uint8),
        np.zeros(offset, np.float32),
    )


def brim(atlas: Atlas, traits: Traits) -> Part:
    """Build the brim of a cap or a wide hat, two layers of cloth."""
    surface = hats.brim_surface(atlas, traits)
    rows, columns = surface.shape[:2]
    faces, places = grid_faces(rows, columns, closed=False)
    upper = surface.reshape(-1, 3)
    lower = upper - np.array([0.0, 2.0, 0.0])
    both = np.concatenate([faces, faces[:, ::-1] + len(upper)]).astype(np.int32)
    colour = np.clip(np.broadcast_to(np.array(hats.hat_colour(traits)) * 255, (4, 4, 3)), 0, 255).astype(np.uint8)
    corners = np.concatenate([textured(places, rows, columns - 1, (4, 4))] * 2)
    return Part(
        np.concatenate([upper, lower]).astype(np.float32),
        both,
        corners,
        np.ascontiguousarray(colour),
        np.full((4, 4), HAT, np.uint8),
        np.zeros(2 * len(upper), np.float32),
    )


def build_parts(atlas: Atlas, traits: Traits, growth: Growth | None, labels: np.ndarray, foot: Foot) -> list[Part]:
    """Build the meshes of a person: trunk, collar, hair, spectacles, brim; equal seeds give equal meshes.

    Args:
        atlas: of the head model, with the person's vertices, landmarks and eyes.
        traits: looks of the person.
        growth: the head on which hair cards grow; None: none grow.
        labels: classes of the head's texture, which say where hair grows.
        foot: where the trunk begins.
    """
    rng = np.random.default_rng([traits.seed, 0xB0D1])
    body = trunk(atlas.vertices, foot.seam, traits)
    parts = dressed(body, traits, foot.skin)
    cut = CUTS[traits.hair_style]
    if traits.hat and cut.end is None:
        cut = CUTS["short"] if cut.cards else cut  # whatever the cut, this much shows below a hat
    if growth is not None and cut.cards and traits.hat != "scarf":
        parts += [grow(growth, cut, traits, labels), *gathered(growth.knot, cut, traits)]
    if traits.spectacles:
        parts.append(spectacles(atlas, traits, rng))
    if traits.hat in ("cap", "wide"):
        parts.append(brim(atlas, traits))
    return parts
