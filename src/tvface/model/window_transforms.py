"""Augmentation of training windows: frames, masks, landmarks and flow are mirrored, scaled and shifted together."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tvface.conventions.points68 import MIRROR
from tvface.model.window import Window


def mirror(window: Window, flipped: torch.Tensor, centre: float) -> Window:
    """Mirror whole windows: pictures, masks, flow, and landmarks in mirror order.

    Args:
        window: any.
        flipped: (B,) bool, which windows to mirror.
        centre: of the picture, in the normalised coordinates of the landmarks.

    Returns:
        The window with those sequences mirrored.
    """
    order = torch.from_numpy(MIRROR).to(window.landmarks.device)
    landmarks = window.landmarks[:, :, order]
    landmarks = torch.stack([2 * centre - landmarks[..., 0], landmarks[..., 1]], -1)
    sign = window.images.new_tensor([-1.0, 1.0])[:, None, None]

    def select(mirrored: torch.Tensor, plain: torch.Tensor) -> torch.Tensor:
        return torch.where(flipped.view(-1, *[1] * (plain.dim() - 1)), mirrored, plain)

    return Window(
        select(window.images.flip(-1), window.images),
        select(window.masks.flip(-1), window.masks),
        select(landmarks, window.landmarks),
        select(window.flows_backward.flip(-1) * sign, window.flows_backward),
        select(window.flows_forward.flip(-1) * sign, window.flows_forward),
        window.names,
    )


def move(window: Window, scale: torch.Tensor, shift: torch.Tensor, centre: float) -> Window:
    """Scale every frame about its centre and shift it.

    Args:
        window: any.
        scale: (B,) float32, enlargement of a window, or (B,T) of each frame. One per window adds no motion.
        shift: (B,2) or (B,T,2) float32 in sides of the picture, x right, y down.
        centre: of the picture, in the normalised coordinates of the landmarks.

    Returns:
        The window with images, masks, landmarks and flow moved alike. Pixels from outside are black, unmasked, and have
        no flow except that of the augmentation.
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
    """Scale maps (B,T,C,H,W) by s (B,T) about their centre and shift them by t (B,T,2) sides."""
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
    warped = _warp(flow, s, t) * s_other[..., None, None, None]
    # Even without motion a point moves from its place in the one augmented frame to its place in the other.
    side = flow.shape[-1]
    place = (torch.arange(side, device=flow.device) + 0.5) / side - 0.5
    x = torch.stack(torch.meshgrid(place, place, indexing="xy"))
    ratio = (s_other / s)[..., None, None, None]
    return warped + side * ((ratio - 1) * x + t_other[..., None, None] - ratio * t[..., None, None])
