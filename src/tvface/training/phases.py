"""The three training phases: what is trained, what is fixed, and the terms of the loss (DECA's ``trainer.py``).

``pretrain`` and ``coarse`` train the coarse encoder with the same terms and other weights; ``detail`` trains the detail
encoder and decoder while the coarse encoder is fixed. A term of weight 0 is not computed. Shape and detail consistency
are no terms: they come from permuting codes within a sequence.
"""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from tvface.assets import registry as assets
from tvface.conventions.loss_terms import NETWORKS, TERMS
from tvface.losses.detail_photometric import detail_photometric_loss, face_window
from tvface.losses.displacement import displacement_loss
from tvface.losses.eye import eye_loss
from tvface.losses.identity import identity_loss
from tvface.losses.landmark import landmark_loss
from tvface.losses.lip import lip_loss
from tvface.losses.mrf import mrf_loss
from tvface.losses.photometric import photometric_loss
from tvface.losses.regularisation import code_energy, light_loss
from tvface.losses.smoothness import smoothness_loss
from tvface.losses.symmetry import symmetry_loss
from tvface.model.face_model import Codes, FaceModel
from tvface.model.window import Window
from tvface.networks.loading import load_vgg19, load_vggface2
from tvface.networks.vgg19 import EARLY_LAYERS, NAMED_LAYERS, Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.rendering.renderer import Rendering, sample
from tvface.rendering.shading import sh_shading, vertex_normals
from tvface.runtime.device import moved, single_precision
from tvface.runtime.logging import logger
from tvface.settings.model import Original, Phase, Weights
from tvface.training.loop import Task

_SUMMED = ("shape", "expression", "texture", "mrf", "symmetry")
"""Terms that are a sum over the batch; the others are means (as in DECA's ``trainer.py``)."""


@dataclass(frozen=True)
class PhaseParts:
    """What a phase trains (submodules of :class:`FaceModel`) and which terms its loss may have."""

    trained: tuple[str, ...]
    terms: tuple[str, ...]


PHASES = {
    "pretrain": PhaseParts(("coarse_encoder",), TERMS["pretrain"]),
    "coarse": PhaseParts(("coarse_encoder",), TERMS["coarse"]),
    "detail": PhaseParts(("detail_encoder", "detail_decoder"), TERMS["detail"]),
}


@dataclass(frozen=True)
class LossNetworks:
    """Frozen networks of the identity and the ID-MRF term; None where the term has no weight."""

    identity: VggFace2 | None = None
    mrf: Vgg19 | None = None
    digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, weights: Weights, phase: str, device: torch.device, original: Original | None = None) -> LossNetworks:
        """Load the networks which the phase's weights ask for.

        Raises:
            MissingAsset: a term has a weight above 0 and its network's file is absent; the message says where to get
                it. Setting the term's weight to 0 switches it off.
        """
        identity: VggFace2 | None = None
        mrf: Vgg19 | None = None
        digests: dict[str, str] = {}
        terms = PHASES[phase].terms
        if "identity" in terms and weights.identity > 0:
            files = assets.located(NETWORKS["identity"])
            digests |= assets.digests(files)
            identity = VggFace2()
            load_vggface2(identity, files[0][1])
            identity.to(device).eval()
        if "mrf" in terms and weights.mrf > 0:
            files = assets.located(NETWORKS["mrf"])
            digests |= assets.digests(files)
            mrf = Vgg19(EARLY_LAYERS if (original or Original()).early_mrf_layers else NAMED_LAYERS)
            load_vgg19(mrf, files[0][1])
            mrf.to(device).eval()
        return cls(identity, mrf, digests)


