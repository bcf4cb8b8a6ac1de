"""DECA's detail decoder against the original's numbers."""

import pytest
import torch

from tests.reference.arrays import filled, keys, load, shapes
from tvface.networks.detail_decoder import DetailDecoder


@pytest.fixture(scope="module")
def reference():
    return load("deca", "generator")


def test_names_shapes_and_count():
    network = DetailDecoder()
    assert shapes(network) == keys("deca", "keys_generator")
    assert sum(p.numel() for p in network.parameters()) == 1_773_345
    assert [m.eps for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)] == [1e-5] + [0.8] * 5


def test_displacement_and_gradient(reference):
    network = filled(DetailDecoder())
    z = reference.tensor("z").requires_grad_()
    displacement = network(z)
    reference.check("displacement.sub", displacement[..., ::4, ::4], floor=1e-4)
    (displacement * reference.tensor("cotangent")).sum().backward()
    reference.check("grad_z", z.grad, floor=1e-4)


def test_batch_statistics_in_training(reference):
    network = filled(DetailDecoder()).train()
    with torch.no_grad():
        displacement = network(reference.tensor("z"))
    reference.check("displacement_trainmode.sub", displacement[..., ::4, ::4], floor=1e-4)


@pytest.mark.parametrize("size", [16, 64, 128, 512])
def test_sizes(size):
    network = DetailDecoder(inputs=9, size=size, scale=0.003)
    displacement = network(torch.randn(2, 9))
    assert displacement.shape == (2, 1, size, size)
    assert float(displacement.detach().abs().max()) <= 0.003


@pytest.mark.parametrize("size", [8, 100, 0])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="uv size"):
        DetailDecoder(size=size)
