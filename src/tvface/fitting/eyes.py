"""What the 68 points cannot give about eyes: how far the lids are open, and where the eyes look.

The landmarker shows a third of a blink. Here a small network reads each eye from a patch of the picture, and the same
opening is measured on the head, so that a fit can compare the two.

An eye's opening is the mean gap of its two pairs of lid points over the distance of its corners, as they appear in the
picture. An open eye has .25 to .4, a closed one 0 (the head's lids then overlap, and its opening is below 0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from tvface.conventions.points68 import MIRROR
from tvface.head.data import HeadData

SIZE = (24, 40)  # height and width of a patch in px
SPAN = 2.0  # units, the width of a patch; a unit is about the width of an eye
BATCH = 256  # frames per call of the network
CLOSE = 0.05  # an opening this close to the truth counts as right, for the confidence
SMALLEST = 7.0  # px of the picture, a smaller unit shows no gaze
DROOPING = 0.12  # opening under which too little of the iris shows
UNSURE = 0.16  # expected error of the gaze (of a unit vector's x or y) over which it is refused
UNLIKE = 0.05  # usual difference of the openings of a person's eyes; winks are rare
_ORDERED = torch.from_numpy(MIRROR)

Network = Callable[[Tensor, Tensor], Tensor]


class Eyes(NamedTuple):
    """Eyes of T frames; axis 1 of the first and last: the subject's right eye (points 36..41), then the left one.

    ``opening`` (T, 2) float32, >= 0. ``gaze`` (T, 2) float32, rad: yaw (positive to the picture's right) and pitch
    (positive looks down) of both eyes together, relative to the line from the face to the camera; nan where neither eye
    shows it. ``confidence`` (T, 2) float32, probability that the opening lies within :data:`CLOSE` of the truth.
    """

    opening: NDArray[np.float32]
    gaze: NDArray[np.float32]
    confidence: NDArray[np.float32]


class Windows(NamedTuple):
    """Where the patches lie: ``axes`` (B, 2, 2), columns to the patch's right and down, px per unit; ``centre`` (B, 2)
    px; ``places`` (B, 16), corners, nose and the other eye in units from the centre along the axes. The lids' points
    are left out: a network that sees them believes them."""

    axes: Tensor
    centre: Tensor
    places: Tensor


def opening(lids: Tensor) -> Tensor:
    """Return the opening (...,) of eyes, differentiable.

    Args:
        lids: (..., 6, 2), points 36..41 or 42..47 in any units, x right, y down.
    """
    along = lids[..., 3, :] - lids[..., 0, :]
    gap = (lids[..., 5, :] + lids[..., 4, :] - lids[..., 1, :] - lids[..., 2, :]) / 2
    return (along[..., 0] * gap[..., 1] - along[..., 1] * gap[..., 0]) / (along**2).sum(-1).clamp_min(1e-12)


class Lids:
    """The opening of a head's eyes, from the few vertices that carry points 36..47.

    ``vertices`` (K,) int64: their numbers, ascending.

    Args:
        head: any head with the 68 points.
    """

    def __init__(self, head: HeadData) -> None:
        corners = np.asarray(head.faces)[np.asarray(head.static_faces[19:31])]
        weights = np.asarray(head.static_bary[19:31], np.float32)
        self.vertices = np.unique(corners[weights > 0]).astype(np.int64)
        self.weights = torch.zeros(12, len(self.vertices))
        for point, (row, shares) in enumerate(zip(corners, weights, strict=True)):
            for vertex, share in zip(row, shares, strict=True):
                if share > 0:
                    self.weights[point, int(np.searchsorted(self.vertices, vertex))] += float(share)

    def __call__(self, projected: Tensor) -> Tensor:
        """Return the opening (..., 2) of the right and the left eye, below 0 where the lids overlap.

        Args:
            projected: (..., K, 2) the head's :attr:`vertices` in the picture, x right, y down.
        """
        lids = self.weights.to(projected) @ projected
        return opening(lids.unflatten(-2, (2, 6)))


def eye_joints(gaze: NDArray[np.floating], rotations: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the axis-angle (T, 6) of both eyes' joints, rad, as :class:`tvface.head.model.HeadModel` takes them.

    Args:
        gaze: (T, 2) of :class:`Eyes`; nan stays nan.
        rotations: (T, 3, 3) of the head, root times neck, relative to the line of sight (as fitted with an orthographic
            camera): x right, y up, z to the camera.
    """
    yaw, pitch = np.asarray(gaze, np.float64).T
    seen = np.stack([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)], 1)
    x, y, z = np.einsum("txh,tx->ht", rotations, seen)
    angle = np.arctan2(np.hypot(x, y), z) / np.maximum(np.hypot(x, y), 1e-9)
    joint = np.stack([-y * angle, x * angle, 0 * angle], 1)
    return np.concatenate([joint, joint], 1).astype(np.float32)


