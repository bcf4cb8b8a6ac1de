"""What the fit minimises: distances to the found points, gaps of lips and lids, priors of shape, face and motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tvface.conventions.points68 import PARTS
from tvface.fitting.eyes import Lids
from tvface.fitting.observed import Observed, triples
from tvface.fitting.shape_guess import ShapeGuess
from tvface.head.model import HeadModel
from tvface.settings.fit import Fit

EYE_DISTANCE = 0.09  # metres between the outer corners of a person's eyes, the unit of all deviations in the picture
DELTA = 2.0  # deviations; a larger distance counts linearly (pseudo-Huber)
# Upper and lower points of the inner lips and of the lids: what a picture shows best is the gap between them.
GAPS = ((61, 67), (62, 66), (63, 65), (37, 41), (38, 40), (43, 47), (44, 46))
RIGHT_LIDS, LEFT_LIDS = [37, 38, 40, 41], [43, 44, 46, 47]
# Weights of the parts' points: in ALL frames of a person they lie off by some 2.7 (jaw), 2.8, 1.6, 1.3 and 1.5 % of the
# eye distance. Neutral error with these weights 2.08 mm, with equal ones 2.12.
PART_WEIGHTS = {"jaw": 1.0, "brows": 0.5, "nose": 1.5, "eyes": 2.2, "mouth": 1.8}
_RATE = 30.0  # frames per second at which Fit.smoothness is meant: slower footage may move more between frames
_BOUND = 5.0  # weight of the square of a face unit below 0 or above 1
_JAW_SD = (0.15, 0.03, 0.03)  # rad: opening, and the two ways to the side
_JAW_CLOSED_SD = 0.05  # rad, below the closed mouth
# Deviations of second differences per frame at the rate above.
_BEND = {"expression": 0.2, "lids": 1.5, "jaw": 0.03, "rotation": 0.02, "place": 0.01}


class Unknowns(NamedTuple):
    """One shape (S,) and T frames of expression (T,E), rotation and jaw (T,3), scale (T,) and shift (T,2)."""

    shape: Tensor
    expression: Tensor
    rotation: Tensor
    jaw: Tensor
    scale: Tensor
    shift: Tensor


class Guess(NamedTuple):
    """:class:`tvface.fitting.shape_guess.ShapeGuess` as tensors."""

    mean: Tensor
    spread: Tensor


class Energy:
    """The energy of unknowns for observed frames.

    Args:
        head: restricted to the points.
        observed: T frames.
        settings: weights and deviations.
        names: of the expression columns if these are face units (weights 0..1); none: unit normal columns of a PCA.
        fixed_shape: the shape is decided already: no prior of it is counted.
        lids: the opening of the head's eyes, whose vertices are the first ones of ``head``; none: the points' lids
            alone count.
        guess: centre and deviations of the prior of the shape; none: the mean head's.
    """

    def __init__(
        self,
        head: HeadModel,
        observed: Observed,
        settings: Fit,
        names: Sequence[str],
        fixed_shape: bool,
        lids: Lids | None = None,
        guess: ShapeGuess | None = None,
    ) -> None:
        self.guess = Guess(*map(torch.from_numpy, guess or ShapeGuess.of_mean_head(head.n_shape)))
        self.shape_prior = settings.shape_prior if guess is None else settings.guess
        self.head, self.settings, self.units, self.fixed_shape = head, settings, bool(names), fixed_shape
        self.points = torch.from_numpy(observed.points)
        self.weight = torch.from_numpy(observed.confidence).clamp(max=1).clone()
        upper, lower = zip(*GAPS, strict=True)
        self.upper, self.lower = torch.tensor(upper), torch.tensor(lower)
        self.gap_weight = torch.minimum(self.weight[:, self.upper], self.weight[:, self.lower])
        for part, weight in PART_WEIGHTS.items():
            self.weight[:, PARTS[part]] *= weight
        self.weight[:, PARTS["jaw"]] *= settings.contour
        self.lids = lids
        self.opening = torch.from_numpy(observed.opening)
        seen = torch.isfinite(self.opening) if lids is not None else torch.zeros(len(observed), 2, dtype=torch.bool)
        self.seen = seen.float()
        self.opening = torch.where(seen, self.opening, 0.0)
        for eye, (points, gaps) in enumerate(((RIGHT_LIDS, slice(3, 5)), (LEFT_LIDS, slice(5, 7)))):
            # Points show a third of a blink: where the picture was asked, they say where the lids are, not how open.
            self.weight[:, points] *= 1 - 0.8 * self.seen[:, eye, None]
            self.gap_weight[:, gaps] *= 1 - self.seen[:, eye, None]
        middle, rate = triples(observed)
        self.middle = torch.from_numpy(middle)
        self.rate = torch.from_numpy((rate / _RATE) ** 2).float()[:, None]
        closing = [name.startswith(("eyeBlink", "eyeWide", "eyeSquint")) for name in names]
        self.bend = torch.full((head.n_expression,), _BEND["expression"])
        self.bend[torch.tensor(np.flatnonzero(closing))] = _BEND["lids"]

    def __call__(self, unknowns: Unknowns) -> Tensor:
        """Return the energy, summed over the frames."""
        pose = torch.cat([unknowns.rotation, unknowns.jaw], 1)
        shape = unknowns.shape.expand(len(pose), -1)
        posed = self.head(shape, unknowns.expression, pose)
        points = unknowns.scale[:, None, None] * (posed.landmarks2d[..., :2] + unknowns.shift[:, None])
        total = self.data(points) + self.prior(unknowns) + self.motion(unknowns)
        return total if self.lids is None else total + self.eyes(posed.vertices, self.lids)

    def eyes(self, vertices: Tensor, lids: Lids) -> Tensor:
        """Return the part of the opening of the eyes of vertices (T,V,3)."""
        flat = vertices[:, : len(lids.vertices), :2] * vertices.new_tensor([1.0, -1.0])
        wider = (torch.relu(lids(flat)) - self.opening) / self.settings.lid_sd
        return (self.seen * pseudo_huber(wider[..., None])).sum()

    def data(self, points: Tensor) -> Tensor:
        """Return the part of the distances and gaps of points (T,68,2)."""
        apart = (points - self.points) / (self.settings.point_sd * EYE_DISTANCE)
        wider = (points[:, self.upper] - points[:, self.lower]) - (
            self.points[:, self.upper] - self.points[:, self.lower]
        )
        gaps = wider / (self.settings.gap_sd * EYE_DISTANCE)
        return (self.weight * pseudo_huber(apart)).sum() + (self.gap_weight * pseudo_huber(gaps)).sum()

    def prior(self, unknowns: Unknowns) -> Tensor:
        """Return the part of the priors of shape, expression and jaw."""
        expression, jaw = unknowns.expression, unknowns.jaw
        total = self.settings.expression_prior * expression.square().sum() / 2
        if not self.fixed_shape:
            # Times the frames: the points' errors are the same in every frame and do not average out.
            off = (unknowns.shape - self.guess.mean) / self.guess.spread
            total = total + self.shape_prior * len(expression) * off.square().sum() / 2
        if self.units:
            total = total + _BOUND * (torch.relu(-expression).square() + torch.relu(expression - 1).square()).sum()
        total = total + (jaw / jaw.new_tensor(_JAW_SD)).square().sum() / 2
        return total + (torch.relu(-jaw[:, 0]) / _JAW_CLOSED_SD).square().sum() / 2

    def motion(self, unknowns: Unknowns) -> Tensor:
        """Return the part of second differences over time."""
        place = torch.cat([unknowns.shift, unknowns.scale.log()[:, None] * EYE_DISTANCE], 1)
        total = place.new_zeros(())
        for values, deviation in (
            (unknowns.expression, self.bend),
            (unknowns.jaw, _BEND["jaw"]),
            (unknowns.rotation, _BEND["rotation"]),
            (place, _BEND["place"] * EYE_DISTANCE),
        ):
            bent = (values[self.middle - 1] - 2 * values[self.middle] + values[self.middle + 1]) / deviation
            total = total + (self.rate * bent.square()).sum()
        return self.settings.smoothness * total / 2


def pseudo_huber(apart: Tensor) -> Tensor:
    """Return the pseudo-Huber penalty of vectors (..., 2) in deviations: half the square near 0, then linear."""
    return DELTA**2 * ((1 + apart.square().sum(-1) / DELTA**2).sqrt() - 1)
