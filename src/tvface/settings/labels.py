"""Settings of the label stages: landmarks and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvface.settings.base import option


@dataclass(frozen=True)
class Landmarks:
    """68 points per crop."""

    backend: str = option("compact", "registered landmarker: compact (bundled) or fan (2D-FAN, weights needed)")
    batch: int = option(16, "crops per network call", low=1)
    precision: Literal["float32", "bfloat16", "auto"] = option(
        "float32", "arithmetic of the network; auto: bfloat16 where the hardware has it, two to four times as fast"
    )
    flip: bool = option(True, "average with the mirrored crop")
    refine: int = option(2, "times the network runs again, on the box of its last points", low=0)
    decode: Literal["gaussian", "quarter", "integer"] = option(
        "gaussian", "fan's peaks: sub-cell, quarter cells, or the original's whole pixels"
    )
    context: float = option(1.8, "side of the searched region / side of the crop", low=1, high=3)
    check_shift: float | None = option(
        0.05,
        "shift of the box in a second pass that scores the stability of the points; null: no second pass",
        unit="box sides",
        low=0,
    )


@dataclass(frozen=True)
class Masks:
    """19-class parsing and the face mask."""

    backend: str = option("compact", "registered parser: compact (bundled) or bisenet (weights needed)")
    batch: int = option(16, "crops per network call", low=1)
    precision: Literal["float32", "bfloat16", "auto"] = option(
        "float32", "arithmetic of the network; auto: bfloat16 where the hardware has it, two to four times as fast"
    )
    classes: tuple[int, ...] = option(
        (1, 2, 3, 4, 5, 6, 10, 11, 12, 13), "classes of the face mask (zllrunning order); 6 is glasses", low=0, high=18
    )
    context: float = option(1.6, "side of the parsed region / side of the crop, mapped back afterwards", low=1, high=3)
