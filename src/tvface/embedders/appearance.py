"""An identity embedding without a network or weights: skin and hair colour, shading and edges of an aligned face.

It distinguishes the few people of one show under similar light. It is not a face recogniser: it does not recognise a
person across shows or years. Measured on 290 MTCNN faces of 12 people in seven real clips that are not part of tvface
(all pairs; same person across time against other people): ROC area 0.987, equal error rate 6.0 %, 87 % of the
same-person pairs accepted at 1 % false accepts; means of 6-face tracks: ROC area 0.998; two people side by side in one
interview: 1.000. The rim of the crop shows surroundings, which help inside a shot and flatter these numbers: cropped to
the inner face the areas are 0.961, 0.991 and 0.984. A person before another background may count as another person;
``inception_resnet`` handles that case.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tvface.embedders.base import Embedder, unit
from tvface.media.images import Image
from tvface.settings.data import Faces

_COLOUR_GRID, _SHADE_GRID, _EDGE_GRID, _EDGE_CELL, _BINS = 4, 8, 6, 8, 8
_COLOUR_WEIGHT, _SHADE_WEIGHT = 1.4, 0.4  # relative to the edges; tuned on the clips named above
_EDGE_REGION = (slice(20, 150), slice(20, 140))  # face without most of the surroundings


class Backend(Embedder):
    """Hand-made appearance vector of an aligned crop."""

    dimension = 2 * _COLOUR_GRID**2 + _SHADE_GRID**2 + _BINS * _EDGE_GRID**2
    # Percentiles of the measurement above: neighbours in time 99 % under 0.89; tracks of one person 90 % under 0.61 and
    # of two people 99 % over 0.68; faces of one person 99 % under 0.99.
    track_distance = 0.90
    # Across scenes people differ less than backgrounds do: on the embedded show 0.65 merged 5 pairs of tracks of two
    # people and joined 15 of the 67 correct pairs; 0.5 merged 1. Splitting a person does less harm than merging two.
    person_distance = 0.5
    pair_distance = 1.0
    crop = "aligned"

    def __init__(self, settings: Faces, device: torch.device) -> None:
        self.weights: dict[str, str] = {}

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :meth:`Embedder.embed`."""
        rows = [_vector(crop) for crop in crops]
        return unit(np.stack(rows)) if rows else np.zeros((0, self.dimension), np.float32)


def _vector(crop: Image) -> NDArray[np.float32]:
    colour, shade, edges = _colour(crop), _shade(crop), _edges(crop)
    # Weak colour, as in black-and-white footage, must stay weak instead of being amplified to a unit vector of noise.
    colour = colour / max(float(np.linalg.norm(colour)), 1.0)
    return np.concatenate([_COLOUR_WEIGHT * colour, _SHADE_WEIGHT * unit(shade), unit(edges - edges.mean())])


def _colour(crop: Image) -> NDArray[np.float32]:
    """Return log ratios of the channels on a coarse grid, which do not depend on the brightness of the light."""
    smooth = cv2.GaussianBlur(crop.astype(np.float32), (0, 0), 6)
    cells = cv2.resize(smooth, (_COLOUR_GRID, _COLOUR_GRID), interpolation=cv2.INTER_AREA) + 12
    ratios = np.log(cells[..., [0, 2]] / cells[..., [1]])
    return np.asarray(ratios.ravel(), np.float32)


def _shade(crop: Image) -> NDArray[np.float32]:
    """Return the coarse luma, normalised for brightness and contrast."""
    smooth = cv2.GaussianBlur(_root_luma(crop), (0, 0), 5)
    cells = cv2.resize(smooth, (_SHADE_GRID, _SHADE_GRID), interpolation=cv2.INTER_AREA)
    return np.asarray((cells - cells.mean()) / (cells.std() + 0.5), np.float32).ravel()


def _edges(crop: Image) -> NDArray[np.float32]:
    """Return histograms of gradient directions per cell (HOG, Dalal and Triggs 2005), soft in place and direction."""
    side = _EDGE_GRID * _EDGE_CELL
    luma = cv2.resize(_root_luma(np.ascontiguousarray(crop[_EDGE_REGION])), (side, side), interpolation=cv2.INTER_AREA)
    luma = cv2.GaussianBlur(luma, (0, 0), 1.0)
    gx, gy = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    strength = np.hypot(gx, gy)
    direction = (np.arctan2(gy, gx) % (2 * np.pi)) / (2 * np.pi) * _BINS
    lower = np.floor(direction).astype(np.int64)
    share = (direction - lower).astype(np.float32)
    votes = np.zeros((side, side, _BINS), np.float32)
    rows, columns = np.indices((side, side))
    votes[rows, columns, lower % _BINS] += strength * (1 - share)
    votes[rows, columns, (lower + 1) % _BINS] += strength * share
    cells = cv2.resize(
        cv2.GaussianBlur(votes, (0, 0), _EDGE_CELL / 2), (_EDGE_GRID, _EDGE_GRID), interpolation=cv2.INTER_AREA
    )
    floor = 0.2 * np.linalg.norm(cells) / np.sqrt(_EDGE_GRID**2) + 1e-6  # flat cells stay weak
    return np.asarray(cells / (np.linalg.norm(cells, axis=-1, keepdims=True) + floor), np.float32).ravel()


def _root_luma(crop: Image) -> NDArray[np.float32]:
    return np.sqrt(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32))
