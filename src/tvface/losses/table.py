"""The table of losses: a row per term names its function, inputs and phases. This module imports nothing heavy.

The workflow reads names, phases and networks here and does not need torch for it, so a row gives its function as text.
The digest of a stage's code (:mod:`tvface.dag.code`) follows this text as it follows imports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, Literal

_COARSE = ("pretrain", "coarse")
_DETAIL = ("detail",)


@dataclass(frozen=True)
class Term:
    """One term of the loss of a phase.

    ``name`` names its weight in the settings of its ``phases`` (``loss_weights``), and its rows in the curve.
    ``function`` is ``module:function``; it returns a scalar, its mean or its sum over the batch (``reduction``), of the
    inputs that ``takes`` names in the order of its arguments: attributes of
    :class:`tvface.training.loss_inputs.CoarseInputs` or, in the detail phase, of
    :class:`~tvface.training.loss_inputs.DetailInputs`. ``network`` is the asset of the registry whose features these
    inputs are. ``times`` is another term whose weight also multiplies this one.
    """

    name: str
    function: str
    takes: tuple[str, ...]
    phases: tuple[str, ...]
    reduction: Literal["mean", "sum"] = "mean"
    network: str | None = None
    times: str | None = None

    def load(self) -> Callable[..., Any]:
        """Import the function and return it."""
        function: Callable[..., Any] = resolve_name(self.function)
        return function


# A phase computes and adds up its terms in this order. Means and sums are the same as in DECA's ``trainer.py``.
TERMS = (
    Term(
        "landmark",
        "tvface.losses.landmark:landmark_loss",
        ("geometry.landmarks2d", "target_landmarks"),
        _COARSE,
    ),
    Term(
        "eye",
        "tvface.losses.eye:eye_loss",
        ("geometry.landmarks2d", "target_landmarks"),
        _COARSE,
    ),
    Term(
        "lip",
        "tvface.losses.lip:lip_loss",
        ("geometry.landmarks2d", "target_landmarks"),
        _COARSE,
    ),
    Term(
        "photometric",
        "tvface.losses.photometric:photometric_loss",
        ("picture", "photo", "compared"),
        _COARSE,
    ),
    Term(
        "identity",
        "tvface.losses.identity:identity_loss",
        ("face_features", "target_features"),
        _COARSE,
        network="vggface2",
    ),
    Term(
        "shape",
        "tvface.losses.regularisation:code_energy",
        ("codes.shape",),
        _COARSE,
        reduction="sum",
    ),
    Term(
        "expression",
        "tvface.losses.regularisation:code_energy",
        ("codes.expression",),
        _COARSE,
        reduction="sum",
    ),
    Term(
        "texture",
        "tvface.losses.regularisation:code_energy",
        ("codes.texture",),
        _COARSE,
        reduction="sum",
    ),
    Term(
        "light",
        "tvface.losses.regularisation:light_loss",
        ("codes.light",),
        _COARSE,
    ),
    Term(
        "photometric_detail",
        "tvface.losses.detail_photometric:detail_photometric_loss",
        ("texture", "target_texture", "seen"),
        _DETAIL,
    ),
    # DECA weighs this term with the photometric weight as well (2 x 0.05).
    Term(
        "mrf",
        "tvface.losses.mrf:mrf_loss",
        ("texture_maps", "target_maps"),
        _DETAIL,
        reduction="sum",
        network="vgg19",
        times="photometric_detail",
    ),
    Term(
        "symmetry",
        "tvface.losses.symmetry:symmetry_loss",
        ("detail.displacement", "visible"),
        _DETAIL,
        reduction="sum",
    ),
    Term(
        "displacement",
        "tvface.losses.displacement:displacement_loss",
        ("detail.displacement",),
        _DETAIL,
    ),
    Term(
        "smoothness",
        "tvface.losses.smoothness:smoothness_loss",
        ("detail.shading",),
        _DETAIL,
    ),
)


def terms_of(phase: str) -> tuple[Term, ...]:
    """Return the terms that the loss of a phase may have."""
    return tuple(term for term in TERMS if phase in term.phases)
