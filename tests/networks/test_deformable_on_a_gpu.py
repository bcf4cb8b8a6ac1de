"""The fused deformable convolution at the paper's shape, on this GPU."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu_parts.deformable import CHANNELS, SIDE, TOLERANCE, own, results, torchvisions
from benchmarks.kernels import alignment_inputs
from benchmarks.rates import arithmetic
from tvface.networks.deformable import choose, has_triton

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not has_triton(), reason="the package triton is not installed"),
]


@pytest.mark.parametrize(
    ("kind", "dtype", "tf32"),
    [("float32", torch.float32, False), ("float32, TF32", torch.float32, True), ("bfloat16", torch.bfloat16, True)],
)
def test_it_equals_torchvisions_in_float64(kind, dtype, tf32):
    device = torch.device("cuda")
    assert choose(device) == "triton", "the kernels do not run here, or give other numbers"
    tensors = [tensor.detach().to(device) for tensor in alignment_inputs(SIDE, CHANNELS)]
    inputs = [tensor.to(dtype) if index in (0, 2, 3) else tensor for index, tensor in enumerate(tensors)]
    cotangent = torch.randn(2, 64, SIDE, SIDE, generator=torch.Generator("cuda").manual_seed(1), device=device).to(
        dtype
    )
    expected = results(torchvisions, [tensor.double() for tensor in inputs], cotangent.double())
    with arithmetic(tf32):
        found = results(own, inputs, cotangent)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=TOLERANCE[kind] * float(theirs.abs().max()))
