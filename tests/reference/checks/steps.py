"""One whole training step of each phase."""

from __future__ import annotations

import dataclasses
import json
import re
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest import mock

import torch

from tests.reference import fill
from tests.reference.arrays import filled
from tests.reference.checks.edges import undecided
from tests.reference.checks.head import albedo_arrays, head_data
from tests.reference.checks.rectifier import moved_by_open_units, recorded
from tests.reference.checks.rounding import Moved, Result, moved_sum, repeated
from tests.reference.checks.sheet import RELATIVE, Sheet, seed_of
from tests.reference.expressions import subscript
from tvface.model.face_model import Codes, FaceModel, ModelSpec
from tvface.model.window import Window
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.rendering.renderer import sample
from tvface.settings.model import Original
from tvface.settings.phases import CoarsePhase, DetailPhase, Phase, PretrainPhase
from tvface.training import phases
from tvface.training.loss_networks import LossNetworks

# Names of tvface's terms in the file.
NAMES = {
    "landmark": "landmark", "eye": "eye_distance", "lip": "lip_distance", "photometric": "photometric_texture",
    "identity": "identity", "shape": "shape_reg", "expression": "expression_reg", "texture": "tex_reg",
    "light": "light_reg", "photometric_detail": "photo_detail", "mrf": "photo_detail_mrf", "symmetry": "z_sym",
    "displacement": "z_reg", "smoothness": "z_diff",
}  # fmt: skip
# Weights in the file's notes under tvface's names.
WEIGHTS = {
    "landmark": "lmk", "eye": "eyed", "lip": "lipd", "photometric": "photo", "identity": "id", "shape": "reg_shape",
    "expression": "reg_exp", "texture": "reg_tex", "light": "reg_light", "photometric_detail": "photo_D", "mrf": "mrf",
    "symmetry": "reg_sym", "displacement": "reg_z", "smoothness": "reg_diff",
}  # fmt: skip
UNUSED_IN_PRETRAINING = ("photometric", "identity", "texture", "light")
PARTS = {"E_flame": "coarse_encoder", "E_detail": "detail_encoder", "D_detail": "detail_decoder"}
# Codes that the file stores, under tvface's names.
CODES = {"camera": "cam", "pose": "pose", "light": "light", "shape": "shape"}
COSINES = 4  # units in the last place that a mean of cosines near 1 may be off


class _FaceModel(FaceModel):
    """A model whose training step starts from the codes of the original's step.

    Codes differ from processor to processor in their last digits, which is a thousandth of a pixel in the pictures: a
    few pixels change their face there, more samples their texel, and gradients move by percents. The file holds most
    of the codes: from them on the step is compared as closely as float32 allows, and the encoder's own codes apart.
    """

    stored: dict[str, torch.Tensor]

    def encode_coarse(self, window: Window) -> Codes:
        """See :meth:`FaceModel.encode_coarse`; in training values as stored, with gradients to the encoder."""
        codes = super().encode_coarse(window)
        return self.original_codes(codes) if self.coarse_encoder.training else codes

    def original_codes(self, codes: Codes) -> Codes:
        """Return codes with the stored values, as far as there are any, and the gradients of the given ones."""
        own = {name: getattr(codes, name) for name in CODES}
        return codes.replaced(**{name: value + (self.stored[name] - value).detach() for name, value in own.items()})


