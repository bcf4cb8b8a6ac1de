"""DECA's detail decoder: sizes. Its numbers and names are checked by tests/reference."""

import pytest
import torch

from tvface.networks.detail_decoder import DetailDecoder


def test_count_of_parameters_and_epsilons():
    network = DetailDecoder()
    assert sum(p.numel() for p in network.parameters()) == 1_773_345
    assert [m.eps for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)] == [1e-5] + [0.8] * 5


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
