"""Where every texel of the head's texture lies on the neutral head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import connected_components

from tvface.head.data import HeadData
from tvface.synthetic.render import kernels

EMPTY, SKIN, RIGHT_EYE, LEFT_EYE, MOUTH = 0, 1, 2, 3, 4
NOSE_TIP_DEPTH = 110.7  # mm in front of the ear axis on the neutral human head
EAR_LABELS = (7, 8)  # zllrunning
SKIN_LABEL, MOUTH_LABEL, NECK_LABEL, CLOTH_LABEL, HAIR_LABEL = 1, 11, 14, 16, 17  # zllrunning


@dataclass(frozen=True)
class Atlas:
    """The texture's geometry: one entry per texel, row 0 at v = 1.

    Attributes:
        size: side of the texture in texels.
        origin: (3,) float32, origin of the millimetre frame in the head's frame, millimetres.
        position: (size, size, 3) float32, millimetres; x to the subject's left, y up from the middle of the eyes, z
            forward from the ear axis. Undefined where ``part`` is EMPTY.
        theta: (size, size) float32, azimuth in degrees, 0 in front, positive to the subject's left.
        part: (size, size) uint8, EMPTY, SKIN, RIGHT_EYE, LEFT_EYE or MOUTH.
        labels: (size, size) uint8, zllrunning classes of the bald, bare head.
        face: (size, size) int32, triangle of the texel, -1 where empty.
        bary: (size, size, 3) float32, barycentric weights of the triangle's corners.
        nearest: (2, size, size) int32, row and column of the nearest texel that is not EMPTY.
        landmarks: (68, 3) float32, the neutral head's points in the same millimetres.
        eye_centres: (2, 3) float32, right and left eyeball.
        eye_radius: millimetres.
        vertex_part: (V,) uint8, part of each vertex.
        vertices: (V, 3) float32 in the same millimetres.
        corners: (F, 3, 2) float32, texel coordinates of each triangle's corners, texel centres at integers.
        albedo: (size, size, 3) float32, the head's mean albedo.
    """

    size: int
    origin: np.ndarray
    position: np.ndarray
    theta: np.ndarray
    part: np.ndarray
    labels: np.ndarray
    face: np.ndarray
    bary: np.ndarray
    nearest: np.ndarray
    landmarks: np.ndarray
    eye_centres: np.ndarray
    eye_radius: float
    vertex_part: np.ndarray
    vertices: np.ndarray
    corners: np.ndarray
    albedo: np.ndarray

    @cached_property
    def half_degrees(self) -> np.ndarray:
        """The azimuth in half degrees from the back on, (size, size) int32 in 0..720."""
        return np.asarray(((self.theta + 180) * 2).astype(np.int32))

    @cached_property
    def bare(self) -> np.ndarray:
        """Where skin may wear hair or a hat: all but the ears, (size, size) bool."""
        return np.asarray((self.part == SKIN) & ~np.isin(self.labels, EAR_LABELS))


def texel_corners(head: HeadData, size: int) -> np.ndarray:
    """Return (F, 3, 2) float32 texel coordinates (x, y; centres at integers) of the triangles' corners."""
    texel = np.stack([head.uv[:, 0] * size - 0.5, (1 - head.uv[:, 1]) * size - 0.5], axis=1)
    return np.ascontiguousarray(texel[head.uv_faces], np.float32)


def vertex_parts(head: HeadData) -> np.ndarray:
    """Return the part of each vertex - skin, eyeball or inside of the mouth - as (V,) uint8.

    Eyeballs are the components that move with the eye joints. The inside of the mouth is the set of triangles whose
    centres have the mouth's class in the head's label map.

    Raises:
        ValueError: no vertex moves with an eye joint.
    """
    edges = np.concatenate([head.faces[:, [0, 1]], head.faces[:, [1, 2]]])
    count = len(head.v_template)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    part = np.full(count, SKIN, np.uint8)
    side = head.labels.shape[0]
    centre = head.uv[head.uv_faces].mean(1)
    column = np.clip((centre[:, 0] * side).astype(int), 0, side - 1)
    row = np.clip(((1 - centre[:, 1]) * side).astype(int), 0, side - 1)
    mouth = head.labels[row, column] == MOUTH_LABEL
    inside = np.zeros(count, bool)
    inside[head.faces[mouth].ravel()] = True
    inside[head.faces[~mouth].ravel()] = False
    part[inside] = MOUTH
    for joint in (3, 4):
        members = np.isin(component, np.unique(component[head.skinning[:, joint] > 0.5]))
        if not members.any():
            raise ValueError(f"the head has no eyeball: no vertex follows joint {joint} by more than one half")
        part[members] = LEFT_EYE if head.v_template[members, 0].mean() > 0 else RIGHT_EYE
    return part


