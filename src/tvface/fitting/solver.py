"""L-BFGS over all frames of a person: one shape, and pose, jaw, expression and camera of every frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tvface.fitting.codes import FittedCodes
from tvface.fitting.energy import Energy, Unknowns
from tvface.fitting.eyes import Lids
from tvface.fitting.observed import Observed
from tvface.fitting.shape_guess import ShapeGuess
from tvface.fitting.start import place
from tvface.head.model import HeadModel
from tvface.settings.fit import Fit

# Steps of about one unit of the solver's variables are alike in the picture.
_ROTATION, _JAW, _SCALE, _SHIFT = 0.1, 0.1, 0.1, 0.01
_HISTORY = 20


def solve(
    head: HeadModel,
    observed: Observed,
    settings: Fit,
    names: Sequence[str] = (),
    *,
    shape: NDArray[np.float32] | None = None,
    start: FittedCodes | None = None,
    lids: Lids | None = None,
    guess: ShapeGuess | None = None,
) -> FittedCodes:
    """Fit the codes to observed frames.

    Source: the energy of :mod:`tvface.fitting.energy`; Liu and Nocedal, "On the limited memory BFGS method for large
    scale optimization" (1989), with strong Wolfe line search, all frames at once.

    Args:
        head: restricted to the points.
        observed: T >= 1 frames.
        settings: weights, deviations and steps.
        names: of the expression columns if these are face units, else none.
        shape: (S,) identity code to keep; none: it is fitted too.
        lids, guess: see :class:`tvface.fitting.energy.Energy`.
        start: codes to start from (of a network); none: the guess or the mean head (or ``shape``), placed rigidly.
    """
    count = len(observed)
    if start is None:
        rest = (guess or ShapeGuess.of_mean_head(head.n_shape)).mean if shape is None else shape
        rigid = place(head, observed.points, observed.confidence, rest)
        start = FittedCodes(
            rest,
            np.zeros((count, head.n_expression), np.float32),
            rigid.rotation.astype(np.float32),
            np.zeros((count, 3), np.float32),
            rigid.scale.astype(np.float32),
            rigid.shift.astype(np.float32),
        )
    origin = Unknowns(*(torch.from_numpy(np.array(getattr(start, name))) for name in Unknowns._fields))
    if shape is not None:
        origin = origin._replace(shape=torch.from_numpy(np.array(shape)))
    energy = Energy(head, observed, settings, names, shape is not None, lids, guess)
    steps = torch.zeros(sum(_sizes(origin, shape is not None)), requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [steps], max_iter=settings.steps, history_size=_HISTORY, line_search_fn="strong_wolfe", tolerance_change=1e-7
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = energy(_moved(origin, steps, shape is not None))
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        best = _moved(origin, steps, shape is not None)
    return FittedCodes(**{name: tensor.numpy() for name, tensor in best._asdict().items()})


def _sizes(origin: Unknowns, fixed_shape: bool) -> list[int]:
    return [0 if fixed_shape else origin.shape.numel(), *(tensor.numel() for tensor in origin[1:])]


def _moved(origin: Unknowns, steps: Tensor, fixed_shape: bool) -> Unknowns:
    shape, expression, rotation, jaw, scale, shift = (
        part.reshape(tensor.shape) if part.numel() else torch.zeros_like(tensor)
        for part, tensor in zip(steps.split(_sizes(origin, fixed_shape)), origin, strict=True)
    )
    # The more frames decide the shape, the steeper the energy is in it.
    steepness = (1 + len(expression) / 3) ** 0.5
    return Unknowns(
        origin.shape + shape / steepness,
        origin.expression + expression,
        origin.rotation + _ROTATION * rotation,
        origin.jaw + _JAW * jaw,
        origin.scale * torch.exp(_SCALE * scale),
        origin.shift + _SHIFT * shift,
    )
