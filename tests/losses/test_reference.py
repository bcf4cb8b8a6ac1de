"""Every loss and its gradient against the original's numbers."""

import numpy as np
import pytest
import torch

from tests.reference.arrays import filled, load
from tvface.losses.detail_photometric import detail_photometric_loss
from tvface.losses.displacement import displacement_loss
from tvface.losses.eye import eye_loss
from tvface.losses.identity import identity_loss
from tvface.losses.landmark import WEIGHTS, landmark_loss
from tvface.losses.lip import lip_loss
from tvface.losses.mrf import mrf_loss, mrf_term
from tvface.losses.photometric import photometric_loss
from tvface.losses.regularisation import code_energy, light_loss
from tvface.losses.smoothness import smoothness_loss
from tvface.losses.symmetry import erode, symmetry_loss
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2

ONES = (1.0,) * 68

# key of the file, name of the input that gets the gradient, loss of (that input, the other inputs), other inputs
CASES = {
    "weighted_landmark": ("lmk_pred", landmark_loss, ["lmk_gt"]),
    "weighted_landmark_visibility": (
        "lmk_pred",
        lambda p, t: landmark_loss(p, t, t[..., 2]),
        ["lmk_gt_partly_visible"],
    ),
    "plain_landmark_visibility": (
        "lmk_pred",
        lambda p, t: landmark_loss(p, t, t[..., 2], weights=ONES),
        ["lmk_gt_partly_visible"],
    ),
    "eye_distance": ("lmk_pred", eye_loss, ["lmk_gt"]),
    "lip_distance": ("lmk_pred", lip_loss, ["lmk_gt"]),
    "photometric": ("predicted_image", photometric_loss, ["image", "mask"]),
    "shape_reg_weight1": ("shapecode", code_energy, []),
    "expression_reg_weight1": ("expcode", code_energy, []),
    "tex_reg_weight1": ("texcode", code_energy, []),
    "light_reg_weight1": ("lightcode", light_loss, []),
    "shading_smooth": ("shading", smoothness_loss, []),
    "z_reg_weight1": ("uv_z", displacement_loss, []),
    "z_sym_weight1": ("uv_z", symmetry_loss, ["uv_vis_mask"]),
    "photo_detail_weight1": ("texture_pred", detail_photometric_loss, ["texture_gt", "uv_vis_mask"]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("key", CASES)
def test_value_and_gradient(key, dtype):
    reference = load("deca", "losses")
    name, loss, others = CASES[key]
    x = reference.tensor(name, dtype).requires_grad_()
    arguments = [reference.tensor(other, dtype) for other in others]
    copies = [argument.clone() for argument in arguments]
    value = loss(x, *arguments)
    value.backward()
    # Norms are summed in another order, so float32 shows a few units of its last place.
    suffix, exact = (".f64", 1e-7) if dtype == torch.float64 else ("", 2e-5)
    assert value.item() == pytest.approx(float(reference[key + suffix]), rel=exact)
    assert x.grad.norm().item() == pytest.approx(float(reference[f"{key}{suffix}.grad_norm"]), rel=exact)
    for part, gradient in ((f"{key}.grad", x.grad), (f"{key}.grad.sub", x.grad[..., ::4, ::4])):
        if part in reference.outputs:
            assert np.allclose(gradient.numpy(), reference[part], rtol=1e-4, atol=1e-6 * float(x.grad.abs().max()))
    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True)), "an argument was written to"


def test_landmark_weights():
    reference = load("deca", "losses")
    assert np.array_equal(np.array(WEIGHTS, np.float32), reference["landmark_weights"])
    assert sum(WEIGHTS) == float(reference["landmark_weight_sum"]) == 94


def test_erosion():
    reference = load("deca", "losses")
    eroded = erode(reference.tensor("uv_vis_mask"))
    assert np.array_equal(np.packbits(eroded.numpy().astype(bool)), reference["uv_vis_mask_eroded.bits"])
    assert int(eroded.sum()) == int(reference["uv_vis_mask_eroded.sum"])


@pytest.mark.parametrize(("key", "first"), [("term", "gen"), ("term_near", "near"), ("term_self", "tar")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_mrf_term(key, first, dtype):
    reference = load("deca", "mrf")
    x = reference.tensor(first, dtype).requires_grad_()
    value = mrf_term(x, reference.tensor("tar", dtype))
    value.backward()
    suffix = ".f64" if dtype == torch.float64 else ""
    assert value.item() == pytest.approx(float(reference[key + suffix]), rel=1e-5, abs=1e-6)
    assert float(x.grad.norm()) == pytest.approx(float(reference[f"{key}{suffix}.grad_norm"]), rel=1e-4, abs=1e-6)
    if f"{key}.grad.sub" in reference.outputs:
        stored = reference[f"{key}.grad.sub"]
        assert np.allclose(x.grad[:, ::8, ::2, ::2].numpy(), stored, atol=1e-4 * abs(stored).max())


def test_mrf_of_images():
    reference = load("deca", "mrf")
    network = Vgg19()
    filled(network.features)
    with torch.no_grad():
        for layer in network.features:
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.mul_(2**0.5)
    images = reference.tensor("img_gen").requires_grad_()
    value = mrf_loss(network(images), network(reference.tensor("img_tar")))
    value.backward()
    assert value.item() == pytest.approx(float(reference["full_he_fill"]), rel=1e-5)
    assert float(images.grad.norm()) == pytest.approx(float(reference["full_he_fill.grad_norm"]), rel=1e-3)
    stored = reference["full_he_fill.grad.sub"]
    assert np.allclose(images.grad[..., ::8, ::8].numpy(), stored, atol=1e-3 * abs(stored).max())


def test_identity():
    reference = load("deca", "identity")
    network = filled(VggFace2())
    images = reference.tensor("gen").requires_grad_()
    value = identity_loss(network.features_of(images), network.features_of(reference.tensor("tar")))
    value.backward()
    # A cosine near 1 in float32 leaves about three digits of 1 - cosine.
    assert value.item() == pytest.approx(float(reference["cosine_loss.f64"]), rel=1e-3)
    assert float(images.grad.norm()) == pytest.approx(float(reference["cosine_loss.grad_norm"]), rel=1e-3)
    stored = reference["cosine_loss.grad.sub"]
    assert np.allclose(images.grad[..., ::8, ::8].numpy(), stored, atol=1e-3 * abs(stored).max())
