"""Brows drawn along a line per person: where their hairs grow, and the matching landmarks."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from tvface.synthetic.atlas import SKIN, Atlas
from tvface.synthetic.looks.frontal import PIXELS_PER_MM, Frontal, smooth_path
from tvface.synthetic.looks.strands_numba import curves
from tvface.synthetic.people.traits import Traits

HAIR = 3.75  # mm, mean length of a hair of a brow WIDTH mm wide; it grows with the root of the width
WIDTH = 3.2
OUT, TALLEST = 78.0, 50.0  # mm, how far aside and above the eyes hairs may lie
ABOVE = 0.1  # of the width: how far the points lie above the middle line of the hairs

Embedding = tuple[np.ndarray, np.ndarray]


def lean(at: np.ndarray) -> np.ndarray:
    """Return the slope of the hairs to the brow's line at positions 0 (inner end) .. 1 (outer end)."""
    return np.clip(1.1 - 1.2 * at, 0.05, 1.1)


def roots(line: np.ndarray, width: float) -> np.ndarray:
    """Return the line (N, 2) of the hairs' roots, such that the hairs cover ``line``.

    Hairs rise from their roots and extend beyond the outermost root, so the line of the roots is the lower edge.

    Args:
        line: (N, 2) frontal mm from the inner to the outer end.
        width: of the brow, mm.
    """
    count = len(line)
    hair = HAIR * (width / WIDTH) ** 0.5
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
    at = np.linspace(0, 1, count)
    place = at * max(0.0, 1 - hair / length) * (count - 1)
    shorter = np.stack([np.interp(place, np.arange(count), line[:, k]) for k in (0, 1)], 1)
    tangent = np.gradient(shorter, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    normal *= np.sign(normal[:, 1:] + 1e-9)
    return np.asarray(shorter - normal * (0.5 * hair * lean(at) + ABOVE * width)[:, None])


class Binding:
    """Binding of frontal positions on the neutral skin to the head's triangles."""

    def __init__(self, atlas: Atlas) -> None:
        front = (atlas.part == SKIN) & (np.abs(atlas.theta) < 80) & (atlas.position[:, :, 2] > 20)
        self._face = atlas.face[front]
        self._texel = np.argwhere(front)[:, ::-1]
        self._tree = cKDTree(atlas.position[front][:, :2])
        self._vertices = atlas.vertices

    def texels(self, places: np.ndarray) -> np.ndarray:
        """Return the texels (N, 2), x and y, nearest to frontal positions (N, 2) mm."""
        return np.asarray(self._texel[self._tree.query(places)[1]], np.float64)

    def __call__(self, faces: np.ndarray, places: np.ndarray) -> Embedding:
        """Return triangles (N,) and barycentric weights (N, 3) float64 of frontal positions.

        Args:
            faces: (F, 3) the head's triangles.
            places: (N, 2) frontal mm.
        """
        triangles = self._face[self._tree.query(places)[1]]
        # The nearest texel may belong to the neighbouring triangle: its plane is then extrapolated by a fraction of a
        # texel.
        corners = self._vertices[faces[triangles]][:, :, :2].astype(np.float64)
        system = np.concatenate([corners.transpose(0, 2, 1), np.ones((len(triangles), 1, 3))], 1)
        targets = np.concatenate([places, np.ones((len(places), 1))], 1)
        return triangles, np.linalg.solve(system, targets[:, :, None])[:, :, 0]


class BrowPainter:
    """Painter of brows hair by hair; a hair lies along the brow's line, steeper at its inner end."""

    def __init__(self, atlas: Atlas) -> None:
        self.landmarks = atlas.landmarks
        eye = float(atlas.landmarks[42:48, 1].mean())
        self.frontal = Frontal(atlas, (-OUT, eye + TALLEST, 2 * OUT, TALLEST + 2))
        self.part = self.frontal.window()

    def draw(self, traits: Traits, rng: np.random.Generator) -> np.ndarray:
        """Draw both brows: opacity, and opacity times brightness around .5, in the texels of ``part``.

        Returns:
            (h, w, 2) float32.
        """
        canvas = self._hairs(traits, rng)
        # Texels are coarser than hairs; between the hairs their shadows darken the skin.
        fine, wide = self.frontal.soften(canvas, 0.25), self.frontal.soften(canvas, 1.3)
        hairs = self.frontal.to_texture(0.85 * fine + (0.25 + 0.35 * traits.brow_density) * wide, self.part)
        return np.asarray(hairs / np.maximum(hairs[:, :, :1] / 0.97, 1.0))

    def _hairs(self, traits: Traits, rng: np.random.Generator) -> np.ndarray:
        """Draw both brows on a canvas: (H, W, 2)."""
        canvas = np.zeros((*self.frontal.shape, 2), np.float32)
        line = np.array(traits.brows) if traits.brows else self.landmarks[17:27, :2]
        thick = (traits.brow_width / WIDTH) ** 0.5
        for order in (range(5, 10), range(4, -1, -1)):
            path = smooth_path(line[list(order)], 60)
            if traits.brows:
                path = roots(path, traits.brow_width)
            count = int(150 + 330 * traits.brow_density * thick)
            at = rng.uniform(0, 1, count)
            # Fewer hairs at both ends: no edge there.
            at = at[rng.random(count) < np.clip(np.minimum(0.45 + at * 7, 0.3 + (1 - at) * 5), 0, 1)]
            count = len(at)
            index = np.minimum((at * 59).astype(int), 58)
            tangent = path[index + 1] - path[index]
            tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
            normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
            normal *= np.sign(normal[:, 1:2] + 1e-9)
            taper = traits.brow_width * (0.55 + 0.6 * np.sin(np.pi * np.clip(at * 0.8 + 0.15, 0, 1))) * (1 - 0.45 * at)
            across = rng.triangular(-0.62, 0.0, 0.62, count)
            root = path[index] + normal * (across * taper)[:, None]
            # Upper hairs lie flatter or point down to meet the lower ones in the middle of the brow.
            rise = lean(at) - 0.9 * across * (at > 0.15) + rng.normal(0, 0.12 + 0.25 * traits.bushiness, count)
            reach = rng.uniform(2.4, 5.0, count) * thick * (1 + traits.bushiness * rng.exponential(0.35, count))
            end = root + (tangent + normal * rise[:, None]) * reach[:, None]
            bend = root + (tangent * 0.42 + normal * (rise * 0.62)[:, None]) * reach[:, None]
            hairs = np.stack([root, bend, end], 1).reshape(-1, 2)
            pixels = self.frontal.pixels(hairs).reshape(count, 3, 2).astype(np.float32)
            wide = rng.uniform(0.10, 0.20, count) * PIXELS_PER_MM
            shine = np.clip(0.5 + 0.22 * rng.standard_normal(count), 0.05, 1.0)
            white = rng.random(count) < traits.bushiness * 0.35
            curves(canvas, pixels, wide.astype(np.float32), np.where(white, 1.6, shine).astype(np.float32))
        return canvas