class _Steps:
    """The synthetic model, window and networks which the notes of the file describe."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        reference = sheet.reference
        self.seed = seed_of(str(reference.inputs["image"]), f"{sheet.name}: image")
        flame, texture = (sheet.folder.open("deca", name) for name in ("flame_free", "texture"))
        mask = reference.array("uv_face_eye_mask")[0, 0]
        mean, basis = albedo_arrays(texture)
        self.head = head_data(
            sheet,
            flame,
            face_mask=mask,
            face_eye_mask=mask,
            fixed_displacement=reference.array("fixed_displacement"),
            albedo_mean=mean,
            albedo_basis=basis.astype("float16"),
        )
        frames = reference.tensor("image").shape[1]
        flow = torch.zeros(1, frames - 1, 2, 112, 112)  # the single-image encoder takes none
        self.window = Window(
            reference.tensor("image"),
            reference.tensor("mask")[:, :, None],
            reference.tensor("landmark")[..., :2],
            flow,
            flow,
            ("reference[0]",),
        )
        self._model = self._filled_model()
        self._buffers = {name: value.clone() for name, value in self._model.named_buffers()}

    def model(self) -> _FaceModel:
        """Return the filled model as it was before any step; filling another takes longer than a step."""
        for name, value in self._model.named_buffers():
            value.copy_(self._buffers[name])
        self._model.zero_grad()
        return self._model.eval().requires_grad_(True)

    def _filled_model(self) -> _FaceModel:
        spec = ModelSpec("deca", 100, 50, 50, 224, 224, 256, initial_scale=7.0, seed=0)
        model = _FaceModel(spec, self.head)
        for name in PARTS.values():
            fill.fill(model.get_submodule(name), self.seed)
        note = self.sheet.reference.notes["networks"]
        (factor,) = re.findall(r"layers\.2\.weight \*= ([\d.]+\d)", note)
        with torch.no_grad():
            for encoder in (model.coarse_encoder, model.detail_encoder):
                encoder.layers[2].weight *= float(factor)
                encoder.layers[2].bias.zero_()
            for place, value in re.findall(r"layers\.2\.bias\[([\d:]+)\] = (-?[\d.]*\d)", note):
                model.coarse_encoder.layers[2].bias[subscript(f"[{place}]")] = float(value)
        # The file holds them of the doubled batch; only shapes are permuted, and only in the second half.
        frames = self.window.images.shape[1]
        stored = {name: self.sheet.reference[f"coarse.code_{theirs}"] for name, theirs in CODES.items()}
        model.stored = {name: torch.from_numpy(value[:frames]) for name, value in stored.items()}
        return model

    def weighted(self, phase: Phase, *without: str) -> Phase:
        """Return the phase with the weights of the notes for the terms that it may have."""
        notes = json.loads(self.sheet.reference.notes["weights"])
        defaults = dataclasses.asdict(phase.loss_weights)
        terms = {name for name, weight in defaults.items() if weight > 0} - set(without)
        values = {name: float(notes[WEIGHTS[name]]) if name in terms else 0.0 for name in defaults}
        return dataclasses.replace(phase, loss_weights=dataclasses.replace(phase.loss_weights, **values))

    @property
    def order(self) -> torch.Tensor:
        """The order of the frames to which the permutation was fixed."""
        (order,) = re.findall(r"swap (\[[\d, ]+\])", self.sheet.reference.notes["batch"])
        return torch.tensor(json.loads(order))

    def check(self, prefix: str, phase: str, settings: Phase, networks: LossNetworks, **flags: bool) -> None:
        """Run a step of a phase, doing as DECA's code at the places of ``flags``; compare losses and gradients."""
        sheet, reference = self.sheet, self.sheet.reference
        start = f"{prefix}.grad_norm."
        keys = [key for key in reference.outputs if key.startswith(start)]
        # The ID-MRF term takes most of the detail step, and flips so many partners that one more run tells enough.
        step = partial(self._step, phase, settings, networks, Original(**flags), [key[len(start) :] for key in keys])
        found = repeated(step, 1 if phase == "detail" else None)
        for ours, theirs in NAMES.items():
            if f"{prefix}.{theirs}" in reference:
                # A term without weight is not computed here; the original multiplies it with 0.
                value = found.get(ours, Result(0.0, (0.0,)))
                rounding = COSINES * 2.0**-24 * getattr(settings.loss_weights, ours) if ours == "identity" else 0.0
                sheet.compare(f"{prefix}.{theirs}", value, relative=RELATIVE, absolute=rounding)
        sheet.compare(f"{prefix}.all_loss", found["total"], relative=RELATIVE)
        further = self._further(found)
        for key in keys:
            name = key.removeprefix(start)
            sheet.norm(key, found[name], further.get(name))

    @staticmethod
    def _further(found: dict[str, Result]) -> dict[str, Moved]:
        """Return how far some norms move by what two disturbed runs may miss, by the parameter's name."""
        start = "terms of "
        further = {
            name.removeprefix(start): moved_sum(terms) for name, terms in found.items() if name.startswith(start)
        }
        for part in PARTS:
            if f"{part} beyond" in found:
                turned = moved_by_open_units(found, part)
                further |= {f"{part}.layers.0.{name}": far for name, far in turned.items()}
        return further

    def _step(
        self,
        phase: str,
        settings: Phase,
        networks: LossNetworks,
        original: Original,
        names: list[str],
    ) -> dict[str, Any]:
        """Return the terms, their sum, and the gradients of the parameters that the file names."""
        model = self.model()
        model.spec = dataclasses.replace(model.spec, original=original)
        task = phases.PhaseTask(model, phase, settings, networks)
        found: dict[str, Any] = {}
        # The gradient of this one number is a sum over all pixels that cancels to a thousandth.
        last = model.detail_decoder.conv_blocks[21]
        hook = last.register_full_backward_hook(
            lambda _, __, outputs: found.update({"terms of D_detail.conv_blocks.21.bias": outputs[0].clone()})
        )
        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(phases, "permutations", lambda *_: self.order))
            for part in ("E_flame", "E_detail"):
                stack.enter_context(recorded(model.get_submodule(f"{PARTS[part]}.layers"), found, part))
            terms = task(self.window, 0)
            found |= terms | {"total": torch.stack(list(terms.values())).sum()}
            found["total"].backward()
        hook.remove()
        for name in names:
            part, _, parameter = name.partition(".")
            found[name] = model.get_submodule(PARTS[part]).get_parameter(parameter).grad.clone()
        return {name: value.detach() for name, value in found.items()}


