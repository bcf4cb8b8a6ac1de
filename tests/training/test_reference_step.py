"""One whole training step of each phase against the numbers of the original (reference/deca/steps.npz)."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.reference import fill
from tests.reference.arrays import load
from tvface.head.data import HeadData
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.settings.model import CoarsePhase, CoarseWeights, DetailPhase, Original, PretrainPhase
from tvface.training import phases
from tvface.training.data import Window
from tvface.training.model import FaceModel, ModelSpec

pytestmark = pytest.mark.slow

# Names of our terms in the file.
NAMES = {
    "landmark": "landmark",
    "eye": "eye_distance",
    "lip": "lip_distance",
    "photometric": "photometric_texture",
    "identity": "identity",
    "shape": "shape_reg",
    "expression": "expression_reg",
    "texture": "tex_reg",
    "light": "light_reg",
    "photometric_detail": "photo_detail",
    "mrf": "photo_detail_mrf",
    "symmetry": "z_sym",
    "displacement": "z_reg",
    "smoothness": "z_diff",
}


def synthetic_head(steps) -> HeadData:
    """The formula mesh of flame_free.npz with the texture model of texture.npz and the masks of steps.npz."""
    flame, texture = load("deca", "flame_free"), load("deca", "texture")
    mu = texture.array("MU").reshape(512, 512, 3)
    basis = 0.05 * fill.uniform("deca.pub.texture.PC", (786432, 50), 0).astype(np.float32)
    directions = flame.array("shapedirs").astype(np.float32)
    mask = steps.array("uv_face_eye_mask")[0, 0]
    return HeadData(
        v_template=flame.array("v_template").astype(np.float32),
        faces=flame.array("f").astype(np.int32),
        shape_basis=directions[..., :100],
        expression_basis=directions[..., 300:350],
        pose_basis=np.ascontiguousarray(flame.array("posedirs").reshape(-1, 36).T),
        joint_regressor=flame.array("J_regressor"),
        skinning=flame.array("weights"),
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        static_faces=flame.array("static_lmk_faces_idx").astype(np.int32),
        static_bary=flame.array("static_lmk_bary_coords"),
        contour_faces=flame.array("dynamic_lmk_faces_idx").astype(np.int32),
        contour_bary=flame.array("dynamic_lmk_bary_coords"),
        full_faces=flame.array("full_lmk_faces_idx")[0].astype(np.int32),
        full_bary=flame.array("full_lmk_bary_coords")[0],
        uv=flame.array("mesh_vt").astype(np.float32),
        uv_faces=flame.array("f").astype(np.int32),
        face_mask=mask,
        face_eye_mask=mask,
        fixed_displacement=steps.array("fixed_displacement"),
        labels=np.zeros((64, 64), np.uint8),
        # Stored BGR in the original; every second pixel is taken, and the channels are reversed.
        albedo_mean=np.ascontiguousarray(mu[::2, ::2, ::-1]).astype(np.float32),
        albedo_basis=np.ascontiguousarray(
            basis.reshape(512, 512, 3, 50)[::2, ::2, ::-1].transpose(3, 0, 1, 2).astype(np.float16)
        ),
        meta=json.dumps({"source": "formulas", "licence": "none needed"}),
    )


@pytest.fixture(scope="module")
def steps():
    return load("deca", "steps")


@pytest.fixture(scope="module")
def head(steps) -> HeadData:
    return synthetic_head(steps)


@pytest.fixture
def model(head) -> FaceModel:
    spec = ModelSpec("deca", 100, 50, 50, 224, 224, 256, initial_scale=7.0, seed=0)
    model = FaceModel(spec, head)
    for name in ("coarse_encoder", "detail_encoder", "detail_decoder"):
        fill.fill(model.get_submodule(name))
    with torch.no_grad():
        for encoder in (model.coarse_encoder, model.detail_encoder):
            encoder.layers[2].weight *= 0.05
            encoder.layers[2].bias.zero_()
        model.coarse_encoder.layers[2].bias[206] = 7
        model.coarse_encoder.layers[2].bias[209:212] = 3
    return model


@pytest.fixture(scope="module")
def window(steps) -> Window:
    flow = torch.zeros(1, 1, 2, 112, 112)
    return Window(
        steps.tensor("image"),
        steps.tensor("mask")[:, :, None],
        steps.tensor("landmark")[..., :2],
        flow,
        flow,
        ("reference[0]",),
    )


def run(model, window, phase, settings, networks, order, monkeypatch):
    """Return the weighted terms and the gradient norms of a step with a given permutation of the two frames."""
    monkeypatch.setattr(phases, "permutations", lambda *_: torch.tensor(order))
    task = phases.PhaseTask(model, phase, settings, networks, seed=0)
    terms = task(window, 0)
    torch.stack(list(terms.values())).sum().backward()
    parts = {"E_flame": "coarse_encoder", "E_detail": "detail_encoder", "D_detail": "detail_decoder"}
    return terms, {
        f"{theirs}.{name}": float(parameter.grad.norm())
        for theirs, ours in parts.items()
        for name, parameter in model.get_submodule(ours).named_parameters()
        if parameter.grad is not None
    }


def check(steps, prefix, terms, gradients, rtol):
    for name, value in terms.items():
        # The identity value is near float32's resolution of a cosine (README of the references).
        tolerance = 2e-3 if name == "identity" else 1e-4
        np.testing.assert_allclose(
            float(value.detach()), steps[f"{prefix}.{NAMES[name]}"], rtol=tolerance, err_msg=name
        )
    np.testing.assert_allclose(float(sum(terms.values()).detach()), steps[f"{prefix}.all_loss"], rtol=5e-5)
    start = f"{prefix}.grad_norm."
    norms = {k.removeprefix(start): v for k, v in steps.outputs.items() if k.startswith(start)}
    assert len(norms) >= 7
    for name, value in norms.items():
        if value > 1e-6:  # the bias before a batch normalisation has no gradient, only noise
            np.testing.assert_allclose(gradients[name], value, rtol=rtol, err_msg=name)


def original(model: FaceModel, **flags: bool) -> FaceModel:
    """Switch on what DECA's code does at these places."""
    model.spec = dataclasses.replace(model.spec, original=Original(**flags))
    return model


