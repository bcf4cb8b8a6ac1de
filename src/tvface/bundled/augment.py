"""Random views of training crops: framing, colour, blur, occlusion. On tensors, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tvface.conventions.boxes import BOX_SIDE, BOX_UP
from tvface.conventions.classes import MIRROR as MIRROR_CLASSES
from tvface.conventions.points68 import MIRROR as MIRROR_POINTS


@dataclass(frozen=True)
class Framing:
    """Where the window lies on a face, and how much that varies.

    ``window`` is its mean side, in sides of the detector's (idealised) box. ``scale`` is the largest change of its log
    side, ``shift`` the largest shift of its centre in window sides, ``turn`` the largest rotation in radians. ``up``
    moves the centre from the centre of the points' box (0) to the centre of the detector's box (1).
    """

    window: float
    scale: float
    shift: float
    turn: float
    up: float


@dataclass(frozen=True)
class Views:
    """A batch as a network sees it.

    ``images`` (B, 3, s, s) in [0, 1]; ``points`` (B, 68, 2), hidden points and points outside the window included;
    ``labels`` (B, s, s) int64; ``eyes`` (B,) eye distance.

    Convention: points and eye distance as fractions of the window, its edges at 0 and 1.
    """

    images: Tensor
    points: Tensor
    labels: Tensor
    eyes: Tensor


def frame(
    images: Tensor,
    points: Tensor,
    labels: Tensor,
    framing: Framing,
    size: int,
    generator: torch.Generator | None,
) -> Views:
    """Cut one window per crop.

    Args:
        images: (B, S, S, 3) uint8.
        points: (B, 68, 2) float32.
        labels: (B, S, S) uint8.
        framing: where the window lies and how much it varies.
        size: side of the views in pixels.
        generator: of random framings; None: the mean framing without mirroring.

    Convention: points in crop pixels, x right, y down, centres at integers.
    """
    count, side = images.shape[:2]
    low, high = points.amin(1) + 0.5, points.amax(1) + 0.5
    extent = (high - low).mean(1)
    centre = (low + high) / 2
    centre[:, 1] -= framing.up * BOX_UP * extent
    half = framing.window * BOX_SIDE * extent / 2
    angle = torch.zeros(count)
    flip = torch.zeros(count, dtype=torch.bool)
    if generator is not None:
        half = half * torch.exp(framing.scale * symmetric(generator, count))
        centre = centre + framing.shift * 2 * half[:, None] * symmetric(generator, count, 2)
        angle = framing.turn * symmetric(generator, count)
        flip = torch.rand(count, generator=generator) < 0.5
    sign = torch.where(flip, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Columns: the window's right and down unit vectors in picture pixels.
    axes = torch.stack([torch.stack([cos * sign, -sin], 1), torch.stack([sin * sign, cos], 1)], 1)
    matrix = axes * (half[:, None, None] * 2 / side)
    shift = centre * 2 / side - 1
    grid = F.affine_grid(torch.cat([matrix, shift[:, :, None]], 2), [count, 3, size, size], align_corners=False)
    views = F.grid_sample(images.permute(0, 3, 1, 2).float() / 255, grid, mode="bilinear", align_corners=False)
    classes = F.grid_sample(labels[:, None].float(), grid, mode="nearest", align_corners=False)[:, 0].long()
    local = torch.linalg.solve(axes, ((points + 0.5) - centre[:, None]).transpose(1, 2)).transpose(1, 2)
    local = (local / half[:, None, None] + 1) / 2
    local[flip] = local[flip][:, torch.from_numpy(MIRROR_POINTS)]
    classes[flip] = torch.from_numpy(MIRROR_CLASSES.astype(np.int64))[classes[flip]]
    eyes = (local[:, 36] - local[:, 45]).norm(dim=-1)
    return Views(views, local, classes, eyes)


def recolour(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change gain, contrast, gamma and saturation, blur, coarsen and add noise; (B, 3, s, s) in [0, 1] both ways."""
    count = len(images)
    grey = images.mean(1, keepdim=True)
    wash = torch.rand(count, 1, 1, 1, generator=generator)
    wash = torch.where(wash < 0.08, 1.0, wash * 0.2)  # some are fully grey
    x = images + wash * (grey - images)
    x = x.clamp_min(1e-4) ** torch.exp(0.3 * symmetric(generator, count, 1, 1, 1))
    x = x * torch.exp(0.2 * symmetric(generator, count, 1, 1, 1) + 0.12 * symmetric(generator, count, 3, 1, 1))
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * torch.exp(0.3 * symmetric(generator, count, 1, 1, 1))
    x = _coarsen(x, generator)
    noise = 0.02 * torch.rand(count, 1, 1, 1, generator=generator) ** 2
    return (x + noise * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def occlude(views: Views, generator: torch.Generator, part: float) -> Views:
    """Lay a coloured ellipse or rectangle over ``part`` of the pictures; its pixels become background (class 0)."""
    images, labels = views.images, views.labels
    count, _, size, _ = images.shape
    place = torch.rand(count, 2, generator=generator)
    extent = 0.06 + 0.22 * torch.rand(count, 2, generator=generator)
    turn = torch.pi * torch.rand(count, generator=generator)
    power = torch.where(torch.rand(count, generator=generator) < 0.5, 2.0, 8.0)  # ellipse or rounded rectangle
    axis = (torch.arange(size) + 0.5) / size
    dx = axis[None, None, :] - place[:, 0, None, None]
    dy = axis[None, :, None] - place[:, 1, None, None]
    cos, sin = torch.cos(turn)[:, None, None], torch.sin(turn)[:, None, None]
    u = ((cos * dx + sin * dy) / extent[:, 0, None, None]).abs()
    v = ((cos * dy - sin * dx) / extent[:, 1, None, None]).abs()
    inside = u ** power[:, None, None] + v ** power[:, None, None] < 1
    inside &= (torch.rand(count, generator=generator) < part)[:, None, None]
    colour = torch.rand(count, 3, 1, 1, generator=generator)
    shade = 1 + 0.3 * dx[:, None] * symmetric(generator, count, 1, 1, 1)
    # Every other occluder shows another picture of the batch, so that texture alone does not reveal it.
    stuff = torch.where((torch.arange(count) % 2 == 0)[:, None, None, None], colour * shade, images.roll(1, 0).flip(-2))
    images = torch.where(inside[:, None], stuff.clamp(0, 1), images)
    return Views(images, views.points, labels.masked_fill(inside, 0), views.eyes)


def _coarsen(x: Tensor, generator: torch.Generator) -> Tensor:
    """Blur a tenth of the pictures, and shrink and enlarge another tenth; the crops are already degraded."""
    order = torch.randperm(len(x), generator=generator)
    tenth = len(x) // 10
    size = x.shape[-1]
    if tenth == 0:
        return x
    x = x.clone()
    blurred, coarse = order[:tenth], order[tenth : 2 * tenth]
    sigma = 0.5 + 1.5 * float(torch.rand(1, generator=generator))
    reach = torch.arange(-4, 5, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (reach / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, 9)
    padded = F.pad(x[blurred], (4, 4, 4, 4), mode="replicate")
    x[blurred] = F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3)
    small = int(size * (0.25 + 0.45 * float(torch.rand(1, generator=generator))))
    shrunk = F.interpolate(x[coarse], (small, small), mode="bilinear", align_corners=False, antialias=True)
    x[coarse] = F.interpolate(shrunk, (size, size), mode="bilinear", align_corners=False)
    return x


def symmetric(generator: torch.Generator, *shape: int) -> Tensor:
    """Return uniform random numbers in [-1, 1) of a shape."""
    return 2 * torch.rand(*shape, generator=generator) - 1