def steps(sheet: Sheet) -> None:
    """``steps.npz``."""
    run = _Steps(sheet)
    _coarse_values(run)
    # The original permutes shapes in pretraining too, as long as one of its two consistencies is on.
    pretrain = run.weighted(dataclasses.replace(PretrainPhase(), consistency=True), *UNUSED_IN_PRETRAINING)
    run.check("pretrain", "pretrain", pretrain, LossNetworks())
    face = VggFace2()
    filled(face, run.seed)
    coarse = run.weighted(CoarsePhase())
    for prefix, unshaded in (("coarse_shaded", False), ("coarse_head_unshaded", True)):
        flags = {"constant_identity_background": True, "unshaded_photometric": unshaded}
        run.check(prefix, "coarse", coarse, LossNetworks({"vggface2": face}), **flags)
    vgg = Vgg19()
    # Filled by the name inside torchvision's `features`, as the original was.
    fill.fill(vgg.features, run.seed)
    _detail_values(run)
    run.check("detail", "detail", run.weighted(DetailPhase()), LossNetworks({"vgg19": vgg.eval()}))


@torch.no_grad()
def _coarse_values(run: _Steps) -> None:
    """Codes of the doubled batch in training mode; landmarks and pictures of the stored ones."""
    sheet, reference = run.sheet, run.sheet.reference

    def compute() -> dict[str, torch.Tensor]:
        model, window = run.model(), run.window
        model.coarse_encoder.train()
        encoded = FaceModel.encode_coarse(model, window)
        encoded, codes = (_permuted(each, "shape", run.order) for each in (encoded, model.original_codes(encoded)))
        geometry = model.geometry(codes)
        rendering = model.render(codes, geometry)
        return {f"code_{theirs}": getattr(encoded, ours) for ours, theirs in CODES.items()} | {
            "landmarks2d": geometry.landmarks2d,
            "projected": geometry.projected,
            "alpha": rendering.alpha,
            "predicted_images": rendering.images * rendering.face_eye_mask * rendering.alpha,
        }

    found = repeated(compute)
    for name in (*(f"code_{name}" for name in CODES.values()), "landmarks2d"):
        sheet.tensor(f"coarse.{name}", found[name])
    height, width = reference.tensor("image").shape[-2:]
    edges = undecided(found["projected"], run.head.faces, height, width)
    sheet.few("coarse.alpha", edges)
    sheet.bits("coarse.alpha", found["alpha"].value, undecided=edges)
    sheet.tensor("coarse.predicted_images", found["predicted_images"], 16, undecided=edges)


def _permuted(codes: Codes, name: str, order: torch.Tensor) -> Codes:
    """Return the codes twice, the second time with one of them permuted."""
    own = getattr(codes, name)
    return codes.doubled().replaced(**{name: torch.cat([own, own[order]])})


@torch.no_grad()
def _detail_values(run: _Steps) -> None:
    """The detailed picture: texture under the detail shading, sampled at each pixel."""

    def compute() -> dict[str, torch.Tensor]:
        model, window = run.model(), run.window
        model.detail_encoder.train()
        model.detail_decoder.train()
        codes = model.encode_coarse(window).replaced(detail=model.encode_detail(window))
        codes = _permuted(codes, "detail", run.order)
        geometry = model.geometry(codes)
        rendering = model.render(codes, geometry)
        texture = model.albedo(codes.texture) * model.detail(codes, geometry).shading
        return {"projected": geometry.projected, "pictures": sample(texture, rendering.grid)}

    found = repeated(compute)
    height, width = run.sheet.reference.tensor("image").shape[-2:]
    edges = undecided(found["projected"], run.head.faces, height, width)
    run.sheet.few("detail.predicted_detail_images", edges)
    run.sheet.tensor("detail.predicted_detail_images", found["pictures"], 16, undecided=edges)
