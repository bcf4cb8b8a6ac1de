"""The fused deformable convolution compiles for every supported GPU, without one, and fits its resources."""

from pathlib import Path

import pytest
import torch

import tvface

pytest.importorskip("triton")

from tests.networks.compiled import KERNELS as COMPILED
from tests.networks.compiled import resources
from tvface.networks import deformable_triton_kernels

ARCHITECTURES = (80, 89, 90)
KERNELS = {"forward": 80, "backward": 112, "weight": 80}
"""Kernel to the most registers that a thread may use: 64 k of them hold 24, 16 and 24 warps of the 8 of a program."""

SHARED = 24 * 1024
"""Bytes of shared memory for each of four programs that run beside each other on sm_89, which has 99 kB."""


@pytest.fixture
def arithmetic():
    before = torch.get_float32_matmul_precision()
    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("value", "precision"), [("fp32", "high"), ("fp32", "highest"), ("bf16", "high")])
def test_a_kernel_fits_at_the_papers_size(arithmetic, name, architecture, value, precision):
    """fp32 is TF32 ("high") and exact ("highest"), as ``train.tf32`` says."""
    arithmetic(precision)
    needed = resources(name, architecture, value)
    assert needed["stack"] == 0, "registers are spilled to memory"
    assert 0 < needed["registers"] <= KERNELS[name]
    assert 0 < needed["shared"] <= SHARED


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    "shape",
    [
        {"channels": 64, "groups": 8},  # the first visit of a branch, half of the channels
        {"channels": 36, "groups": 9, "outputs": 18, "side": 7},  # nothing is a multiple of 16
        {"large": True},
    ],
)
def test_a_kernel_compiles_for_other_shapes(name, shape):
    needed = resources(name, 89, "bf16", **shape)
    assert needed["stack"] <= 16 and needed["registers"] <= 128 and needed["shared"] <= SHARED


def test_all_kernels_are_compiled_here():
    """A kernel that is added must be added above."""
    source = Path(tvface.__file__).parent
    files = {path for path in source.rglob("*.py") if "@triton.jit" in path.read_text()}
    assert files == {source / "networks" / "deformable_triton_kernels.py"}
    launched = {name for name in vars(deformable_triton_kernels) if name.endswith("_kernel")}
    assert launched == {f"{name}_kernel" for name in COMPILED} == {f"{name}_kernel" for name in KERNELS}
