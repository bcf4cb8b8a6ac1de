"""Warping: direction, precision, gradients. Its numbers are checked by tests/reference."""

import numpy as np
import pytest
import torch

from tvface.networks.warp import flow_warp


def test_minus_one_moves_content_to_the_lower_right():
    x = torch.randn(1, 4, 17, 23, generator=torch.Generator().manual_seed(0))
    warped = flow_warp(x, -torch.ones(1, 2, 17, 23))
    assert torch.allclose(warped[..., 1:, 1:], x[..., :-1, :-1], atol=1e-5)
    assert float(warped[..., 0, :].abs().max()) < 1e-5


def test_coordinates_stay_exact_in_bfloat16():
    """Whole-pixel flow must copy values; coordinates in bfloat16 would blur them at this size."""
    x = torch.randn(1, 2, 112, 112, generator=torch.Generator().manual_seed(0)).bfloat16()
    flow = torch.zeros(1, 2, 112, 112)
    flow[:, 0] = 3
    warped = flow_warp(x, flow)
    assert warped.dtype == torch.bfloat16
    difference = (warped[..., :-3] - x[..., 3:]).abs().max()
    assert float(difference) <= 0.02


def test_gradient_reaches_map_and_flow():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(1, 2, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    flow = torch.rand(1, 2, 5, 6, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(lambda a, b: flow_warp(a, b), (x, flow.requires_grad_()))


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="cannot be warped"):
        flow_warp(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 8, 9))
    with pytest.raises(ValueError, match="cannot be warped"):
        flow_warp(torch.zeros(1, 3, 8, 2), torch.zeros(1, 8, 8, 2))
    assert np.isfinite(flow_warp(torch.zeros(1, 3, 1, 1), torch.ones(1, 2, 1, 1)).numpy()).all()
