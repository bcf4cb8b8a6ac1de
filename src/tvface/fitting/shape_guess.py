"""What pictures say about a person's bone beside the points: a guess of the identity code, and how sure it is.

Sex, age and origin show in skin, hair and texture, and they go with the bone; the shading of cheeks and chin shows what
no point marks. A small network guesses the code from each aligned face; the fit takes the mean over a person's frames
as the centre of its prior instead of the mean head.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.conventions.similarity import similarity
from tvface.media.images import Image, warp_crop
from tvface.networks.compact import CompactShape

SIZE = 96  # px, side of an aligned face
# Where the centres of the eyes, the tip of the nose and the corners of the mouth lie in it, px.
TEMPLATE: NDArray[np.float64] = np.array([(34.5, 42.6), (60.9, 42.6), (47.7, 57.6), (36.9, 71.4), (58.5, 71.4)])
BATCH = 64


class ShapeGuess(NamedTuple):
    """``mean`` (S,) identity code, and ``spread`` (S,), the standard deviation of the true one about it."""

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def of_mean_head(cls, n_shape: int) -> ShapeGuess:
        """Return what is known of anybody: the mean head."""
        return cls(np.zeros(n_shape, np.float32), np.ones(n_shape, np.float32))


def five(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the five points (5, 2) of the template from the 68."""
    points = np.asarray(points, np.float64)
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


def aligned(image: Image, points: NDArray[np.floating]) -> Image:
    """Return the face (SIZE, SIZE, 3) uint8 of a picture with points (68, 2) in its pixels; black outside."""
    return warp_crop(image, similarity(five(points), TEMPLATE), SIZE)


@torch.inference_mode()
def look(images: NDArray[np.uint8], points: NDArray[np.floating], network: CompactShape) -> NDArray[np.float32]:
    """Return the guesses (T, S) of T pictures.

    Args:
        images: (T, H, W, 3) RGB.
        points: (T, 68, 2) in their pixels.
        network: in evaluation mode.
    """
    parts = [np.zeros((0, len(network.spread)), np.float32)]
    for start in range(0, len(images), BATCH):
        pairs = zip(images[start : start + BATCH], points[start : start + BATCH], strict=True)
        faces = np.stack([aligned(image, found) for image, found in pairs])
        parts.append(network(torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255).numpy())
    return np.concatenate(parts)


def pooled(
    guesses: NDArray[np.floating], weights: NDArray[np.floating], network: CompactShape, n_shape: int
) -> ShapeGuess:
    """Return what all frames of a person say together.

    Args:
        guesses: (T, S) of :func:`look`.
        weights: (T,) >= 0, trust in each frame; if all are 0, the mean head comes out.
        network: whose spread counts.
        n_shape: codes of the fit, at most S.
    """
    total = float(np.sum(weights))
    if total <= 0:
        return ShapeGuess.of_mean_head(n_shape)
    mean = np.einsum("t,ts->s", np.asarray(weights, np.float64) / total, guesses)
    return ShapeGuess(mean[:n_shape].astype(np.float32), network.spread.numpy()[:n_shape].copy())