def permutations(names: tuple[str, ...], frames: int, step: int, seed: int) -> torch.Tensor:
    """Return (len(names) * frames,) indices that permute the frames inside each window.

    The permutation depends on seed, step and the window's name, so it is the same whichever process holds the window.
    It may be the identity, as in DECA.
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
        networks: LossNetworks,
        seed: int,
        *,
        processes: int = 1,
        keep_codes: bool = False,
        frozen_norm: bool = False,
    ) -> None:
        """Bind a model to a phase; parameters that the phase does not train stop requiring gradients.

        Args:
            processes: how many train together. Their gradients are averaged, so that of a term which is a sum over
                the batch is taken this many times: together they then do what one does with the whole batch.
            keep_codes: the windows of a name are always the same pixels (no augmentation), so the codes which the
                detail phase's fixed coarse encoder gives them are computed once.
            frozen_norm: the encoders' batch normalisations keep the statistics they have. Those of the detail decoder,
                which starts at random, are learnt.
        """
        super().__init__()
        self._processes = processes
        encoders = (model.coarse_encoder, model.detail_encoder) if frozen_norm else ()
        self._frozen = [
            part
            for encoder in encoders
            for part in encoder.modules()
            if isinstance(part, nn.modules.batchnorm._BatchNorm)
        ]
        self._codes: dict[str, torch.Tensor] | None = {} if keep_codes and phase == "detail" else None
        self.model, self.phase, self.settings, self.seed = model, phase, settings, seed
        self.original = model.spec.original
        # Not a submodule: frozen, neither saved nor synchronised.
        self._networks = (networks,)
        parts = PHASES[phase]
        values = {f.name: float(getattr(settings.weights, f.name)) for f in dataclasses.fields(settings.weights)}
        self.terms = {name: values[name] for name in parts.terms if values[name] > 0}
        self.off = tuple(name for name in parts.terms if values[name] == 0)
        idle = [name for name, value in values.items() if value > 0 and name not in parts.terms]
        if idle:
            logger("train").warning("train.%s.weights: %s have no effect in this phase", phase, ", ".join(idle))
        if not self.terms:
            raise ValueError(f"train.{phase}.weights: all are 0, there is nothing to train")
        self._trained = nn.ModuleList(model.get_submodule(name) for name in parts.trained)
        # One flow network serves both encoders, so it moves with the coarse one and stays in the detail phase.
        self._tuned = [] if model.flow is None or phase == "detail" else list(model.flow.parameters())
        model.requires_grad_(False)
        self._trained.requires_grad_(True)
        for parameter in self._tuned:
            parameter.requires_grad_(True)
        self.train()

    def train(self, mode: bool = True) -> PhaseTask:
        """Switch the trained parts; all others stay in evaluation, or their batch statistics would drift."""
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
            chosen = self.model.spec.temporal
            groups.append({"params": self._tuned, "rate": chosen.flow_rate, "wait": chosen.flow_wait})
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
            order = permutations(window.names, window.images.shape[1], step, self.seed)
            order = moved(order, window.images.device)
        elif step is not None and self.phase != "detail" and self.original.always_doubled:
            order = torch.arange(window.images.shape[0] * window.images.shape[1], device=window.images.device)
        if self.phase == "detail":
            codes = self._fixed_codes(window)
            terms = self._detail_terms(codes.replaced(detail=self.model.encode_detail(window)), window, order)
        else:
            terms = self._coarse_terms(self.model.encode_coarse(window), window, order)
        return {
            name: self.terms[name] * (self._processes if step is not None and name in _SUMMED else 1) * value
            for name, value in terms.items()
        }

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

    def _coarse_terms(self, codes: Codes, window: Window, order: torch.Tensor | None) -> dict[str, torch.Tensor]:
        landmarks = _twice(window.landmarks.flatten(0, 1), order)
        if order is not None:
            permuted = torch.cat([codes.shape, codes.shape[order]])
            codes = codes.doubled().replaced(shape=permuted)
        with single_precision(window.images.device):
            geometry = self.model.geometry(codes)
            points = geometry.landmarks2d
            terms: dict[str, torch.Tensor] = {}
            if "landmark" in self.terms:
                terms["landmark"] = landmark_loss(points, landmarks)
            if "eye" in self.terms:
                terms["eye"] = eye_loss(points, landmarks)
            if "lip" in self.terms:
                terms["lip"] = lip_loss(points, landmarks)
            if "photometric" in self.terms or "identity" in self.terms:
                terms.update(self._picture_terms(codes, self.model.render(codes, geometry), window, order))
            for name in ("shape", "expression", "texture"):
                if name in self.terms:
                    terms[name] = code_energy(getattr(codes, name))
            if "light" in self.terms:
                terms["light"] = light_loss(codes.light)
        return terms

    def _picture_terms(
        self, codes: Codes, rendering: Rendering, window: Window, order: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        pictures, masks = self._targets(window)
        images = _twice(pictures, order)
        terms = {}
        drawn = rendering.face_eye_mask * rendering.alpha
        if "photometric" in self.terms:
            # Shaded, as in the paper; DECA's HEAD compares unshaded albedo by accident (docs/deca_differences.md).
            unshaded = self.original.unshaded_photometric
            predicted = rendering.albedo_images * drawn if unshaded else rendering.images * rendering.face_eye_mask
            inside = _twice(masks, order) if self.settings.segmentation else drawn
            terms["photometric"] = photometric_loss(predicted, images, inside)
        if "identity" in self.terms:
            network = self._networks[0].identity
            if network is None:
                raise RuntimeError("the identity term has a weight but its network was not loaded")
            # Gradients reach the geometry only: albedo and light are constants, the sampling grid is not.
            albedo = sample(self.model.albedo(codes.texture).detach(), rendering.grid)
            face = albedo * sh_shading(rendering.normal_images, codes.light.detach())
            # Without alpha the background takes the face mask's value at the UV centre, which is 1.
            covered = rendering.face_eye_mask if self.original.constant_identity_background else drawn
            overlay = face * covered + images * (1 - covered)
            doubled = self.original.doubled_identity_input
            with torch.no_grad():  # of every picture once, also where the batch holds it twice
                wanted = _twice(network.features_of(pictures, doubled), order)
            terms["identity"] = identity_loss(network.features_of(overlay, doubled), wanted)
        return terms

    def _detail_terms(self, codes: Codes, window: Window, order: torch.Tensor | None) -> dict[str, torch.Tensor]:
        assert codes.detail is not None
        # Only the detail code is permuted: all else is computed once and taken twice.
        with torch.no_grad(), single_precision(window.images.device):
            geometry = self.model.geometry(codes)
            uv = self.model.renderer.uv
            images, masks = self._targets(window)
            target = uv.extract_texture(images, geometry.projected)
            facing = uv.self_visible(vertex_normals(geometry.projected, self.model.renderer.faces))
            visible = uv.extract_texture(masks, geometry.projected) * facing * uv.face_eye_mask
            target, once = face_window(target), face_window(visible)
            albedo, wanted, seen = (_twice(x, order) for x in (self.model.albedo(codes.texture), target, once))
            visible = _twice(visible, order)
        if order is not None:
            codes = codes.doubled().replaced(detail=torch.cat([codes.detail, codes.detail[order]]))
            geometry = geometry.doubled()
        detail = self.model.detail(codes, geometry)
        with single_precision(window.images.device):
            texture = face_window(albedo * detail.shading)
            terms: dict[str, torch.Tensor] = {}
            if "photometric_detail" in self.terms:
                terms["photometric_detail"] = detail_photometric_loss(texture, wanted, seen)
            if "mrf" in self.terms:
                network = self._networks[0].mrf
                if network is None:
                    raise RuntimeError("the ID-MRF term has a weight but its network was not loaded")
                # DECA weighs this term with the photometric weight as well (2 x 0.05).
                scale = self.settings.weights.photometric_detail
                with torch.no_grad():
                    first, second = (_twice(maps, order) for maps in network(target * once))
                terms["mrf"] = scale * mrf_loss(network(texture * seen), (first, second))
            if "symmetry" in self.terms:
                terms["symmetry"] = symmetry_loss(detail.displacement, visible)
            if "displacement" in self.terms:
                terms["displacement"] = displacement_loss(detail.displacement)
            if "smoothness" in self.terms:
                terms["smoothness"] = smoothness_loss(detail.shading)
        return terms

    def _targets(self, window: Window) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images and face masks at the renderer's size."""
        images, masks = (self.model.target_images(maps.flatten(0, 1)) for maps in (window.images, window.masks))
        return images, masks


def _twice(batch: torch.Tensor, order: torch.Tensor | None) -> torch.Tensor:
    """Return a batch twice in a row where codes are permuted, else as it is."""
    return batch if order is None else torch.cat([batch, batch])
