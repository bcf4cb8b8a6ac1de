"""Errors of reconstructed shapes: alignment, per-vertex errors, distance of points to a surface.

Lengths go in as metres (the head's unit) and, where the name ends in ``_mm``, come out as millimetres.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import roma
import torch
from scipy.spatial import cKDTree
from trimesh.triangles import closest_point

METRES_TO_MM = 1000.0
ALIGNMENTS = ("none", "rigid", "similarity")
_PAIRS_PER_CHUNK = 1 << 18


class Alignment(NamedTuple):
    """Map of points p to ``scale * rotation @ p + translation``; leading dimensions are a batch.

    ``rotation`` (..., 3, 3) has determinant 1; ``translation`` (..., 3); ``scale`` (...) is 1 for a rigid motion.
    """

    rotation: np.ndarray
    translation: np.ndarray
    scale: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Return the mapped points, (..., N, 3)."""
        rotated = np.einsum("...ij,...nj->...ni", self.rotation, points)
        return self.scale[..., None, None] * rotated + self.translation[..., None, :]


def procrustes(source: np.ndarray, target: np.ndarray, *, scale: bool, weights: np.ndarray | None = None) -> Alignment:
    """Fit the rigid motion (with ``scale``: the similarity) that takes ``source`` to ``target`` in least squares.

    Reflections are excluded. Computed in float64, after Umeyama, "Least-squares estimation of transformation parameters
    between two point patterns", PAMI 1991.

    Args:
        source, target: (..., N, 3) corresponding points, N >= 3, in one unit.
        scale: fit a scale as well.
        weights: (..., N) >= 0; None: all 1.

    Raises:
        ValueError: the shapes differ, there are fewer than three points, a value is not finite, or, with ``scale``, all
            source points coincide.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    _check_pair(source, target)
    if source.shape[-2] < 3:
        raise ValueError(f"an alignment needs at least 3 points, got {source.shape[-2]}")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("points to align must be finite: drop missing ones, or give them a value and the weight 0")
    if scale and not np.ptp(source, axis=-2).any(-1).all():
        raise ValueError("the scale is undefined: all source points of one element of the batch coincide")
    weight = None if weights is None else torch.from_numpy(np.asarray(weights, np.float64))
    rotation, translation, *size = roma.rigid_points_registration(
        torch.from_numpy(source), torch.from_numpy(target), weights=weight, compute_scaling=scale
    )
    factor = size[0].numpy() if size else np.ones(source.shape[:-2])
    return Alignment(rotation.numpy(), translation.numpy(), factor)


def align_rigid(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return ``source`` (..., N, 3) moved rigidly onto ``target`` (see ``procrustes``), float64."""
    return procrustes(source, target, scale=False).apply(np.asarray(source, np.float64))


def align_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return ``source`` (..., N, 3) moved and scaled onto ``target`` (see ``procrustes``), float64."""
    return procrustes(source, target, scale=True).apply(np.asarray(source, np.float64))


def vertex_errors_mm(predicted: np.ndarray, truth: np.ndarray, alignment: str = "none") -> np.ndarray:
    """Return the distance of each predicted vertex to its true place, (..., V), millimetres.

    Args:
        predicted, truth: (..., V, 3) metres, one topology.
        alignment: 'none', 'rigid' or 'similarity', fitted over all vertices of each mesh.

    Raises:
        ValueError: another alignment, or the shapes differ.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    _check_pair(predicted, truth)
    if alignment not in ALIGNMENTS:
        raise ValueError(f"alignment {alignment!r} is unknown: use one of {', '.join(ALIGNMENTS)}")
    if alignment != "none":
        predicted = procrustes(predicted, truth, scale=alignment == "similarity").apply(predicted)
    return np.linalg.norm(predicted - truth, axis=-1) * METRES_TO_MM


