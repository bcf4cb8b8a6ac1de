"""The three training phases: what is trained, what is fixed, and the weighted terms of the loss.

``pretrain`` and ``coarse`` train the coarse encoder with the same terms and other weights; ``detail`` trains the detail
encoder and decoder while the coarse encoder is fixed. :mod:`tvface.losses.table` lists the terms; a term of weight 0 is
not computed. Shape and detail consistency are no terms: they come from permuting codes within a sequence (DECA's
``trainer.py``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tvface.losses.table import Term, terms_of
from tvface.model.face_model import Codes, FaceModel
from tvface.model.window import Window
from tvface.runtime.device import moved, single_precision
from tvface.settings.phases import Phase, Terms
from tvface.training.loss_inputs import CoarseInputs, DetailInputs, LossInputs
from tvface.training.loss_networks import LossNetworks
from tvface.training.task import Task


@dataclass(frozen=True)
class PhaseParts:
    """The submodules of :class:`FaceModel` that a phase trains, and the inputs of its terms."""

    trained: tuple[str, ...]
    inputs: type[LossInputs]


PHASES = {
    "pretrain": PhaseParts(("coarse_encoder",), CoarseInputs),
    "coarse": PhaseParts(("coarse_encoder",), CoarseInputs),
    "detail": PhaseParts(("detail_encoder", "detail_decoder"), DetailInputs),
}


@dataclass(frozen=True)
class WeightedTerm:
    """A row of the table of losses with its ``weight``; ``factor`` is the weight of the term ``row.times``, or None."""

    row: Term
    weight: float
    factor: float | None
    function: Callable[..., torch.Tensor]

    @classmethod
    def of(cls, row: Term, loss_weights: Terms) -> WeightedTerm:
        """Take the weights of a row from the settings of its phase."""
        factor = None if row.times is None else float(getattr(loss_weights, row.times))
        return cls(row, float(getattr(loss_weights, row.name)), factor, row.load())

    def value(self, inputs: LossInputs) -> torch.Tensor:
        """Return the term, shape (), times ``factor`` and without ``weight``."""
        value = self.function(*(attrgetter(name)(inputs) for name in self.row.takes))
        return value if self.factor is None else self.factor * value


@dataclass(frozen=True)
class Conditions:
    """Conditions of a training that its phase's settings do not hold.

    ``seed`` is the seed of the permutations. ``processes`` train together. Their gradients are averaged, so a term that
    is a sum over the batch is multiplied by this number: the result is that of one process with the whole batch.
    ``keep_codes``: the windows of a name are always the same pixels (no augmentation), so their codes from the fixed
    coarse encoder of the detail phase are computed once. ``frozen_norm``: the batch normalisations of the encoders keep
    their statistics. Those of the detail decoder, which starts at random, are learnt.
    """

    seed: int = 0
    processes: int = 1
    keep_codes: bool = False
    frozen_norm: bool = False


def permutations(names: tuple[str, ...], frames: int, step: int, seed: int) -> torch.Tensor:
    """Return (len(names) * frames,) indices that permute the frames inside each window.

    The permutation depends on seed, step and the window's name, and not on the process that holds the window. It may be
    the identity, as in DECA.
    """
    parts = []
    for row, name in enumerate(names):
        generator = np.random.default_rng((seed, 3, step, zlib.crc32(name.encode())))
        parts.append(row * frames + generator.permutation(frames))
    return torch.from_numpy(np.concatenate(parts))


class PhaseTask(Task):
    """One phase of one model, for the loop: ``forward`` returns the weighted terms of a window."""

    def __init__(
        self,
        model: FaceModel,
        phase: str,
        settings: Phase,
        networks: LossNetworks | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        """Bind a model to a phase; parameters that the phase does not train stop requiring gradients.

        Args:
            networks: networks that the terms need; None: no term needs one.
            conditions: see :class:`Conditions`; None: one process and seed 0.

        Raises:
            ValueError: no term has a weight.
        """
        super().__init__()
        self.model, self.phase, self.settings = model, phase, settings
        self.original = model.spec.original
        self._networks, self._conditions = networks or LossNetworks(), conditions or Conditions()
        weighted = [WeightedTerm.of(row, settings.loss_weights) for row in terms_of(phase)]
        self.terms = {term.row.name: term for term in weighted if term.weight > 0}
        self.off = tuple(term.row.name for term in weighted if term.weight == 0)
        if not self.terms:
            raise ValueError(f"train.{phase}.loss_weights: all are 0, there is nothing to train")
        keeps_codes = self._conditions.keep_codes and phase == "detail"
        self._codes: dict[str, torch.Tensor] | None = {} if keeps_codes else None
        encoders = (model.coarse_encoder, model.detail_encoder)
        self._frozen = _normalisations(*encoders) if self._conditions.frozen_norm else []
        self._choose_trained()
        self.train()

    def _choose_trained(self) -> None:
        model = self.model
        self._trained = nn.ModuleList(model.get_submodule(name) for name in PHASES[self.phase].trained)
        # One flow network serves both encoders, so it moves with the coarse one and stays in the detail phase.
        self._tuned = [] if model.flow is None or self.phase == "detail" else list(model.flow.parameters())
        model.requires_grad_(False)
        self._trained.requires_grad_(True)
        for parameter in self._tuned:
            parameter.requires_grad_(True)

    def train(self, mode: bool = True) -> PhaseTask:
        """Set the mode of the trained parts; all others stay in evaluation, or their batch statistics would drift."""
        super().train(False)
        self._trained.train(mode)
        for part in self._frozen:
            part.train(False)
        self.training = mode
        return self

    def trained(self) -> list[nn.Parameter]:
        """See :meth:`Task.trained`."""
        return [*self._trained.parameters(), *self._tuned]

    def groups(self) -> list[dict[str, Any]]:
        """See :meth:`Task.groups`: a tuned SPyNet moves later and more slowly, as in BasicVSR++."""
        groups: list[dict[str, Any]] = [{"params": list(self._trained.parameters()), "rate": 1.0, "wait": 0}]
        if self._tuned:
            over_time = self.model.spec.over_time
            assert over_time is not None
            groups.append({"params": self._tuned, "rate": over_time.flow_rate, "wait": over_time.flow_wait})
        return groups

    def weights(self) -> dict[str, torch.Tensor]:
        """See :meth:`Task.weights`."""
        return self.model.weights()

    def load_weights(self, state: dict[str, torch.Tensor]) -> None:
        """See :meth:`Task.load_weights`."""
        self.model.load_weights(state)

    def forward(self, window: Window, step: int | None) -> dict[str, torch.Tensor]:
        """Return the weighted terms. Codes are permuted in training steps only (``step`` not None)."""
        order = None
        if step is not None and self.settings.consistency:
            order = permutations(window.names, window.images.shape[1], step, self._conditions.seed)
            order = moved(order, window.images.device)
        elif step is not None and self.phase != "detail" and self.original.always_doubled:
            order = torch.arange(window.images.shape[0] * window.images.shape[1], device=window.images.device)
        inputs = PHASES[self.phase].inputs(
            self.model, self._networks, window, self._encode(window), order, self.settings.segmentation
        )
        with single_precision(window.images.device):
            values = {name: term.value(inputs) for name, term in self.terms.items()}
        return {name: self._factor(name, step is not None) * value for name, value in values.items()}

    @torch.no_grad()
    def picture(self, window: Window) -> NDArray[np.uint8]:
        """See :meth:`Task.picture`: the frames, the heads in grey (with detail, if that is trained) and as rendered."""
        codes = self._encode(window)
        model = self.model
        with single_precision(window.images.device):
            geometry = model.geometry(codes)
        normals = None if codes.detail is None else model.detail(codes, geometry).normals
        with single_precision(window.images.device):
            photo = model.target_images(window.images.flatten(0, 1))
            shape = model.renderer.render_shape(geometry.vertices, geometry.projected, normals, photo)
            drawn = model.render(codes, geometry)
        inside = drawn.alpha * drawn.face_eye_mask
        rows = (photo, shape, drawn.images * inside + photo * (1 - inside))
        tiles = [row.unflatten(0, window.images.shape[:2]).permute(0, 3, 1, 4, 2).flatten(2, 3) for row in rows]
        picture = torch.stack(tiles, 1).flatten(0, 2)
        return (255 * picture.clamp(0, 1) + 0.5).to(torch.uint8).cpu().numpy()

    def _factor(self, name: str, training: bool) -> float:
        term = self.terms[name]
        return term.weight * (self._conditions.processes if training and term.row.reduction == "sum" else 1)

    def _encode(self, window: Window) -> Codes:
        if self.phase == "detail":
            return self._fixed_codes(window).replaced(detail=self.model.encode_detail(window))
        return self.model.encode_coarse(window)

    @torch.no_grad()
    def _fixed_codes(self, window: Window) -> Codes:
        """Return the coarse codes, from memory if they are known for every window of the batch."""
        kept = self._codes
        if kept is None:
            return self.model.encode_coarse(window)
        if not all(name in kept for name in window.names):
            rows = self.model.encode_coarse(window).rows(len(window.names))
            kept.update(zip(window.names, rows, strict=True))
        return self.model.codes(torch.cat([kept[name] for name in window.names]))


def _normalisations(*networks: nn.Module) -> list[nn.Module]:
    batch_norm = nn.modules.batchnorm._BatchNorm
    return [part for network in networks for part in network.modules() if isinstance(part, batch_norm)]
