"""Residual stacks by construction. Their numbers are checked by tests/reference."""

import pytest
import torch

from tvface.networks.residual import ResidualDown, ResidualStack


@pytest.mark.parametrize("norm", [False, True])
def test_split_equals_whole(norm):
    torch.manual_seed(0)
    network = ResidualStack(12, 4, 2, norm=norm).eval()
    x = torch.randn(2, 12, 9, 7)
    with torch.no_grad():
        split = network.forward_recurrent(network.static_share(x[:, :8]), x[:, 8:])
        assert torch.allclose(split, network(x), atol=1e-6)


def test_one_normalisation_per_block_and_starts_near_the_identity():
    torch.manual_seed(0)
    network = ResidualDown(8, 3)
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules()) == 3
    x = torch.randn(2, 8, 9, 12)
    assert network(x).shape == (2, 8, 5, 6)
    with torch.no_grad():
        assert float((network.blocks.eval()(x) - x).std()) < 0.5 * float(x.std())