def vertex_nme(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the mean vertex distance of each mesh divided by the size of the true face, (...), no unit.

    The size is the square root of the area of the true vertices' bounding box in x and y, as for AFLW2000-3D (Feng et
    al., "Joint 3D face reconstruction and dense alignment with position map regression network", ECCV 2018).

    Args:
        predicted, truth: (..., V, 3), or (..., V, 2) in the picture, in one unit.

    Raises:
        ValueError: that area is 0, or the shapes differ.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    _check_pair(predicted, truth)
    area = np.prod(np.ptp(truth[..., :2], axis=-2), axis=-1)
    if not (area > 0).all():
        raise ValueError("the true vertices of one mesh have a bounding box without area: nothing to normalise by")
    return np.linalg.norm(predicted - truth, axis=-1).mean(-1) / np.sqrt(area)


def point_to_mesh(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the exact distance of each point to the nearest place on a surface, (P,), in the unit of the points.

    Of a triangle without area only the corners count. The nearest vertex bounds the distance; only triangles whose
    bounding sphere comes nearer are tested. They are grouped by size (octaves), so that a few large ones do not
    widen the search among the small ones.

    Args:
        points: (P, 3).
        vertices: (V, 3), in the unit of the points.
        faces: (F, 3) integer, at least one face.

    Raises:
        ValueError: another shape, or a value that is not finite.
    """
    points, vertices = np.asarray(points, np.float64), np.asarray(vertices, np.float64)
    faces = np.asarray(faces, np.int64)
    if points.ndim != 2 or points.shape[1] != 3 or vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"points must be (P, 3) and vertices (V, 3), got {points.shape} and {vertices.shape}")
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        raise ValueError(f"faces must be (F, 3) with at least one face, got {faces.shape}")
    if not (np.isfinite(points).all() and np.isfinite(vertices[faces]).all()):
        raise ValueError("points and vertices must be finite")
    triangles = vertices[faces]
    centres = triangles.mean(1)
    radii = np.linalg.norm(triangles - centres[:, None], axis=-1).max(1)
    best = cKDTree(vertices[np.unique(faces)]).query(points)[0] if len(points) else np.zeros(0)
    octaves = np.floor(np.log2(np.maximum(radii, np.finfo(np.float64).tiny))).astype(int)
    for octave in np.unique(octaves):
        members = np.flatnonzero(octaves == octave)
        reach = best + radii[members].max()
        candidates = cKDTree(centres[members]).query_ball_point(points, reach)
        counts = np.fromiter((len(near) for near in candidates), np.int64, len(candidates))
        owner = np.repeat(np.arange(len(points)), counts)
        triangle = (
            members[np.concatenate([np.asarray(near, np.int64) for near in candidates])] if len(owner) else members[:0]
        )
        for start in range(0, len(owner), _PAIRS_PER_CHUNK):
            part = slice(start, start + _PAIRS_PER_CHUNK)
            queries = points[owner[part]]
            nearest = closest_point(triangles[triangle[part]], queries)
            # A triangle without area has no barycentric coordinates (NaN); its corners are in the bound already.
            np.fmin.at(best, owner[part], np.linalg.norm(nearest - queries, axis=1))
    return best


def scan_errors_mm(
    scan: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    landmarks: np.ndarray,
    scan_landmarks: np.ndarray,
    *,
    scale: bool = False,
) -> np.ndarray:
    """Return the distance of each scan point to a reconstructed mesh after alignment by landmarks, (P,), millimetres.

    This is the first step of the NoW benchmark's protocol. NoW then refines the alignment by the distances themselves,
    so these errors are usually larger and not comparable with its tables.

    Args:
        scan: (P, 3) metres.
        vertices: (V, 3) metres; the mesh moves onto the scan.
        faces: (F, 3).
        landmarks: (L, 3) on the mesh, L >= 3.
        scan_landmarks: (L, 3) on the scan, corresponding.
        scale: align by a similarity instead of a rigid motion.
    """
    aligned = procrustes(landmarks, scan_landmarks, scale=scale).apply(np.asarray(vertices, np.float64))
    return point_to_mesh(scan, aligned, faces) * METRES_TO_MM


def _check_pair(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape or first.ndim < 2 or first.shape[-1] not in (2, 3):
        raise ValueError(
            f"the two sets of points must have one shape (..., N, 3), got {first.shape} and {second.shape}"
        )
