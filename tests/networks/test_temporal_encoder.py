"""The temporal encoder: size, wiring, gradients."""

import dataclasses

import pytest
import torch

from tests.reference.arrays import keys, shapes
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.settings.model import TemporalEncoder as Settings

TINY = Settings(width=8, layers=(1, 1, 1, 1), hidden=16, channels=8, blocks=1, rnn_layers=2, deform_groups=4)


def window(b=2, t=3, size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(b, t, 3, size, size, generator=generator)
    flows = torch.randn(2, b, t - 1, 2, size // 2, size // 2, generator=generator)
    return images, flows[0], flows[1]


@pytest.mark.parametrize(
    ("outputs", "connection", "parameters"),
    [
        (236, "grid", 31_243_884),
        (128, "grid", 31_133_184),
        (236, "eq7", 31_022_700),
        (128, "eq7", 30_912_000),
    ],
)
def test_parameters_of_table_1(outputs, connection, parameters):
    with torch.device("meta"):
        network = TemporalEncoder(outputs, Settings(connection=connection))
    assert sum(p.numel() for p in network.parameters()) == parameters
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert parts["head"] == 1_792 and parts["down1"] == parts["down2"] == 406_848
    assert parts["fusion"] == 554_304 and parts["encoder"] == 23_498_496
    original = keys("deca", f"keys_encoder{outputs}")
    shared = {name: shape for name, shape in shapes(network).items() if name.startswith(("encoder.", "layers."))}
    stem = {name for name in original if name.startswith(("encoder.conv1.", "encoder.bn1."))}
    assert shared == {name: shape for name, shape in original.items() if name not in stem}


@pytest.mark.parametrize("t", [1, 2, 5])
@pytest.mark.parametrize("connection", ["grid", "eq7"])
def test_any_number_of_frames(t, connection):
    torch.manual_seed(0)
    network = TemporalEncoder(5, dataclasses.replace(TINY, connection=connection)).eval()
    with torch.no_grad():
        codes = network(*window(t=t))
    assert codes.shape == (2, t, 5) and bool(torch.isfinite(codes).all())


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = TemporalEncoder(5, TINY)
    # The offsets' last convolution starts at zero, which would hide the gradients of those before it.
    for align in network.propagation.deform_align.values():
        torch.nn.init.normal_(align.conv_offset[-1].weight, std=0.05)
    network(*window()).square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A bias right before batch normalisation has no effect: rounding is all that its gradient holds.
    assert all(name.endswith("conv1.bias") for name in silent), silent


def test_frames_see_each_other_and_sequences_do_not():
    torch.manual_seed(0)
    network = TemporalEncoder(5, TINY).eval()
    images, backward, forward = window()
    with torch.no_grad():
        codes = network(images, backward, forward)
        changed = images.clone()
        changed[0, 0] = 1 - changed[0, 0]
        again = network(changed, backward, forward)
    assert not torch.allclose(again[0, 2], codes[0, 2], atol=1e-6)
    assert torch.allclose(again[1], codes[1], atol=1e-5)


def test_both_flows_matter():
    torch.manual_seed(0)
    network = TemporalEncoder(5, TINY).eval()
    images, backward, forward = window()
    with torch.no_grad():
        codes = network(images, backward, forward)
        for flows in ((0 * backward, forward), (backward, 0 * forward)):
            assert not torch.allclose(network(images, *flows), codes, atol=1e-6)


def test_wrong_inputs_are_refused():
    network = TemporalEncoder(5, TINY)
    images, backward, forward = window()
    with pytest.raises(ValueError, match="flows_backward"):
        network(images, backward[:, :1], forward)
    with pytest.raises(ValueError, match="even sides"):
        network(images[..., :31], backward, forward)


def test_mixed_precision_agrees_and_learns():
    torch.manual_seed(0)
    network = TemporalEncoder(5, TINY)
    inputs = window(t=4)
    with torch.no_grad():
        codes = network.eval()(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(*inputs)
    assert torch.allclose(mixed.float(), codes, atol=0.05 * float(codes.abs().max()))
    with torch.autocast("cpu", torch.bfloat16):
        loss = network.train()(*inputs).float().square().sum()
    loss.backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def test_true_flow_aligns_a_moving_picture():
    """With true flow the features of a moving picture are those of the still picture, moved."""
    torch.manual_seed(0)
    propagation = TemporalEncoder(5, TINY).eval().propagation
    base = torch.rand(1, 8, 24, 40)
    t, step = 4, 3
    spatial = torch.stack([base[..., step * i : step * i + 24] for i in range(t)], 1)  # content moves left by 3 px
    flow = torch.zeros(1, t - 1, 2, 24, 24)
    flow[:, :, 0] = -step
    inner = slice(10, 14)
    with torch.no_grad():
        still = propagation(spatial[:, :1].repeat(1, t, 1, 1, 1), 0 * flow, 0 * flow)
        moving = propagation(spatial, flow, -flow)
        wrong = propagation(spatial, 0 * flow, 0 * flow)["forward_1"][:, 1, :, inner, inner]
    # Away from the border (whose influence has not died out wholly here) only the picture counts.
    here = moving["forward_1"][:, 1, :, inner, inner]
    there = still["forward_1"][:, 1, :, inner, 10 + step : 14 + step]
    assert float((here - there).abs().max()) < 1e-3
    assert float((wrong - there).abs().max()) > 0.05


def test_folding_time_into_the_batch_changes_nothing():
    """Frame by frame, as Table 1 reads, against the folded computation."""
    torch.manual_seed(0)
    network = TemporalEncoder(5, TINY).eval()
    images, backward, forward = window()
    with torch.no_grad():
        spatial = [network.down1(network.head(images[:, i])) for i in range(3)]
        branches = network.propagation(torch.stack(spatial, 1), backward, forward)
        codes = [
            network.layers(
                network.encoder(network.down2(network.fusion(torch.cat([g, *(b[:, i] for b in branches.values())], 1))))
            )
            for i, g in enumerate(spatial)
        ]
        folded = network(images, backward, forward)
    assert torch.allclose(folded, torch.stack(codes, 1), atol=1e-5 * float(folded.abs().max()))
    assert not torch.allclose(folded[:, 0], folded[:, 2], atol=1e-3 * float(folded.abs().max()))
