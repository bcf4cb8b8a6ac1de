"""One whole training step of each phase."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from unittest import mock

import torch

from tests.reference import fill
from tests.reference.arrays import filled
from tests.reference.checks.head import albedo_arrays, head_data
from tests.reference.checks.losses import norm
from tests.reference.checks.sheet import Sheet, seed_of
from tests.reference.expressions import subscript
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.rendering.renderer import sample
from tvface.settings.model import CoarsePhase, DetailPhase, Original, Phase, PretrainPhase, Weights
from tvface.training import phases
from tvface.training.model import FaceModel, ModelSpec
from tvface.training.window import Window

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
# The original's own gradient norms moved with the number of threads by 7e-3, 2e-4 and 1e-3, because single edge pixels
# change their face; losses by less than 1e-5 (README of the files). Twice that is allowed.
GRADIENT = {"coarse_shaded": 1.4e-2, "coarse_head_unshaded": 1.4e-2, "pretrain": 4e-4, "detail": 2e-3}
LAST_BIAS = 1e-2  # of the detail decoder, a sum of 262,144 gradients of both signs; 5e-3 in the original
LOSS = 2e-5
IDENTITY = 1e-3  # its value is near 1e-4, close to float32's resolution of a cosine (README)
NO_GRADIENT = 1e-6  # a bias before a batch normalisation has no gradient, only noise


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

    def model(self) -> FaceModel:
        """Return a fresh copy of the model; filling anew takes longer than a step."""
        return copy.deepcopy(self._model)

    def _filled_model(self) -> FaceModel:
        spec = ModelSpec("deca", 100, 50, 50, 224, 224, 256, initial_scale=7.0, seed=0)
        model = FaceModel(spec, self.head)
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
        return model

    def weighted(self, phase: Phase, *without: str) -> Phase:
        """Return the phase with the weights of the notes for the terms that it may have."""
        notes = json.loads(self.sheet.reference.notes["weights"])
        terms = {f.name for f in dataclasses.fields(Weights) if getattr(phase.weights, f.name) > 0} - set(without)
        values = {ours: float(notes[theirs]) if ours in terms else 0.0 for ours, theirs in WEIGHTS.items()}
        return dataclasses.replace(phase, weights=dataclasses.replace(phase.weights, **values))

    @property
    def order(self) -> torch.Tensor:
        """The order of the frames to which the permutation was fixed."""
        (order,) = re.findall(r"swap (\[[\d, ]+\])", self.sheet.reference.notes["batch"])
        return torch.tensor(json.loads(order))

    def check(self, prefix: str, phase: str, settings: Phase, networks: phases.LossNetworks, **flags: bool) -> None:
        """Run a step of a phase, doing as DECA's code at the places of ``flags``; compare losses and gradients."""
        sheet, reference = self.sheet, self.sheet.reference
        model = self.model()
        model.spec = dataclasses.replace(model.spec, original=Original(**flags))
        with mock.patch.object(phases, "permutations", lambda *_: self.order):
            terms = phases.PhaseTask(model, phase, settings, networks, seed=0)(self.window, 0)
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        for ours, theirs in NAMES.items():
            if f"{prefix}.{theirs}" in reference:
                # A term without weight is not computed here; the original multiplies it with 0.
                value = float(terms[ours].detach()) if ours in terms else 0.0
                sheet.compare(f"{prefix}.{theirs}", value, relative=IDENTITY if ours == "identity" else LOSS)
        sheet.compare(f"{prefix}.all_loss", float(total.detach()), relative=LOSS)
        start = f"{prefix}.grad_norm."
        for key in [key for key in reference.outputs if key.startswith(start)]:
            part, _, name = key.removeprefix(start).partition(".")
            ours = norm(model.get_submodule(PARTS[part]).get_parameter(name).grad)
            relative = LAST_BIAS if name == "conv_blocks.21.bias" else GRADIENT[prefix]
            none = float(reference[key]) < NO_GRADIENT
            sheet.compare(key, ours, relative=relative, absolute=NO_GRADIENT if none else 0.0)


def steps(sheet: Sheet) -> None:
    """``steps.npz``."""
    run = _Steps(sheet)
    _coarse_values(run)
    # The original permutes shapes in pretraining too, as long as one of its two consistencies is on.
    pretrain = run.weighted(dataclasses.replace(PretrainPhase(), consistency=True), *UNUSED_IN_PRETRAINING)
    run.check("pretrain", "pretrain", pretrain, phases.LossNetworks())
    face = VggFace2()
    filled(face, run.seed)
    coarse = run.weighted(CoarsePhase())
    for prefix, unshaded in (("coarse_shaded", False), ("coarse_head_unshaded", True)):
        flags = {"constant_identity_background": True, "unshaded_photometric": unshaded}
        run.check(prefix, "coarse", coarse, phases.LossNetworks(identity=face), **flags)
    vgg = Vgg19()
    # Filled by the name inside torchvision's `features`, as the original was.
    fill.fill(vgg.features, run.seed)
    _detail_values(run)
    run.check("detail", "detail", run.weighted(DetailPhase()), phases.LossNetworks(mrf=vgg.eval()))


@torch.no_grad()
def _coarse_values(run: _Steps) -> None:
    """Codes of the doubled batch in training mode, its landmarks and pictures."""
    sheet, model = run.sheet, run.model()
    model.coarse_encoder.train()
    codes = model.encode_coarse(run.window)
    codes = codes.doubled().replaced(shape=torch.cat([codes.shape, codes.shape[run.order]]))
    geometry = model.geometry(codes)
    rendering = model.render(codes, geometry)
    for name, value in {
        "code_cam": codes.camera,
        "code_pose": codes.pose,
        "code_light": codes.light,
        "code_shape": codes.shape,
        "landmarks2d": geometry.landmarks2d,
    }.items():
        sheet.tensor(f"coarse.{name}", value)
    # Edge pixels: codes differ in the last bits from machine to machine.
    sheet.bits("coarse.alpha", rendering.alpha, pixels=20)
    predicted = rendering.images * rendering.face_eye_mask * rendering.alpha
    sheet.tensor("coarse.predicted_images", predicted, 16, relative=5e-4, outliers=1e-3)


@torch.no_grad()
def _detail_values(run: _Steps) -> None:
    """The detailed picture: texture under the detail shading, sampled at each pixel."""
    sheet, model = run.sheet, run.model()
    model.detail_encoder.train()
    model.detail_decoder.train()
    model.coarse_encoder.eval()
    codes = model.encode_coarse(run.window)
    detail = model.encode_detail(run.window)
    codes = codes.replaced(detail=detail).doubled().replaced(detail=torch.cat([detail, detail[run.order]]))
    geometry = model.geometry(codes)
    rendering = model.render(codes, geometry)
    texture = model.albedo(codes.texture) * model.detail(codes, geometry).shading
    predicted = sample(texture, rendering.grid)
    sheet.tensor("detail.predicted_detail_images", predicted, 16, relative=5e-4, outliers=1e-3)
