"""Settings of the stage ``fit``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvface.settings.base import option


@dataclass(frozen=True)
class Fit:
    """Codes of the head fitted to the points of each crop."""

    share: Literal["person", "track", "sequence"] = option(
        "person", "frames that share one shape and albedo; an episode's scenes of one person, one track, one sequence"
    )
    frames: int = option(100, "frames that decide the shape, spread over all of them", low=1)
    steps: int = option(100, "L-BFGS steps", low=1)
    point_sd: float = option(0.02, "deviation of a found point", unit="eye distances", low=1e-4)
    gap_sd: float = option(0.005, "deviation of the found gap between lips or lids", unit="eye distances", low=1e-4)
    lid_sd: float = option(
        0.04, "deviation of the opening of the eyes as the picture shows it", unit="eye widths", low=1e-4
    )
    contour: float = option(0.7, "weight of the jaw's points", low=0)
    shape_prior: float = option(0.3, "weight of the prior of the shape, times the number of frames", low=0)
    guess: float = option(
        2.0,
        "the same where the prior is centred on what a network guesses from the pictures (head.model: human); 0: no "
        "guess, the mean head and shape_prior",
        low=0,
    )
    expression_prior: float = option(1.0, "weight of the prior of the expression", low=0)
    smoothness: float = option(2.0, "weight of second differences over time at 30 frames/s", low=0)
    max_residual: float = option(
        6.0, "mean distance to the found points above which a frame counts as failed", unit="% eye distance", low=0
    )
    max_instability: float | None = option(
        0.05,
        "crops whose points move by more with their box (landmarks.check_shift) failed: the box may be wrong, which "
        "the residual does not show; null: not looked at",
        unit="box sides",
        low=0,
    )
    max_jump: float = option(0.1, "change of scale against the frames around above which a frame failed", low=0)
