"""Random changes of aligned faces that keep the person: place, light, surroundings, occluders.

The functions take and return a batch of pictures, (B, 3, s, s) in [0, 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from tvface.bundled.augment import symmetric

# Half axes of the ellipse around an aligned face that shows no surroundings (inner) and of one with all the hair
# (outer), and its centre, as fractions of the crop's side; see `embedders.crops.TEMPLATE`.
INNER, OUTER, CENTRE = (0.27, 0.36), (0.5, 0.6), (0.497, 0.55)


def jitter(images: Tensor, generator: torch.Generator, scale: float = 0.06, shift: float = 0.03) -> Tensor:
    """Scale, rotate and shift a little, mirror half of the pictures; black outside the picture."""
    count = len(images)
    grow = torch.exp(scale * symmetric(generator, count))
    angle = 0.07 * symmetric(generator, count)
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = grow * torch.cos(angle), grow * torch.sin(angle)
    moved = 2 * shift * symmetric(generator, count, 2)
    rows = torch.stack([flip * cos, -sin, moved[:, 0], flip * sin, cos, moved[:, 1]], 1).reshape(count, 2, 3)
    grid = F.affine_grid(rows, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", align_corners=False)


def shade(images: Tensor, generator: torch.Generator) -> Tensor:
    """Lay a tinted ramp of light over the pictures, at most a factor of 1.8 from one edge to the other."""
    count, _, size, _ = images.shape
    x, y = _axes(size)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    ramp = torch.cos(angle)[:, None, None] * x + torch.sin(angle)[:, None, None] * y
    strength = 0.6 * torch.rand(count, generator=generator) ** 2
    tint = 1 + 0.25 * symmetric(generator, count, 3)
    return (images * torch.exp(strength[:, None, None, None] * ramp[:, None] * tint[:, :, None, None])).clamp(0, 1)


def ellipse(half_axes: Tensor, size: int) -> Tensor:
    """Return (B, 1, size, size) masks, 1 inside an ellipse of (B, 2) half axes around the face, soft at its edge."""
    axis = (torch.arange(size) + 0.5) / size
    u = (axis[None, None, :] - CENTRE[0]) / half_axes[:, 0, None, None]
    v = (axis[None, :, None] - CENTRE[1]) / half_axes[:, 1, None, None]
    radius = torch.sqrt(u**2 + v**2)
    return torch.sigmoid((1 - radius) * 25)[:, None]


def replace_rims(images: Tensor, generator: torch.Generator, part: float = 0.5) -> Tensor:
    """Replace the outside of a random ellipse on ``part`` of the pictures: by a colour or another picture's rim."""
    count, _, size, _ = images.shape
    along = torch.rand(count, 1, generator=generator)
    axes = torch.tensor(INNER) + along * (torch.tensor(OUTER) - torch.tensor(INNER))
    mask = ellipse(axes, size)
    mask[torch.rand(count, generator=generator) >= part] = 1
    colour = torch.rand(count, 3, 1, 1, generator=generator).expand_as(images)
    other = images.roll(1, 0)
    stuff = torch.where((torch.rand(count, generator=generator) < 0.5)[:, None, None, None], colour, other)
    return images * mask + stuff * (1 - mask)


def cover(images: Tensor, generator: torch.Generator, part: float = 0.15) -> Tensor:
    """Lay an upright rectangle of one colour over ``part`` of the pictures (random erasing)."""
    count, _, size, _ = images.shape
    axis = (torch.arange(size) + 0.5) / size
    place, extent = torch.rand(2, count, 2, generator=generator)
    extent = 0.05 + 0.13 * extent
    inside_x = (axis[None] - place[:, :1]).abs() < extent[:, :1]
    inside_y = (axis[None] - place[:, 1:]).abs() < extent[:, 1:]
    covered = inside_x[:, None, :] & inside_y[:, :, None]
    covered &= (torch.rand(count, generator=generator) < part)[:, None, None]
    return torch.where(covered[:, None], torch.rand(count, 3, 1, 1, generator=generator), images)


def _axes(size: int) -> tuple[Tensor, Tensor]:
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    return axis[None, None, :], axis[None, :, None]
