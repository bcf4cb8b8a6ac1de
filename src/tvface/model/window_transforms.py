"""Augmentation of training windows: scaled, moved, mirrored, with all that belongs to their frames."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tvface.conventions.points68 import MIRROR
from tvface.model.window import Window


def mirror(window: Window, flipped: torch.Tensor, centre: float) -> Window:
    """Exchange left and right of whole windows: pictures, masks, flow, and the landmarks with their names.

    Args:
        window: any.
        flipped: (B,) bool, which.
        centre: of the picture, in the normalised coordinates of the landmarks.

    Returns:
        The window with those sequences mirrored.
    """
    order = torch.from_numpy(MIRROR).to(window.landmarks.device)
    landmarks = window.landmarks[:, :, order]
    landmarks = torch.stack([2 * centre - landmarks[..., 0], landmarks[..., 1]], -1)
    sign = window.images.new_tensor([-1.0, 1.0])[:, None, None]

    def chosen(mirrored: torch.Tensor, plain: torch.Tensor) -> torch.Tensor:
        return torch.where(flipped.view(-1, *[1] * (plain.dim() - 1)), mirrored, plain)

    return Window(
        chosen(window.images.flip(-1), window.images),
        chosen(window.masks.flip(-1), window.masks),
        chosen(landmarks, window.landmarks),
        chosen(window.flows_backward.flip(-1) * sign, window.flows_backward),
        chosen(window.flows_forward.flip(-1) * sign, window.flows_forward),
        window.names,
    )


def move(window: Window, scale: torch.Tensor, shift: torch.Tensor, centre: float) -> Window:
    """Scale every frame about its centre and shift it.

    Args:
        window: any.
        scale: (B,) float32, enlargement of a window, or (B,T) of each frame. One per window makes up no motion.
        shift: (B,2) or (B,T,2) float32, part of the side, x right, y down.
        centre: of the picture, in the normalised coordinates of the landmarks.

    Returns:
        The window with images, masks, landmarks and flow moved alike. What comes from outside is black, outside of the
        mask and without flow of its own.
    """
    count, frames = window.images.shape[:2]
    s = scale.reshape(count, -1).expand(count, frames)
    t = shift.reshape(count, -1, 2).expand(count, frames, 2)
    spread = s.view(count, frames, 1, 1)
    landmarks = (window.landmarks - centre) * spread + centre + 2 * t[:, :, None]
    images, masks = (_warp(maps, s, t) for maps in (window.images, window.masks))
    flows = (
        _move_flow(window.flows_backward, s[:, :-1], t[:, :-1], s[:, 1:], t[:, 1:]),
        _move_flow(window.flows_forward, s[:, 1:], t[:, 1:], s[:, :-1], t[:, :-1]),
    )
    return Window(images, masks, landmarks, *flows, window.names)


def _warp(maps: torch.Tensor, s: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Scale maps (B,T,C,H,W) by s (B,T) about their centre and shift them by t (B,T,2) parts of their side."""
    flat = maps.flatten(0, 1)
    theta = maps.new_zeros(len(flat), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / s.flatten()
    theta[:, :, 2] = -2 * t.flatten(0, 1) / s.flatten()[:, None]
    grid = F.affine_grid(theta, list(flat.shape), align_corners=False)
    return F.grid_sample(flat, grid, align_corners=False).unflatten(0, maps.shape[:2])


def _move_flow(
    flow: torch.Tensor, s: torch.Tensor, t: torch.Tensor, s_other: torch.Tensor, t_other: torch.Tensor
) -> torch.Tensor:
    """Move flow (B,P,2,h,h) whose frame is moved by (s, t) and whose other frame by (s_other, t_other)."""
    if flow.numel() == 0:  # a single frame has no pairs
        return flow
    own = _warp(flow, s, t) * s_other[..., None, None, None]
    # Where the motion is none, a point still goes from its place in the one frame to its place in the other.
    side = flow.shape[-1]
    place = (torch.arange(side, device=flow.device) + 0.5) / side - 0.5
    x = torch.stack(torch.meshgrid(place, place, indexing="xy"))
    ratio = (s_other / s)[..., None, None, None]
    return own + side * ((ratio - 1) * x + t_other[..., None, None] - ratio * t[..., None, None])