def test_pretrain(steps, model, window, monkeypatch):
    # The original doubles the batch here too, without permuting.
    networks = phases.LossNetworks()
    doubled = original(model, always_doubled=True)
    terms, gradients = run(doubled, window, "pretrain", PretrainPhase(), networks, None, monkeypatch)
    assert set(terms) == {"landmark", "eye", "lip", "shape", "expression"}
    check(steps, "pretrain", terms, gradients, rtol=2e-3)


def test_pretrain_counts_every_frame_once(steps, model, window, monkeypatch):
    terms, _ = run(model, window, "pretrain", PretrainPhase(), phases.LossNetworks(), None, monkeypatch)
    for name, value in terms.items():
        part = 0.5 if name in ("shape", "expression") else 1.0  # sums over frames; the others are means
        np.testing.assert_allclose(
            float(value.detach()), part * steps[f"pretrain.{NAMES[name]}"], rtol=1e-4, err_msg=name
        )


@pytest.fixture(scope="module")
def identity() -> phases.LossNetworks:
    network = VggFace2()
    fill.fill(network)
    return phases.LossNetworks(identity=network.eval())


@pytest.mark.parametrize(
    ("prefix", "unshaded"), [("coarse_shaded", False), ("coarse_head_unshaded", True)], ids=["shaded", "unshaded"]
)
def test_coarse(steps, model, window, identity, monkeypatch, prefix, unshaded):
    """With the light, as in the paper, and without, as in DECA's last version."""
    theirs = original(model, constant_identity_background=True, unshaded_photometric=unshaded)
    settings = CoarsePhase(weights=CoarseWeights())
    terms, gradients = run(theirs, window, "coarse", settings, identity, [1, 0], monkeypatch)
    assert set(terms) == set(phases.PHASES["coarse"].terms)
    check(steps, prefix, terms, gradients, rtol=2e-2)
    other = {"coarse_shaded": "coarse_head_unshaded", "coarse_head_unshaded": "coarse_shaded"}[prefix]
    assert abs(float(terms["photometric"].detach()) - steps[f"{other}.photometric_texture"]) > 0.01


def test_the_photo_surrounds_the_head_of_the_identity_loss(steps, model, window, identity, monkeypatch):
    seen = []
    network = identity.identity
    features = network.features_of
    monkeypatch.setattr(network, "features_of", lambda x, doubled: seen.append(x.detach()) or features(x, doubled))
    weights = CoarseWeights(**dict.fromkeys(("landmark", "eye", "lip", "photometric", "shape", "expression"), 0.0))
    settings = CoarsePhase(consistency=False, weights=weights)
    values = {}
    for constant in (False, True):
        seen.clear()
        task = phases.PhaseTask(
            original(model, constant_identity_background=constant), "coarse", settings, identity, seed=0
        )
        with torch.no_grad():
            values[constant] = float(task(window, 0)["identity"])
        photo, overlay = seen
        corner = overlay[..., :8, :8] - photo[..., :8, :8]
        assert bool(corner.any()) is constant
        if constant:
            # The face mask's value at the UV centre, which background pixels point to.
            m = float(steps.tensor("uv_face_eye_mask")[0, 0, 127:129, 127:129].mean())
            colour = overlay[..., :8, :8] - (1 - m) * photo[..., :8, :8]
            assert m > 0.1 and float((colour - colour[..., :1, :1]).abs().max()) < 1e-5
    assert values[False] < 0.9 * values[True]


def test_detail(steps, model, window, monkeypatch):
    vgg = Vgg19()
    # Filled by the name inside torchvision's `features`, as the original was.
    fill.fill(vgg.features)
    networks = phases.LossNetworks(mrf=vgg.eval())
    terms, gradients = run(model, window, "detail", DetailPhase(), networks, [1, 0], monkeypatch)
    assert set(terms) == set(phases.PHASES["detail"].terms)
    check(steps, "detail", terms, gradients, rtol=1e-2)
    assert not any(name.startswith("E_flame") for name in gradients), "the coarse encoder is fixed"
