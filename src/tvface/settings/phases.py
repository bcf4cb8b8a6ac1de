"""The models, the three phases of their training in order, and the settings of a phase.

The terms of the losses are those of the table (``losses/table.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from tvface.settings.base import block, option

MODELS = ("deca", "temporal", "residual")
PHASES = ("pretrain", "coarse", "detail")


@dataclass(frozen=True)
class Terms:
    """Weight of each term in the loss, as in DECA (its ``config.py``); 0 switches a term off."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}


@dataclass(frozen=True)
class CoarseTerms(Terms):
    """Landmarks, photometry, identity and regularisers; the detail terms come in the detail phase."""

    landmark: float = option(1.0, "weighted 2D landmarks", low=0)
    eye: float = option(1.0, "eye closure", low=0)
    lip: float = option(0.5, "lip distance", low=0)
    photometric: float = option(2.0, "masked photometric", low=0)
    identity: float = option(0.2, "VGGFace2 cosine; needs weights", low=0)
    shape: float = option(1e-4, "sum of squared shape codes / 2", low=0)
    expression: float = option(1e-4, "sum of squared expression codes / 2", low=0)
    texture: float = option(1e-4, "sum of squared albedo codes / 2", low=0)
    light: float = option(1.0, "pull of the light to white", low=0)


@dataclass(frozen=True)
class PretrainTerms(CoarseTerms):
    """Pretraining weighs landmarks, eyes, lips, shape and expression only."""

    photometric: float = option(0.0, "masked photometric", low=0)
    identity: float = option(0.0, "VGGFace2 cosine; needs weights", low=0)
    texture: float = option(0.0, "sum of squared albedo codes / 2", low=0)
    light: float = option(0.0, "pull of the light to white", low=0)


@dataclass(frozen=True)
class DetailTerms(Terms):
    """The detail phase has none of the coarse terms: the coarse encoder is fixed there."""

    photometric_detail: float = option(2.0, "photometric term in UV", low=0)
    mrf: float = option(5e-2, "ID-MRF on VGG19; needs weights", low=0)
    symmetry: float = option(5e-3, "soft symmetry of unseen displacement", low=0)
    displacement: float = option(5e-3, "mean |displacement|", low=0)
    smoothness: float = option(5e-3, "smoothness of detail shading", low=0)


def _elsewhere(kind: type[Terms], phases: str) -> Mapping[str, str]:
    return {field.name: f"a term of {phases}" for field in dataclasses.fields(kind)}


CoarseTerms.ELSEWHERE = _elsewhere(DetailTerms, "train.detail.loss_weights")
DetailTerms.ELSEWHERE = _elsewhere(CoarseTerms, "train.pretrain.loss_weights and train.coarse.loss_weights")


@dataclass(frozen=True)
class Phase:
    """One training phase."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {"weights": "called 'loss_weights' now"}

    epochs: int | None = option(None, "passes over the sequences; exclusive with steps", low=1)
    steps: int | None = option(200, "optimizer steps; exclusive with epochs", low=1)
    batch: int = option(2, "sequences per step", low=1)
    learning_rate: float = option(1e-4, "Adam", low=0)
    schedule: Literal["constant", "cosine"] = option(
        "constant", "learning rate over the phase: constant (DECA, paper) or falling to 0 along a half cosine"
    )
    warm_up: int = option(0, "steps over which the rate rises from 0", low=0)
    clip_norm: float | None = option(None, "largest norm of the gradient, a longer one is shortened; null: any", low=0)
    consistency: bool = option(True, "permute shape (coarse) or detail (detail) codes within a sequence")
    segmentation: bool = option(True, "photometric loss inside the face mask, else inside the rendered face")
    loss_weights: Terms = block(Terms)


@dataclass(frozen=True)
class PretrainPhase(Phase):
    """Landmarks and regularisers only (DECA's pretrain)."""

    consistency: bool = option(False, "permute codes within a sequence")
    segmentation: bool = option(False, "not used without a photometric loss")
    loss_weights: PretrainTerms = block(PretrainTerms)


@dataclass(frozen=True)
class CoarsePhase(Phase):
    """Landmarks and photometry of the coarse head."""

    loss_weights: CoarseTerms = block(CoarseTerms)


@dataclass(frozen=True)
class DetailPhase(Phase):
    """Detail encoder and decoder; the coarse encoder is fixed."""

    loss_weights: DetailTerms = block(DetailTerms)
