"""Pictures of the shape alone: grey shading, depth, visible landmarks (DECA's ``renderer.py`` and ``deca.py``)."""

import torch
from torch import Tensor

from tvface.rendering.shading import shape_shading

GREY = 180 / 255
# z of a projected normal up to which the surface is drawn, and up to which a landmark counts as visible.
SHOWN_Z = 0.15
VISIBLE_Z = 0.1


def shade(normal_images: Tensor, projected_z: Tensor, alpha: Tensor, background: Tensor | None = None) -> Tensor:
    """Return grey shaded pictures (B, 3, H, W).

    Args:
        normal_images: (B, 3, H, W) in head space.
        projected_z: (B, 1, H, W) z of the projected surface's normals.
        alpha: (B, 1, H, W) coverage.
        background: (B, 3, H, W) RGB in [0, 1]; by default black.
    """
    shown = alpha * (projected_z < SHOWN_Z).to(alpha.dtype)
    picture = GREY * shape_shading(normal_images) * shown
    if background is None:
        return picture
    return picture + background * (1 - shown)


def nearness(projected: Tensor) -> Tensor:
    """Return the depth of projected vertices (B, V, 3) as brightness (B, V, 1): 1 nearest in the batch, 0 farthest."""
    z = projected[..., 2:]
    near, far = z.amin(), z.amax()
    return (far - z) / (far - near).clamp(min=torch.finfo(z.dtype).eps)


def landmark_visibility(normals: Tensor, corners: Tensor, bary: Tensor) -> Tensor:
    """Return whether the surface at each landmark faces the camera, 1 or 0, (B, L).

    Occlusion by other parts of the head is not tested, as in DECA.

    Args:
        normals: (B, V, 3) of the projected mesh.
        corners: (L, 3) vertex indices of the landmarks' faces.
        bary: (L, 3) weights of the corners.
    """
    z = (normals[..., 2][:, corners] * bary).sum(-1)
    return (z < VISIBLE_Z).to(normals.dtype)
