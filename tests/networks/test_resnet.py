"""DECA's encoder against the original's numbers."""

import pytest
import torch

from tests.reference.arrays import filled, keys, load, shapes
from tvface.networks.resnet import ResNetEncoder


@pytest.fixture(scope="module")
def reference():
    return load("deca", "encoder")


@pytest.mark.parametrize(("outputs", "parameters"), [(236, 25_848_108), (128, 25_737_408)])
def test_names_shapes_and_count(outputs, parameters):
    with torch.device("meta"):
        network = ResNetEncoder(outputs)
    assert shapes(network) == keys("deca", f"keys_encoder{outputs}")
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("outputs", [236, 128])
def test_codes_and_gradient(reference, outputs):
    network = filled(ResNetEncoder(outputs))
    images = reference.tensor("image").requires_grad_()
    codes = network(images)
    reference.check(f"code{outputs}", codes, floor=1e-5)
    codes.square().sum().backward()
    norm = float(images.grad.norm())
    assert norm == pytest.approx(float(reference[f"code{outputs}_sumsq_grad_norm_wrt_image"]), rel=1e-4)


def test_stages_and_trunk(reference):
    network = filled(ResNetEncoder(236))
    with torch.no_grad():
        stages = network.encoder.stages(network.encoder.stem(reference.tensor("image")))
        for stage, (value, step) in enumerate(zip(stages, (8, 4, 2, 1), strict=True), start=1):
            reference.check(f"layer{stage}.sub", value[:, ::64, ::step, ::step], floor=1e-5)
        pooled = network.encoder.stages(reference.tensor("trunk_in"))[-1].mean((2, 3))
        reference.check("trunk_pooled2048", pooled, floor=1e-5)
        reference.check("trunk_code236", network.layers(pooled), floor=1e-5)


def test_other_sizes_and_widths():
    network = ResNetEncoder(7, width=8, layers=(1, 1, 2, 1), hidden=16).eval()
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 7)
    assert network(torch.rand(2, 3, 32, 48)).shape == (2, 7)
    network.train()(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
