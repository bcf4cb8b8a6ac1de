"""Second-order deformable alignment by construction. Its numbers are checked by tests/reference."""

import pytest
import torch

from tvface.networks.alignment import SecondOrderDeformableAlignment


def test_starts_by_following_the_flow():
    """At the start: offsets are the flow, weights one half, so a shifted constant stays a constant."""
    network = SecondOrderDeformableAlignment(channels=4, groups=2)
    value = torch.ones(1, 8, 12, 12)
    flow = torch.full((1, 2, 12, 12), 1.5)
    with torch.no_grad():
        out = network(value, torch.randn(1, 12, 12, 12), flow, flow)
        expected = 0.5 * network.weight.sum((1, 2, 3)) + network.bias
    assert torch.allclose(out[0, :, 5, 5], expected, atol=1e-6)


def test_flow_beyond_the_map_and_half_precision():
    network = SecondOrderDeformableAlignment(channels=4, groups=4)
    flow = torch.full((1, 2, 8, 8), 1e4)
    with torch.no_grad():
        out = network(torch.randn(1, 8, 8, 8), torch.randn(1, 12, 8, 8), flow, flow)
        assert torch.allclose(out, network.bias.view(1, -1, 1, 1).expand_as(out))
        with torch.autocast("cpu", torch.bfloat16):
            half = network(torch.randn(1, 8, 8, 8).bfloat16(), torch.randn(1, 12, 8, 8), 0 * flow, 0 * flow)
    assert half.dtype == torch.bfloat16 and bool(torch.isfinite(half).all())


@pytest.mark.parametrize("groups", [3, 5, 1, 16])
def test_impossible_groups_are_refused(groups):
    with pytest.raises(ValueError, match="offset groups"):
        SecondOrderDeformableAlignment(channels=4, groups=groups)
