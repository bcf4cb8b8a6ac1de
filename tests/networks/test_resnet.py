"""DECA's encoder: sizes. Its numbers and names are checked by tests/reference."""

import pytest
import torch

from tvface.networks.resnet import ResNetEncoder


@pytest.mark.parametrize(("outputs", "parameters"), [(236, 25_848_108), (128, 25_737_408)])
def test_count_of_parameters(outputs, parameters):
    with torch.device("meta"):
        network = ResNetEncoder(outputs)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_other_sizes_and_widths():
    network = ResNetEncoder(7, width=8, layers=(1, 1, 2, 1), hidden=16).eval()
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 7)
    assert network(torch.rand(2, 3, 32, 48)).shape == (2, 7)
    network.train()(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
