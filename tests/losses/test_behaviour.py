"""Where the originals have no defined gradient, and what the formulas must do by construction."""

import pytest
import torch

from tests.reference.arrays import load
from tests.reference.checks.losses import LOSSES
from tvface.losses.detail_photometric import face_window, uv_window
from tvface.losses.eye import eye_loss
from tvface.losses.identity import identity_loss
from tvface.losses.landmark import landmark_loss
from tvface.losses.lip import lip_loss
from tvface.losses.mrf import mrf_term
from tvface.losses.smoothness import smoothness_loss
from tvface.losses.symmetry import erode, symmetry_loss


def test_uniform_offset():
    """0.1 in x and y everywhere is a loss of 0.1, whatever the weights."""
    target = torch.rand(2, 68, 2)
    assert float(landmark_loss(target + 0.1, target)) == pytest.approx(0.1, rel=1e-5)


def test_invisible_points_do_not_count():
    target = torch.rand(1, 68, 2)
    predicted = target.clone()
    predicted[:, :10] += 5
    visibility = torch.ones(1, 68)
    visibility[:, :10] = 0
    assert float(landmark_loss(predicted, target, visibility)) == 0
    assert float(landmark_loss(predicted, target, 0 * visibility)) == 0


@pytest.mark.parametrize("loss", [eye_loss, lip_loss])
def test_coinciding_points_have_a_gradient(loss):
    predicted = torch.zeros(1, 68, 2, requires_grad=True)
    loss(predicted, torch.rand(1, 68, 2)).backward()
    assert bool(torch.isfinite(predicted.grad).all())


@pytest.mark.parametrize("loss", [eye_loss, lip_loss])
def test_only_the_opening_counts(loss):
    target = torch.rand(1, 68, 2)
    assert float(loss(target + torch.tensor([0.3, -0.2]), target)) == pytest.approx(0, abs=1e-6)
    assert float(loss(2 * target, target)) > 0.01


def test_mrf_of_uniform_places_is_finite():
    """A masked region has features without direction, in prediction and target alike."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 8, 4, 4, generator=generator)
    target[..., :2] = 0
    predicted = target.clone()
    predicted[..., 2:] += 0.1 * torch.rand(1, 8, 4, 2, generator=generator)
    predicted.requires_grad_()
    value = mrf_term(predicted, target)
    value.backward()
    assert bool(torch.isfinite(value)) and bool(torch.isfinite(predicted.grad).all())


def test_mrf_prefers_the_target_and_sums_over_the_batch():
    generator = torch.Generator().manual_seed(0)
    target, other = torch.rand(2, 2, 8, 5, 5, generator=generator).unbind()
    assert float(mrf_term(target, target)) < 0.1 * float(mrf_term(other, target))
    apart = mrf_term(other[:1], target[:1]) + mrf_term(other[1:], target[1:])
    assert float(mrf_term(other, target)) == pytest.approx(float(apart), rel=1e-5)


def test_identity_of_scaled_features_is_zero():
    features = torch.rand(3, 16)
    assert float(identity_loss(2 * features, features)) == pytest.approx(0, abs=1e-6)
    assert float(identity_loss(-features, features)) == pytest.approx(2, abs=1e-5)


def test_erosion_takes_the_frame_and_a_hole_of_five():
    eroded = erode(torch.ones(1, 1, 9, 9))
    assert int(eroded.sum()) == 25 and float(eroded[0, 0, 2:7, 2:7].min()) == 1
    mask = torch.full((1, 1, 21, 21), 0.01)
    mask[..., 10, 10] = 0
    assert int(erode(mask).sum()) == 17 * 17 - 25


def test_seen_displacement_is_free_and_mirror_is_constant():
    z = torch.zeros(1, 1, 16, 16)
    z[..., 4:8, 4:6] = 0.01
    z.requires_grad_()
    visible = torch.zeros(1, 1, 16, 16)
    visible[..., :8] = 1  # the left half is seen, less two columns and the frame by erosion
    loss = symmetry_loss(z, visible)
    loss.backward()
    # Columns 10 and 11 are hidden and mirror 5 and 4.
    assert loss.item() == pytest.approx(8 * 0.01, rel=1e-5)
    assert torch.count_nonzero(z.grad[..., 2:6]) == 0
    assert torch.count_nonzero(z.grad[..., 10:12]) == 8


def test_smoothness_of_a_ramp():
    ramp = torch.arange(8.0).expand(1, 3, 8, 8)
    assert float(smoothness_loss(0.5 * ramp)) == pytest.approx(0.25)
    assert float(smoothness_loss(torch.ones(1, 3, 8, 8))) == 0


def test_face_window():
    uv_map = torch.zeros(1, 1, 256, 256)
    uv_map[..., 50:206, 50:206] = 1
    assert float(face_window(uv_map).min()) == 1
    uv_map[..., 50, 50] = 0
    assert float(face_window(uv_map)[..., 0, 0]) == 0
    assert face_window(torch.rand(2, 3, 64, 64)).shape == (2, 3, 64, 64)


@pytest.mark.parametrize(("key", "loss", "names"), [(row[0], row[1], row[2:]) for row in LOSSES])
def test_no_loss_writes_into_its_arguments(key, loss, names):
    """The originals write visibility into their targets."""
    reference = load("deca", "losses")
    arguments = [reference.tensor(name) for name in names]
    copies = [argument.clone() for argument in arguments]
    loss(*arguments)
    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True)), key


def test_the_face_window_is_one_of_the_uv_windows():
    assert uv_window("face", 256) == (50, 206, 50, 206)
    uv_map = torch.arange(256.0).expand(1, 1, 256, 256)
    cut = face_window(uv_map)
    assert cut.shape == uv_map.shape and float(cut[..., 0].mean()) == 50 and float(cut[..., -1].mean()) == 205
    with pytest.raises(KeyError):
        uv_window("ear", 256)
