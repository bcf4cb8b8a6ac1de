"""The head's surface in UV space: attribute images, detail normals, the dense mesh, texture extraction.

Convention: row 0 of a UV image is at v = 1; the pixel in column i has u = (i + 0.5) / size.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from tvface.rendering.rasterizer import Fragments, interpolate, rasterize
from tvface.rendering.shading import cross, normalised

if TYPE_CHECKING:
    from tvface.head.data import HeadData

# Margins of DECA's dense grid in a 256-pixel image: at the left and right, and at the top and bottom.
MARGIN_X, MARGIN_Y, MARGIN_SIZE = 2, 5, 256


@dataclass(frozen=True)
class DenseMesh:
    """Mesh with one vertex per covered UV pixel.

    Attributes:
        vertices: (N, 3) float32, metres.
        faces: (M, 3) int64, wound like the head's.
        pixels: (N, 2) int64, (row, column) of each vertex in the UV image, to read colours from a texture.
    """

    vertices: np.ndarray
    faces: np.ndarray
    pixels: np.ndarray


def uv_to_grid(uv: Tensor) -> Tensor:
    """Return texture coordinates (..., 2) in [0, 1], v up, as sampling coordinates in [-1, 1], y down."""
    return torch.stack((uv[..., 0] * 2 - 1, 1 - uv[..., 1] * 2), -1)


def dense_margins(size: int) -> tuple[int, int]:
    """Return the margins of the dense grid (left and right, top and bottom): (2, 5) at 256, scaled, at least 1."""
    return max(1, round(MARGIN_X * size / MARGIN_SIZE)), max(1, round(MARGIN_Y * size / MARGIN_SIZE))


def dense_triangles(size: int) -> np.ndarray:
    """Return the triangles (M, 3) int64 of the dense grid over a UV image, vertex = row * size + column, by columns.

    Two per quad: (upper left, lower left, upper right) and (upper right, lower left, lower right), which is outward for
    a UV layout that is not mirrored. 122,990 triangles at 256.
    """
    margin_x, margin_y = dense_margins(size)
    column, row = np.meshgrid(
        np.arange(margin_x, size - 1 - margin_x), np.arange(margin_y, size - 1 - margin_y), indexing="ij"
    )
    upper_left = (row * size + column).ravel()
    upper_right, lower_left, lower_right = upper_left + 1, upper_left + size, upper_left + size + 1
    first = np.stack((upper_left, lower_left, upper_right), -1)
    second = np.stack((upper_right, lower_left, lower_right), -1)
    return np.stack((first, second), 1).reshape(-1, 3).astype(np.int64)


def grid_normals(points: Tensor) -> Tensor:
    """Return the vertex normals of the dense grid mesh, the same as ``vertex_normals(points, dense_triangles)``.

    It works on slices of the image instead of a list of triangles, which is much faster.

    Args:
        points: (B, 3, U, U), a surface point per UV pixel.

    Returns:
        (B, 3, U, U), zero in the margins.
    """
    size = points.shape[-1]
    margin_x, margin_y = dense_margins(size)
    inner = points[..., margin_y : size - margin_y, margin_x : size - margin_x]
    upper_left, upper_right = inner[..., :-1, :-1], inner[..., :-1, 1:]
    lower_left, lower_right = inner[..., 1:, :-1], inner[..., 1:, 1:]
    first = cross(lower_left - upper_left, upper_right - upper_left, 1)
    second = cross(lower_left - upper_right, lower_right - upper_right, 1)
    both = first + second
    # Each triangle counts at its three corners; the padding says at which end of the grid the corner lies.
    total = (
        F.pad(first, (0, 1, 0, 1)) + F.pad(both, (1, 0, 0, 1)) + F.pad(both, (0, 1, 1, 0)) + F.pad(second, (1, 0, 1, 0))
    )
    return F.pad(normalised(total, 1), (margin_x, margin_x, margin_y, margin_y))


def resize_map(image: np.ndarray, size: int) -> Tensor:
    """Return a UV map (S, S) as (1, 1, size, size) float32, resampled bilinearly (antialiased) unless S is ``size``."""
    tensor = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
    if tensor.ndim != 4 or tensor.shape[2] != tensor.shape[3]:
        raise ValueError(f"a UV map must be square (S, S), got {tuple(image.shape)}")
    if tensor.shape[-1] == size:
        return tensor
    return F.interpolate(tensor, (size, size), mode="bilinear", align_corners=False, antialias=True)


def _islands(uv_faces: np.ndarray, count: int) -> np.ndarray:
    """Return the index of the connected component of the UV layout that each face belongs to, (F,)."""
    edges = np.concatenate((uv_faces[:, [0, 1]], uv_faces[:, [1, 2]]))
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1][uv_faces[:, 0]]


class UVSpace(nn.Module):
    """UV layout of a head at one image size, rasterised once.

    Buffers: ``face`` (1, U, U) int64 and ``bary`` (1, U, U, 3): the face at each UV pixel; ``face_eye_mask``,
    ``face_mask`` (1, 1, U, U) in [0, 1]; ``fixed_displacement`` (1, 1, U, U), metres. They follow the module to its
    device but are not part of its state dict: they come from the head.
    """

    face: Tensor
    bary: Tensor
    faces: Tensor
    face_mask: Tensor
    face_eye_mask: Tensor
    fixed_displacement: Tensor

    def __init__(self, head: "HeadData", size: int) -> None:
        super().__init__()
        if size < 8:
            raise ValueError(f"the UV image must have at least 8 pixels a side, got {size}")
        self.size = size
        grid = uv_to_grid(torch.from_numpy(np.asarray(head.uv, np.float32)))
        uv_faces = torch.from_numpy(np.asarray(head.uv_faces, np.int64))
        layout = rasterize(F.pad(grid, (0, 1))[None], uv_faces, size, size)
        for name, value in {
            "face": layout.face,
            "bary": layout.bary,
            "faces": torch.from_numpy(np.asarray(head.faces, np.int64)),
            "face_mask": resize_map(head.face_mask, size),
            "face_eye_mask": resize_map(head.face_eye_mask, size),
            "fixed_displacement": resize_map(head.fixed_displacement, size),
        }.items():
            self.register_buffer(name, value, persistent=False)
        self._template = None
        if head.dense_faces is not None and head.notes.get("dense_size") == size:
            self._template = (head.dense_faces, head.dense_pixels, head.dense_corners, head.dense_bary)
        self._islands = _islands(np.asarray(head.uv_faces, np.int64), len(head.uv))

    @property
    def valid(self) -> Tensor:
        """UV pixels (1, 1, U, U) bool that the layout covers."""
        return (self.face >= 0)[:, None]

    def world_to_uv(self, attributes: Tensor) -> Tensor:
        """Return vertex attributes (B, V, C) as a UV image (B, C, U, U), 0 off the layout; differentiable."""
        depth = torch.zeros_like(self.bary[..., 0])
        return interpolate(Fragments(self.face, self.bary, depth), self.faces, attributes)

    def detail_normals(self, displacement: Tensor, vertices: Tensor, normals: Tensor) -> Tensor:
        """Return the normals of the displaced surface in UV space.

        The fixed displacement is added, unmasked. Outside the face-and-eye mask the coarse normals (interpolated, not
        renormalised) are returned.

        Source: ``displacement2normal`` in DECA's ``deca.py``.

        Args:
            displacement: (B, 1, U, U) metres along the normal; the mask is applied here.
            vertices, normals: (B, V, 3), the coarse surface; no gradient flows to them.

        Returns:
            (B, 3, U, U) in the frame of ``vertices``.
        """
        if displacement.shape[1:] != (1, self.size, self.size):
            raise ValueError(f"displacement must be (B, 1, {self.size}, {self.size}), got {tuple(displacement.shape)}")
        with torch.no_grad():
            coarse = self.world_to_uv(torch.cat((vertices, normals), -1))
            points, coarse_normals = coarse[:, :3], coarse[:, 3:]
            points = points + self.fixed_displacement * coarse_normals
        mask = self.face_eye_mask
        fine = grid_normals(points + mask * displacement * coarse_normals)
        return mask * fine + (1 - mask) * coarse_normals

    def extract_texture(self, images: Tensor, projected: Tensor) -> Tensor:
        """Sample pictures at the surface points.

        There is no visibility test: a hidden part gets the colour of the occluder (see :meth:`self_visible`). Off the
        layout the centre of the picture is sampled.

        Source: ``decode`` in DECA's ``deca.py``.

        Args:
            images: (B, C, H, W).
            projected: (B, V, 3) in the pictures' normalised coordinates.

        Returns:
            UV images (B, C, U, U).
        """
        grid = self.world_to_uv(projected[..., :2]).permute(0, 2, 3, 1)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def self_visible(self, projected_normals: Tensor) -> Tensor:
        """Return UV pixels (B, 1, U, U) bool that face the camera: z of the projected normals (B, V, 3) below -0.05."""
        return self.world_to_uv(projected_normals[..., 2:]) < -0.05

    @torch.no_grad()
    def dense_mesh(self, vertices: Tensor, normals: Tensor, displacement: Tensor, unmasked: bool = False) -> DenseMesh:
        """Return the dense mesh of one head: a vertex for every covered UV pixel, neighbours connected.

        Pixels of different UV islands are not connected even where they touch. The connectivity is that of the layout,
        or of DECA's licensed file if the head holds it for this image size.

        Source: DECA's ``upsample_mesh``.

        Args:
            vertices, normals: (V, 3).
            displacement: (1, U, U) or (U, U) metres; the fixed displacement is added. It acts inside the face-and-eye
                mask, as in :meth:`detail_normals`.
            unmasked: let the displacement act everywhere, as in DECA's export, although it is not trained outside.
        """
        if self._template is not None:
            return self._templated_mesh(vertices, normals, displacement)
        coarse = self.world_to_uv(torch.cat((vertices, normals), -1)[None])
        mask = torch.ones_like(self.face_eye_mask) if unmasked else self.face_eye_mask
        offset = (mask * displacement.reshape(1, 1, self.size, self.size) + self.fixed_displacement).to(coarse)
        points = (coarse[:, :3] + offset * F.normalize(coarse[:, 3:], dim=1))[0].permute(1, 2, 0)
        face = self.face[0].cpu().numpy()
        island = np.where(face >= 0, self._islands[face], -1)
        index = np.full(face.shape, -1, np.int64)
        pixels = np.argwhere(face >= 0)
        index[face >= 0] = np.arange(len(pixels))

        def corner(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            return image[:-1, :-1], image[:-1, 1:], image[1:, :-1], image[1:, 1:]

        a, b, c, d = corner(index)
        part = corner(island)
        triangles = []
        # A quad with one corner missing still gives the triangle of the other three.
        whole = np.logical_and.reduce([p == part[0] for p in part]) & (part[0] >= 0)
        for corners, missing, islands in (
            ((a, c, b), None, whole),
            ((b, c, d), None, whole),
            ((a, c, b), 3, (part[0], part[1], part[2])),
            ((b, c, d), 0, (part[1], part[2], part[3])),
            ((a, c, d), 1, (part[0], part[2], part[3])),
            ((a, d, b), 2, (part[0], part[1], part[3])),
        ):
            if missing is None:
                selected = cast(np.ndarray, islands)
            else:
                one, two, three = islands
                selected = (one >= 0) & (one == two) & (one == three) & (part[missing] != one)
            triangles.append(np.stack([corner_index[selected] for corner_index in corners], -1))
        vertices_out = points.cpu().numpy()[face >= 0].astype(np.float32)
        return DenseMesh(vertices_out, np.concatenate(triangles), pixels)

    def _templated_mesh(self, vertices: Tensor, normals: Tensor, displacement: Tensor) -> DenseMesh:
        """Return :meth:`dense_mesh` on the template of the head: barycentric mixes of its corners, in its order."""
        assert self._template is not None
        faces, pixels, corners, bary = (np.asarray(part) for part in self._template)
        weights = torch.from_numpy(bary)[..., None]
        index = torch.from_numpy(corners.astype(np.int64))
        surface, outward = ((part.cpu()[index] * weights).sum(1) for part in (vertices, normals))
        offset = (displacement.reshape(self.size, self.size) + self.fixed_displacement[0, 0].to(displacement)).cpu()
        rows, columns = torch.from_numpy(pixels.astype(np.int64)).unbind(1)
        points = surface + offset[rows, columns, None] * F.normalize(outward, dim=1)
        return DenseMesh(points.numpy().astype(np.float32), faces.astype(np.int64), pixels.astype(np.int64))