def windows(points: Tensor) -> Windows:
    """Return the windows of right eyes.

    Args:
        points: (B, 68, 2) px, of faces whose right eye is wanted (for left ones: mirrored).
    """
    eye, other, nose = points[:, 36:42], points[:, 42:48], points[:, [27, 28, 29, 30, 33]]
    wide = torch.stack([eye[:, 3] - eye[:, 0], other[:, 3] - other[:, 0]], 1)
    right = F.normalize(wide.sum(1), dim=-1)
    down = torch.stack([-right[:, 1], right[:, 0]], -1)
    # The width of the nearer eye; the height of the nose stands in where both are seen from the side.
    middle = points[:, [36, 39, 42, 45]].mean(1)
    nose_height = ((points[:, 33] - middle) * down).sum(-1)
    unit = torch.maximum(wide.norm(dim=-1).amax(1), 0.5 * nose_height).clamp_min(1e-3)
    axes = torch.stack([right, down], -1) * unit[:, None, None]
    centre = (eye[:, 0] + eye[:, 3]) / 2
    away = torch.cat([eye[:, [0, 3]], nose, other[:, [0, 3]].mean(1, keepdim=True)], 1) - centre[:, None]
    places = (away @ axes) / unit[:, None, None] ** 2
    return Windows(axes, centre, places.flatten(1))


def mirrored(points: Tensor, width: int) -> Tensor:
    """Return points (B, 68, 2) of pictures of a ``width`` in the mirrored pictures."""
    turned = points[:, _ORDERED]
    return torch.stack([width - 1 - turned[..., 0], turned[..., 1]], -1)


def patches(images: Tensor, place: Windows) -> Tensor:
    """Cut the windows.

    Args:
        images: (B, 3, H, W) in [0, 1].
        place: of the windows.

    Returns:
        (B, 3, 24, 40), of 2 x 2 samples per pixel; beyond the picture its edge goes on.
    """
    height, width = images.shape[-2:]
    rows, columns = (2 * length for length in SIZE)
    half = SPAN / 2
    x = (torch.arange(columns) + 0.5) / columns * 2 * half - half
    y = ((torch.arange(rows) + 0.5) / rows * 2 * half - half) * rows / columns
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    where = place.centre[:, None, None] + torch.einsum("bxk,hwk->bhwx", place.axes, grid)
    where = (2 * where + 1) / where.new_tensor([width, height]) - 1
    cut = F.grid_sample(images, where, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(cut, 2)


@torch.inference_mode()
def look(images: NDArray[np.uint8], points: NDArray[np.floating], network: Network) -> Eyes:
    """Read the eyes of the frames of a track.

    Args:
        images: (T, S, S, 3) uint8 RGB.
        points: (T, 68, 2) px of the pictures, centres at integers.
        network: :class:`tvface.networks.eyes.CompactEyes` in evaluation mode.
    """
    parts = [
        _read(images[start : start + BATCH], points[start : start + BATCH], network)
        for start in range(0, len(images), BATCH)
    ]
    if not parts:
        nothing = np.zeros((0, 2), np.float32)
        return Eyes(nothing, nothing, nothing)
    return Eyes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _read(images: NDArray[np.uint8], points: NDArray[np.floating], network: Network) -> Eyes:
    pictures = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    found = torch.as_tensor(np.asarray(points, np.float32))
    sides = [(pictures, found), (pictures.flip(-1), mirrored(found, pictures.shape[-1]))]
    openings, errors, looks, weights = [], [], [], []
    for sign, (picture, place) in zip((1.0, -1.0), sides, strict=True):
        window = windows(place)
        read = network(patches(picture, window), window.places)
        unit = window.axes.norm(dim=1).amax(-1)
        error, blur = read[:, 3].exp(), read[:, 4].exp()
        shown = (read[:, 0] > DROOPING) & (blur < UNSURE) & (unit > SMALLEST)
        turned = torch.einsum("bxk,bk->bx", window.axes / unit[:, None, None], read[:, 1:3])
        looks.append(turned * turned.new_tensor([sign, 1.0]))
        weights.append(torch.where(shown, blur**-2, 0.0))
        openings.append(read[:, 0])
        errors.append(error)
    weight = torch.stack(weights, 1)[..., None]
    # Both eyes look at one point, and on television it is far away: their directions are equal.
    across = (weight * torch.stack(looks, 1)).sum(1) / weight.sum(1)
    across = across / across.norm(dim=-1, keepdim=True).clamp_min(0.98) * 0.98
    towards = (1 - (across**2).sum(-1)).sqrt()
    yaw, pitch = torch.atan2(across[:, 0], towards), torch.asin(across[:, 1])
    opened, error = _together(torch.stack(openings, 1), torch.stack(errors, 1))
    columns = (opened.clamp_min(0), torch.stack([yaw, pitch], 1), 1 - (-CLOSE / error).exp())
    return Eyes(*(column.numpy().astype(np.float32) for column in columns))


def _together(opened: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """Return openings (B, 2) and their expected errors, each eye informed by the other one.

    The best estimate for two numbers that are read with these errors and differ by :data:`UNLIKE` usually.
    """
    other, far = opened.flip(1), error.flip(1) ** 2 + UNLIKE**2
    share = error**2 / (error**2 + far)
    return opened + share * (other - opened), (error**2 * far / (error**2 + far)).sqrt()
