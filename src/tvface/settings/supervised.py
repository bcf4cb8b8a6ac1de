"""Settings of training on synthetic shots."""

from __future__ import annotations

from dataclasses import dataclass

from tvface.settings.base import block, option


@dataclass(frozen=True)
class Terms:
    """Weights of what is compared with truth."""

    landmark: float = option(1.0, "2D points, weighted as in DECA", low=0)
    eye: float = option(1.0, "eye closure", low=0)
    lip: float = option(0.5, "lip distance", low=0)
    posed: float = option(30.0, "posed vertices about their mean, in true size, mean |difference| in m", low=0)
    neutral: float = option(120.0, "vertices of the resting face, likewise", low=0)
    size: float = option(0.5, "log of the resting face's size, mean |difference|", low=0)
    units: float = option(1.0, "expression codes, mean square", low=0)
    skin: float = option(1.0, "mean colour of the skin, mean |difference|", low=0)
    colour: float = option(1.0, "lit albedo and picture at the true head's vertices, mean |difference|", low=0)
    albedo: float = option(1e-3, "albedo codes, mean square", low=0)


@dataclass(frozen=True)
class Supervised:
    """Training of an encoder on synthetic shots."""

    steps: int = option(8000, "optimizer steps", low=1)
    lengths: tuple[int, ...] = option(
        (1, 1, 3, 5, 5), "frames per window; one of them is drawn for each step: short windows show more people", low=1
    )
    budget: int = option(40, "frames per step", low=1)
    learning_rate: float = option(8e-4, "Adam, at its peak", low=0)
    loss_weights: Terms = block(Terms)
