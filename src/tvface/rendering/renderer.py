"""Differentiable renderer of the head: textured and shaded pictures, UV images, shape pictures.

Convention: world coordinates are the head's frame (metres, y up, z towards the camera); projected coordinates are
normalised image coordinates (x right, y down, smaller z nearer). No function changes its inputs in place.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tvface.rendering import shape_view
from tvface.rendering.rasterizer import Fragments, interpolate, rasterize
from tvface.rendering.shading import sh_shading, vertex_normals
from tvface.rendering.uv import DenseMesh, UVSpace, uv_to_grid

if TYPE_CHECKING:
    from tvface.head.data import HeadData

# The z of a projected normal below which a pixel counts as facing the camera.
FACING_Z = -0.05


class Rendering(NamedTuple):
    """Pictures of a batch; H = W = image size. Background pixels are 0 unless stated otherwise.

    Attributes:
        images: (B, 3, H, W) albedo x shading x alpha.
        albedo_images: (B, 3, H, W) sampled albedo, not times alpha.
        shading: (B, 3, H, W); the background is the shading of a zero normal.
        grid: (B, 2, H, W) position of each pixel in the UV image, in [-1, 1]; the background is (0, 0), its centre.
        normals: (B, V, 3) vertex normals in world coordinates.
        normal_images: (B, 3, H, W) interpolated, not renormalised.
        alpha: (B, 1, H, W) 0 or 1, no gradient.
        pos_mask: (B, 1, H, W) 1 where the surface faces the camera, no gradient.
        face_eye_mask: (B, 1, H, W) in [0, 1], no gradient; the background is the mask's value at the UV centre, as in
            DECA, so multiply it by alpha.
    """

    images: Tensor
    albedo_images: Tensor
    shading: Tensor
    grid: Tensor
    normals: Tensor
    normal_images: Tensor
    alpha: Tensor
    pos_mask: Tensor
    face_eye_mask: Tensor


def sample(maps: Tensor, grid: Tensor) -> Tensor:
    """Sample UV images (B or 1, C, U, U) bilinearly at grid (B, 2, H, W), 0 outside; [-1, 1] ends at pixel edges."""
    maps = maps.expand(grid.shape[0], -1, -1, -1)
    return F.grid_sample(maps, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=False)


class Renderer(nn.Module):
    """Renderer of one head. It has no parameters and an empty state dict.

    Args:
        head: topology, UV layout and masks.
        image_size: side of the pictures in pixels.
        uv_size: side of the UV images in pixels.
        backend: of the rasteriser, see :func:`tvface.rendering.rasterizer.rasterize`.
    """

    faces: Tensor
    uv_faces: Tensor
    uv_grid: Tensor
    full_faces: Tensor
    full_bary: Tensor

    def __init__(self, head: "HeadData", image_size: int, uv_size: int, backend: str = "auto") -> None:
        super().__init__()
        self.image_size, self.backend = image_size, backend
        self.uv = UVSpace(head, uv_size)
        for name, value in {
            "faces": torch.from_numpy(np.asarray(head.faces, np.int64)),
            "uv_faces": torch.from_numpy(np.asarray(head.uv_faces, np.int64)),
            "uv_grid": uv_to_grid(torch.from_numpy(np.asarray(head.uv, np.float32)))[None],
            "full_faces": torch.from_numpy(np.asarray(head.full_faces, np.int64)),
            "full_bary": torch.from_numpy(np.asarray(head.full_bary, np.float32)),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def rasterize(self, projected: Tensor, size: tuple[int, int] | None = None) -> Fragments:
        """Return the fragments of projected vertices (B, V, 3) in a picture of ``size`` (height, width).

        The default size is ``image_size`` x ``image_size``.
        """
        height, width = size or (self.image_size, self.image_size)
        return rasterize(projected, self.faces, height, width, self.backend)

    def forward(
        self,
        vertices: Tensor,
        projected: Tensor,
        albedo: Tensor,
        light: Tensor,
        size: tuple[int, int] | None = None,
    ) -> Rendering:
        """See :meth:`render`."""
        return self.render(vertices, projected, albedo, light, size)

    def render(
        self,
        vertices: Tensor,
        projected: Tensor,
        albedo: Tensor,
        light: Tensor,
        size: tuple[int, int] | None = None,
    ) -> Rendering:
        """Render the head with its texture under spherical-harmonic light.

        Gradients flow to all four inputs: to ``projected`` through the sampling positions, to ``vertices`` through the
        normals.

        Source: ``SRenderY.forward`` in DECA's ``renderer.py``.

        Args:
            vertices: (B, V, 3) in world coordinates.
            projected: (B, V, 3).
            albedo: (B, 3, A, A) RGB UV image.
            light: (B, 9, 3), see :func:`tvface.rendering.shading.sh_shading`.
            size: (height, width) of the pictures; by default ``image_size`` squared.
        """
        fragments = self.rasterize(projected, size)
        normals = vertex_normals(vertices, self.faces)
        grid = interpolate(fragments, self.uv_faces, self.uv_grid)
        normal_images = interpolate(fragments, self.faces, normals)
        alpha = fragments.alpha.detach()
        with torch.no_grad():
            projected_z = vertex_normals(projected, self.faces)[..., 2:]
            pos_mask = (interpolate(fragments, self.faces, projected_z) < FACING_Z).to(alpha.dtype)
            face_eye_mask = sample(self.uv.face_eye_mask, grid)
        albedo_images = sample(albedo, grid)
        shading = sh_shading(normal_images, light)
        images = albedo_images * shading * alpha
        return Rendering(images, albedo_images, shading, grid, normals, normal_images, alpha, pos_mask, face_eye_mask)

    def world_to_uv(self, attributes: Tensor) -> Tensor:
        """See :meth:`UVSpace.world_to_uv`."""
        return self.uv.world_to_uv(attributes)

    def detail_normals(self, displacement: Tensor, vertices: Tensor, normals: Tensor) -> Tensor:
        """See :meth:`UVSpace.detail_normals`."""
        return self.uv.detail_normals(displacement, vertices, normals)

    def extract_texture(self, images: Tensor, projected: Tensor) -> Tensor:
        """See :meth:`UVSpace.extract_texture`."""
        return self.uv.extract_texture(images, projected)

    def dense_mesh(self, vertices: Tensor, displacement: Tensor, unmasked: bool = False) -> DenseMesh:
        """See :meth:`UVSpace.dense_mesh`; vertices (V, 3), displacement (1, U, U), with the vertex normals."""
        return self.uv.dense_mesh(vertices, vertex_normals(vertices[None], self.faces)[0], displacement, unmasked)

    @torch.no_grad()
    def render_shape(
        self,
        vertices: Tensor,
        projected: Tensor,
        detail_normals: Tensor | None = None,
        images: Tensor | None = None,
    ) -> Tensor:
        """Render the shape in grey.

        Source: DECA's ``render_shape``.

        Args:
            vertices: (B, V, 3) in world coordinates.
            projected: (B, V, 3).
            detail_normals: (B, 3, U, U), used for shading instead of the vertex normals.
            images: (B, 3, H, W) background, which also sets the size; by default black.

        Returns:
            (B, 3, H, W) in [0, 1].
        """
        size = None if images is None else (images.shape[-2], images.shape[-1])
        fragments = self.rasterize(projected, size)
        if detail_normals is None:
            normal_images = interpolate(fragments, self.faces, vertex_normals(vertices, self.faces))
        else:
            grid = interpolate(fragments, self.uv_faces, self.uv_grid)
            normal_images = sample(detail_normals, grid) * fragments.alpha
        projected_z = interpolate(fragments, self.faces, vertex_normals(projected, self.faces)[..., 2:])
        return shape_view.shade(normal_images, projected_z, fragments.alpha, images)

    @torch.no_grad()
    def render_depth(self, projected: Tensor) -> Tensor:
        """Return depth (B, 1, H, W), 1 at the batch's nearest vertex, 0 at its farthest and in the background."""
        nearness = shape_view.nearness(projected)
        return interpolate(self.rasterize(projected), self.faces, nearness)

    @torch.no_grad()
    def landmark_visibility(self, projected: Tensor) -> Tensor:
        """Return (B, 68), 1 for each landmark whose surface faces the camera, else 0; see :mod:`shape_view`."""
        normals = vertex_normals(projected, self.faces)
        return shape_view.landmark_visibility(normals, self.faces[self.full_faces], self.full_bary)
