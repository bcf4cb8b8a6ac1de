"""The learning rate of a step: constant, as in DECA and the paper, or falling along a half cosine to zero.

The rate is a function of the step alone, so a resumed run needs no state for it.
"""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "cosine"]


def learning_rate(peak: float, step: int, steps: int, schedule: Schedule, warm_up: int = 0) -> float:
    """Return the rate of ``step`` (0 .. steps - 1).

    Args:
        peak: the rate of the first step.
        step: counted from 0.
        steps: length of the phase.
        warm_up: first steps, over which the rate rises in a line up to that of the schedule.
        schedule: "constant", or "cosine" (Loshchilov and Hutter 2017, equation 5, one cycle without restart).

    Raises:
        ValueError: no such schedule.
    """
    if step < warm_up:
        peak *= (step + 1) / (warm_up + 1)
    if schedule == "constant":
        return peak
    if schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * step / steps))
    raise ValueError(f"schedule {schedule!r}: valid are 'constant' and 'cosine'")
