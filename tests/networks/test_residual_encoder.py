"""DECA's encoder with residuals over time: it starts as DECA, then frames see each other."""

import dataclasses

import pytest
import torch

from tests.networks.test_temporal_encoder import window
from tvface.networks.residual_encoder import ResidualEncoder, _halved
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.warm_start import load_deca_encoder, load_features
from tvface.settings.model import ResidualEncoder as Settings

TINY = Settings(
    width=8, layers=(1, 1, 1, 1), hidden=16, channels=8, blocks=1, deform_groups=4, attention=1, attention_width=16
)


def plain(seed: int = 3) -> ResNetEncoder:
    torch.manual_seed(seed)
    return ResNetEncoder(5, TINY.width, TINY.layers, TINY.hidden).eval()


def moved(encoder: ResidualEncoder) -> ResidualEncoder:
    """Give the parts that start at zero some weight."""
    torch.manual_seed(7)
    torch.nn.init.normal_(encoder.widen.weight, std=0.05)
    if encoder.attention is not None:
        torch.nn.init.normal_(encoder.attention.outward.weight, std=0.05)
    for align in encoder.propagation.deform_align.values():
        torch.nn.init.normal_(align.conv_offset[-1].weight, std=0.05)
    return encoder


@pytest.mark.parametrize("settings", [TINY, dataclasses.replace(TINY, attention=0), Settings()])
@pytest.mark.parametrize("t", [1, 2, 5])
def test_it_starts_as_deca(settings: Settings, t: int) -> None:
    torch.manual_seed(0)
    deca = ResNetEncoder(5, settings.width, settings.layers, settings.hidden).eval()
    encoder = ResidualEncoder(5, settings).eval()
    report = load_deca_encoder(encoder, deca.state_dict(), "E_flame")
    assert not report.unused and set(report.loaded) == set(deca.state_dict())
    assert all(name.startswith(ResidualEncoder.ADDED) for name in report.missing)
    images, backward, forward = window(1, t, 64)
    with torch.no_grad():
        assert torch.equal(encoder(images, backward, forward)[0], deca(images[0]))


def test_it_starts_from_features_of_deca_and_from_its_own() -> None:
    deca, encoder, again = plain(), ResidualEncoder(5, TINY), ResidualEncoder(5, TINY)
    state = {f"coarse_encoder.{name}": tensor for name, tensor in deca.state_dict().items()}
    assert all(
        name.startswith(("layers.", *ResidualEncoder.ADDED)) for name in load_features(encoder, state, "x").missing
    )
    assert torch.equal(encoder.encoder.conv1.weight, deca.encoder.conv1.weight)
    own = {f"coarse_encoder.{name}": tensor for name, tensor in moved(encoder).state_dict().items()}
    assert all(name.startswith("layers.") for name in load_features(again, own, "x").missing)
    assert torch.equal(again.widen.weight, encoder.widen.weight)


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    encoder = moved(ResidualEncoder(5, TINY))
    encoder(*window()).square().sum().backward()
    silent = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@pytest.mark.parametrize("attention", [0, 1])
def test_frames_see_each_other_and_sequences_do_not(attention: int) -> None:
    torch.manual_seed(0)
    encoder = moved(ResidualEncoder(5, dataclasses.replace(TINY, attention=attention))).eval()
    images, backward, forward = window(t=4)
    with torch.no_grad():
        codes = encoder(images, backward, forward)
        changed = images.clone()
        changed[0, 0] = 1 - changed[0, 0]
        again = encoder(changed, backward, forward)
    assert not torch.allclose(again[0, 3], codes[0, 3], atol=1e-6)
    assert torch.allclose(again[1], codes[1], atol=1e-5)


def test_the_order_of_frames_and_both_flows_matter() -> None:
    encoder = moved(ResidualEncoder(5, TINY)).eval()
    images, backward, forward = window(t=3)
    with torch.no_grad():
        codes = encoder(images, backward, forward)
        assert not torch.allclose(encoder(images.flip(1), backward, forward).flip(1), codes, atol=1e-5)
        assert not torch.allclose(encoder(images, 0 * backward, forward), codes, atol=1e-6)
        assert not torch.allclose(encoder(images, backward, 0 * forward), codes, atol=1e-6)


def test_flow_is_halved_with_its_grid() -> None:
    flow = torch.zeros(1, 2, 2, 8, 8)
    flow[:, :, 0], flow[:, :, 1] = 3.0, -1.0
    half = _halved(flow)
    assert half.shape == (1, 2, 2, 4, 4)
    assert torch.equal(half[:, :, 0], torch.full((1, 2, 4, 4), 1.5)) and half[0, 0, 1, 0, 0] == -0.5
    assert _halved(flow[:, :0]).shape == (1, 0, 2, 4, 4)


def test_odd_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        ResidualEncoder(5, TINY)(*window(size=34))