def landmark_positions(head: HeadData, vertices: np.ndarray) -> np.ndarray:
    """Return the 68 static points (68, 3) on ``vertices`` (V, 3), in the vertices' unit and frame."""
    corners = vertices[head.faces[head.full_faces]]
    return np.einsum("nij,ni->nj", corners, head.full_bary)


def build_atlas(head: HeadData, size: int = 512) -> Atlas:
    """Rasterise the texture layout of ``head`` and interpolate the neutral head in it.

    Raises:
        ValueError: the head has no eyeballs (see :func:`vertex_parts`).
    """
    points = landmark_positions(head, head.v_template.astype(np.float64)) * 1000
    origin = np.array([0.0, points[36:48, 1].mean(), points[30, 2] - NOSE_TIP_DEPTH])
    vertices = (head.v_template * 1000 - origin).astype(np.float32)
    corners = texel_corners(head, size)
    flat = np.concatenate([corners.reshape(-1, 2), np.ones((corners.shape[0] * 3, 1), np.float32)], axis=1)
    triangles = np.arange(len(flat), dtype=np.int32).reshape(-1, 3)
    face = np.full((size, size), -1, np.int32)
    kernels.fill(flat, triangles, 0, face, np.zeros((size, size), np.float32))
    bary = np.zeros((size, size, 3), np.float32)
    kernels.weights(flat, triangles, face, bary)
    filled = face >= 0
    shown = np.maximum(face, 0)
    position = np.einsum("hwi,hwij->hwj", bary, vertices[head.faces[shown]]).astype(np.float32)
    parts = vertex_parts(head)
    part = np.where(filled, parts[head.faces[shown]].max(axis=2), EMPTY).astype(np.uint8)
    nearest = ndimage.distance_transform_edt(~filled, return_distances=False, return_indices=True)
    labels = cv2.resize(head.labels, (size, size), interpolation=cv2.INTER_NEAREST)
    # The head's label map has hair and a collar; here both depend on the person.
    skin = part == SKIN
    labels[skin & (labels == HAIR_LABEL)] = SKIN_LABEL
    labels[skin & (labels == CLOTH_LABEL)] = NECK_LABEL
    eyes = [vertices[parts == eye] for eye in (RIGHT_EYE, LEFT_EYE)]
    centres = np.stack([0.5 * (eye.max(0) + eye.min(0)) for eye in eyes])
    radius = float(np.median(np.linalg.norm(eyes[0] - centres[0], axis=1)))
    return Atlas(
        size=size,
        origin=origin.astype(np.float32),
        position=position,
        theta=np.degrees(np.arctan2(position[:, :, 0], position[:, :, 2])).astype(np.float32),
        part=part,
        labels=labels[nearest[0], nearest[1]],
        face=face,
        bary=bary,
        nearest=nearest.astype(np.int32),
        landmarks=(points - origin).astype(np.float32),
        eye_centres=centres.astype(np.float32),
        eye_radius=radius,
        vertex_part=parts,
        vertices=vertices,
        corners=corners,
        albedo=cv2.resize(head.albedo_mean.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR),
    )


def pyramid(texture: np.ndarray, smallest: int = 32) -> tuple[np.ndarray, ...]:
    """Return the texture and its halvings down to ``smallest`` texels a side."""
    levels = [np.ascontiguousarray(texture)]
    while min(levels[-1].shape[:2]) >= 2 * smallest:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return tuple(levels)
