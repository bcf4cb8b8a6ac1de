"""Growth of hair cards: ribbons that start on the scalp, follow the comb, fall, and lie on head and shoulders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from tvface.synthetic.atlas import SKIN, Atlas
from tvface.synthetic.body.parts import Part
from tvface.synthetic.hair.ribbons import KNOT, ribbon_mesh, unit
from tvface.synthetic.looks.skin import HAIR
from tvface.synthetic.people.haircuts import Cut
from tvface.synthetic.people.traits import Traits

CENTRE: np.ndarray = np.array([0.0, 12.0, -4.0])  # mm; every point of the head above the neck is seen from here
WHORL: np.ndarray = np.array([9.0, 96.0, -50.0])
BINS = (48, 96)  # of latitude and longitude
CANDIDATES = 2600


@dataclass(frozen=True)
class Scalp:
    """What hair needs of a head model, independent of the person.

    near: (bins, 3) vertices around each direction from CENTRE, and weight (bins, 3); face (N,), bary (N, 3): places
    where hair may grow, spread evenly over the head, in random order; row, column (N,): their texels; front (N,):
    whether they lie over the forehead.
    """

    near: np.ndarray
    weight: np.ndarray
    face: np.ndarray
    bary: np.ndarray
    row: np.ndarray
    column: np.ndarray
    front: np.ndarray

    @classmethod
    def of(cls, atlas: Atlas, faces: np.ndarray) -> Scalp:
        """Measure the neutral head."""
        used = np.flatnonzero((atlas.vertex_part == SKIN) & (atlas.vertices[:, 1] > -140))
        offset = atlas.vertices[used] - CENTRE
        lat, lon = np.mgrid[0 : BINS[0], 0 : BINS[1]]
        lat, lon = (lat + 0.5) / BINS[0] * np.pi - np.pi / 2, (lon + 0.5) / BINS[1] * 2 * np.pi - np.pi
        rays = np.stack([np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)], -1).reshape(-1, 3)
        away, near = cKDTree(offset / np.linalg.norm(offset, axis=1, keepdims=True)).query(rays, 3)
        weight = 1 / (away + 1e-3)
        rng = np.random.default_rng(0x5CA1)
        corner = atlas.vertices[faces]
        area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
        centre = corner.mean(1)
        area *= (atlas.vertex_part[faces] == SKIN).all(1) & (centre[:, 1] > -100) & (centre[:, 2] < 92)
        # One place in each cell of a grid: an even spread.
        face = rng.choice(len(faces), 9 * CANDIDATES, p=area / area.sum())
        bary = rng.dirichlet([1, 1, 1], len(face))
        place = np.einsum("nij,ni->nj", corner[face], bary)
        cell = np.unique(np.floor(place / 6.0).astype(int), axis=0, return_index=True)[1]
        picked = rng.permutation(cell)
        face, bary = face[picked], bary[picked]
        texel = np.einsum("nij,ni->nj", atlas.corners[face], bary)
        column, row = (np.clip(np.round(texel[:, k]).astype(int), 0, atlas.size - 1) for k in (0, 1))
        place = place[picked]
        front = (place[:, 2] > 25) & (place[:, 1] > 25)
        return cls(used[near], weight / weight.sum(1, keepdims=True), face, bary, row, column, front)


class Growth:
    """The head of one person, on which cards grow.

    Args:
        scalp: of the head model.
        faces: (F, 3) the head's triangles.
        vertices, normals: (V, 3) the person's bare head, millimetres in the atlas' frame, and its unit normals.
    """

    def __init__(self, scalp: Scalp, faces: np.ndarray, vertices: np.ndarray, normals: np.ndarray) -> None:
        self.scalp, self.faces, self.vertices, self.normals = scalp, faces, vertices, normals
        far = np.linalg.norm(vertices - CENTRE, axis=1)
        self.radius = (far[scalp.near] * scalp.weight).sum(1)
        self.knot = CENTRE + KNOT * (float(self.surface(KNOT[None])[0]) + 4)

    def surface(self, rays: np.ndarray) -> np.ndarray:
        """Return the distance of the skin from CENTRE along unit rays (N, 3): (N,) mm."""
        lat = np.arcsin(np.clip(rays[:, 1], -1, 1)) / np.pi + 0.5
        lon = np.arctan2(rays[:, 0], rays[:, 2]) / (2 * np.pi) + 0.5
        row = np.minimum((lat * BINS[0]).astype(int), BINS[0] - 1)
        column = np.minimum((lon * BINS[1]).astype(int), BINS[1] - 1)
        return np.asarray(self.radius[row * BINS[1] + column])

    def roots(self, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return up to ``count`` places (N, 3) of the skin under hair, and the normals there (N, 3)."""
        scalp = self.scalp
        place = np.flatnonzero(labels[scalp.row, scalp.column] == HAIR)
        # More hair than elsewhere starts along the line over the forehead, which is seen best.
        front = place[scalp.front[place]][: count // 4]
        place = np.concatenate([front, np.setdiff1d(place, front, assume_unique=True)])[:count]
        corners, bary = self.faces[scalp.face[place]], scalp.bary[place]
        normal = np.einsum("nij,ni->nj", self.normals[corners], bary)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        return np.einsum("nij,ni->nj", self.vertices[corners], bary), normal


def _combed(place: np.ndarray, ray: np.ndarray, knot: np.ndarray, cut: Cut, traits: Traits) -> np.ndarray:
    """Return the direction of the comb at places (N, 3) on the head: (N, 3) unit vectors along the surface."""
    if cut.comb == "side":
        side = np.sign(place[:, 0] - np.sin(np.radians(traits.parting)) * 70 + 1e-6)
        way = np.stack([side, np.full(len(side), -0.75), np.where(place[:, 2] > 20, 0.05, -0.5)], 1)
    elif cut.comb == "back":
        way = np.broadcast_to([0.0, -0.35, -1.0], place.shape)
    elif cut.comb == "up":
        way = knot - place
    elif cut.comb == "out":
        way = ray
    else:
        way = place - WHORL
        way = way + np.array([0.0, -25.0, 0.0])
    way = np.asarray(way, float)
    if cut.comb != "out":
        way = way - (way * ray).sum(1, keepdims=True) * ray
    return unit(way)


def _shoulders(point: np.ndarray, gap: float) -> None:
    """Push points (N, 3) out of neck, chest and back, forwards or backwards, in place."""
    low = point[:, 1] < -120
    depth = np.clip(-point[:, 1] - 120, 0, 160)
    wide = 70 + 1.55 * depth
    deep = 52 + 0.42 * depth
    middle = -38.0
    inside = np.clip(1 - (point[:, 0] / wide) ** 2, 0, 1)
    reach = deep * np.sqrt(inside) + gap * (inside > 0)
    offset = point[:, 2] - middle
    side = np.where(offset >= 0, 1.0, -1.0)
    moved = np.where(np.abs(offset) < reach, side * reach, offset)
    point[:, 2] = np.where(low, middle + moved, point[:, 2])


def grow(growth: Growth, cut: Cut, traits: Traits, labels: np.ndarray) -> Part:
    """Grow the ribbons of a cut.

    Args:
        growth: the person's head.
        cut: its ``cards`` must be positive.
        traits: looks of the person.
        labels: (size, size) classes of the head's texture; hair grows where they say so.
    """
    rng = np.random.default_rng([traits.seed, 0x6704])
    root, normal = growth.roots(labels, cut.cards)
    if cut.sides < 10:
        # Where it is shaved close the scalp's texture shows all there is.
        long = root[:, 1] > 30
        root, normal = root[long], normal[long]
    count = len(root)
    # 1 is the outermost layer. It comes first: what lies behind it costs the rasteriser less.
    depth = np.linspace(1, 0, count)
    mixed = rng.permutation(count)
    root, normal = root[mixed], normal[mixed]
    top = np.clip((root[:, 1] - 35) / 40, 0, 1)
    length = (cut.sides + (cut.top - cut.sides) * top) * np.exp(rng.normal(0, 0.2, count))
    if cut.end:
        level = traits.hair_end or float(rng.uniform(*cut.end))
        end = level + rng.normal(0, 6, count) + 28 * np.clip(depth - 0.3, 0, 1) * np.abs(rng.normal(0, 1, count))
        length = np.maximum(root[:, 1] - end + 0.7 * np.abs(CENTRE[1] + 70 - np.abs(root[:, 0])) * top, 25)
    if cut.comb == "up":
        length = 1.12 * np.linalg.norm(growth.knot - root, axis=1) - 8
    if cut.fringe:
        # Ends of the fringe form a line over the brows.
        ends = np.clip(root[:, 1] - 16, 24, 70) * rng.uniform(0.95, 1.3, count)
        length = np.where((root[:, 2] > 35) & (top > 0.3), ends, length)
    gap = cut.shell * (1.0 if cut.comb == "up" else 0.6) + cut.layer * traits.hair_volume * depth
    stray = rng.random(count) < cut.strays
    points, rays = _paths(growth, cut, traits, root, normal, length, gap, stray, rng)
    along = np.linspace(0, 1, cut.steps + 1)
    tangent = np.gradient(points, axis=1)
    side = unit(np.cross(tangent, rays))
    narrow = np.where(stray, 0.7, 1.0) * np.exp(rng.normal(0, 0.15, count))
    half = 0.5 * cut.width * narrow[:, None] * (1 - 0.35 * along**2)[None]
    # A ribbon is tilted about its length, so its edge is seen from the front as well.
    tilt = rng.normal(0, 0.35, count)[:, None, None]
    across = side * np.cos(tilt) + rays * np.sin(tilt)
    vertices = np.stack([points - half[:, :, None] * across, points + half[:, :, None] * across], 2)
    bent = unit(rays + rng.normal(0, 0.22, (count, 1, 1)) * side + rng.normal(0, 0.12, (count, 1, 3)))
    return ribbon_mesh(cut, traits, vertices, bent, depth, stray, rng)


def _paths(
    growth: Growth,
    cut: Cut,
    traits: Traits,
    root: np.ndarray,
    normal: np.ndarray,
    length: np.ndarray,
    gap: np.ndarray,
    stray: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle lines (N, steps + 1, 3) of the ribbons, and the outward directions (N, steps + 1, 3) there."""
    count, steps = len(root), cut.steps
    point = root + normal * (0.5 * cut.shell)
    ray = unit(point - CENTRE)
    points, rays = [point], [ray]
    lean = rng.normal(0, cut.unruly, (count, 3))
    phase, pace = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.8, 1.3, count)
    curtain = np.radians(traits.curtain or cut.curtain)
    # Short steps near the root, where the hair follows the scalp, and longer ones where it hangs.
    share = np.linspace(0.5, 1.5, steps) if cut.end else np.ones(steps)
    share /= share.sum()
    aside = np.exp(rng.normal(0.04, 0.16, count))
    order = (gap - gap.min()) / (np.ptp(gap) + 1e-6)
    for k in range(steps):
        t = k / steps
        comb = _combed(point, ray, growth.knot, cut, traits)
        rise = cut.lift * (1 - t) * (0.3 + 0.7 * order) + 0.35 * stray
        fall = cut.fall * np.clip((k + 0.6) / (0.4 * steps), 0, 1)
        way = comb * (1 - fall) + np.array([0.0, -1.0, 0.0]) * fall
        way = unit(way + lean * (0.6 + stray[:, None]) + ray * rise[:, None])
        point = point + way * (length * share[k])[:, None]
        if cut.wave:
            swing = cut.wave * np.sin(phase + 2.2 * pace * (k + 1))
            point = point + swing[:, None] * unit(np.cross(way, ray)) * min(1.0, (k + 1) / 2)
        # On top the layers lie closer: there hair rests on hair.
        gap_here = gap * (1 - 0.45 * np.clip((ray[:, 1] - 0.6) / 0.4, 0, 1))
        point = _outside(growth, point, gap_here * min(1.0, (k + 1.0) / min(steps, 3)) + 1.5, cut.loose)
        if curtain:
            _part_curtain(point, curtain * aside, traits)
        if cut.end:
            _shoulders(point, 4.0 + 0.4 * float(np.mean(gap)))
        ray = unit(point - CENTRE)
        flat = ray * np.array([1.0, 0.0, 1.0])
        ray = unit(np.where(point[:, 1:2] < -40, flat + 0.1 * ray, ray))
        points.append(point)
        rays.append(ray)
    return np.stack(points, 1), np.stack(rays, 1)


def _outside(growth: Growth, point: np.ndarray, gap: np.ndarray, loose: float) -> np.ndarray:
    """Hold points of the head's height ``gap`` (N,) to ``gap + loose`` mm away from the skin."""
    offset = point - CENTRE
    far = np.linalg.norm(offset, axis=1) + 1e-9
    ray = offset / far[:, None]
    least = growth.surface(ray) + gap
    push = np.where(point[:, 1] > -110, np.maximum(least - far, 0), 0)
    push += 0.8 * np.clip((point[:, 1] + 70) / 50, 0, 1) * np.minimum(least + loose - far, 0)
    return np.asarray(point + ray * push[:, None])


def _part_curtain(point: np.ndarray, curtain: np.ndarray, traits: Traits) -> None:
    """Turn hanging hair aside, in place, so that it leaves ``curtain`` (N,) radians free below the hair line."""
    azimuth = np.arctan2(point[:, 0], point[:, 2])
    low = np.clip((traits.hair_line + 8 - point[:, 1]) / 55, 0, 1)
    side = np.where(azimuth >= np.sin(np.radians(traits.parting)) * 0.3, 1.0, -1.0)
    least = curtain * low**0.7
    turned = np.where(np.abs(azimuth) < least, side * least, azimuth)
    radius = np.hypot(point[:, 0], point[:, 2])
    point[:, 0], point[:, 2] = radius * np.sin(turned), radius * np.cos(turned)
