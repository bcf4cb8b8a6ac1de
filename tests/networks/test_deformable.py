"""Every deformable convolution equals torchvision's, values and gradients."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from tvface.networks import deformable
from tvface.networks.deformable import VARIABLE, choose, deform_conv2d, has_triton


def arguments(groups: int = 4, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    # Offsets reach far outside of the map, where samples fade to zero.
    value, offset = normal(2, 8, 7, 9), 4 * normal(2, 18 * groups, 7, 9)
    return [t.requires_grad_() for t in (value, offset, normal(3, 8, 3, 3), normal(3), normal(2, 9 * groups, 7, 9))]


@pytest.mark.parametrize("backend", ["numba", "grid"])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_it_equals_torchvision(groups, backend):
    value, offset, weight, bias, mask = given = arguments(groups)
    ours = deform_conv2d(*given, backend=backend)
    theirs = torchvision_deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)
    torch.testing.assert_close(ours, theirs)
    cotangent = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=ours.dtype)
    for a, b in zip(
        torch.autograd.grad((ours * cotangent).sum(), given),
        torch.autograd.grad((theirs * cotangent).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_offsets_that_do_not_fit_are_refused():
    value, offset, weight, bias, mask = arguments()
    with pytest.raises(ValueError, match="do not fit"):
        deform_conv2d(value, offset[:, :-1], weight, bias, mask)
    with pytest.raises(ValueError, match="do not fit"):
        deform_conv2d(value, offset, weight, bias, mask[:, 9:])


def test_threads_change_no_bit():
    given = arguments()
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            out = deform_conv2d(*given, backend="numba")
            results.append([out, *torch.autograd.grad(out.square().sum(), given)])
    finally:
        torch.set_num_threads(before)
    for alone, shared in zip(*results, strict=True):
        # The product with the weights is the library's, which may divide it otherwise.
        torch.testing.assert_close(alone, shared, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["numba", "grid"])
def test_positions_that_are_not_a_number_do_no_harm(backend):
    """torchvision's kernel reads outside of the map, and ends the process, where a training that diverges goes on."""
    value, offset, weight, bias, mask = (tensor.detach() for tensor in arguments())
    offset[0, 0, 3, 4] = float("nan")
    out = deform_conv2d(value, offset, weight, bias, mask, backend)
    if backend != "grid":  # grid_sample takes it for a position outside
        assert torch.isnan(out[0, :, 3, 4]).all()
    assert torch.isfinite(out[1]).all()


def case(groups: int, channels: int, height: int, dtype: torch.dtype) -> dict:
    generator = torch.Generator().manual_seed(groups)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    given = [normal(2, channels, height, 6).to(dtype), 4 * normal(2, 18 * groups, height, 6)]
    given += [normal(3, channels, 3, 3).to(dtype), normal(3).to(dtype), normal(2, 9 * groups, height, 6)]
    return {"arguments": given, "cotangent": normal(2, 3, height, 6)}


def triton_cases() -> list[dict]:
    return [
        case(2, 8, 6, torch.float32),  # more pixels than a block, fewer channels
        case(9, 36, 2, torch.float32),  # more channels than a block, the last one in part
        case(4, 4, 2, torch.bfloat16),  # groups of one channel
    ]


def compare_with_torchvision(cases: list[dict], results: list[list[torch.Tensor]]) -> None:
    for given_case, ours in zip(cases, results, strict=True):
        half = given_case["arguments"][0].dtype == torch.bfloat16
        given = [tensor.detach().float().requires_grad_() for tensor in given_case["arguments"]]
        value, offset, weight, bias, mask = given
        out = torchvision_deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)
        theirs = [out, *torch.autograd.grad((out * given_case["cotangent"]).sum(), given)]
        for a, b in zip(ours, theirs, strict=True):
            # A sample is rounded to bfloat16 before it is multiplied: 2^-9 of the largest, a few of them.
            b = b.detach()
            torch.testing.assert_close(a.float(), b, rtol=0, atol=(2e-2 if half else 1e-6) * float(b.abs().max()))


@pytest.mark.skipif(not has_triton(), reason="the package triton is not installed")
def test_triton_in_its_interpreter_equals_torchvision(tmp_path):
    cases = triton_cases()
    torch.save(cases, tmp_path / "in.pt")
    command = [sys.executable, "-m", "tests.networks.interpreted", str(tmp_path / "in.pt"), str(tmp_path / "out.pt")]
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root / "src"), str(root)])
    subprocess.run(command, check=True, cwd=root, env=os.environ | {"PYTHONPATH": path, "TRITON_INTERPRET": "1"})
    written = torch.load(tmp_path / "out.pt", weights_only=True)
    compare_with_torchvision(cases, written["results"])
    assert written["agrees"], "the comparison before the first use finds no fault"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.skipif(not has_triton(), reason="the package triton is not installed")
def test_triton_on_a_gpu_equals_torchvision(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    cases = triton_cases()
    results = []
    for one in cases:
        given = [tensor.detach().cuda().requires_grad_() for tensor in one["arguments"]]
        for function in (deform_conv2d, torch.compile(deform_conv2d)):
            out = function(*given, backend="triton")
            gradients = torch.autograd.grad((out.float() * one["cotangent"].cuda()).sum(), given)
            results.append([tensor.detach().cpu() for tensor in (out, *gradients)])
    compare_with_torchvision([one for one in cases for _ in range(2)], results)


def test_the_choice_of_the_backend(monkeypatch):
    cpu = torch.device("cpu")
    assert choose(cpu) == "numba" and choose(cpu, "torchvision") == "torchvision"
    monkeypatch.setitem(deformable._VERIFIED, "cuda", True)
    assert choose(torch.device("cuda")) == ("triton" if has_triton() else "torchvision")
    monkeypatch.setitem(deformable._VERIFIED, "cuda", False)
    assert choose(torch.device("cuda")) == "torchvision"
    with pytest.raises(ValueError, match="'cudnn' is unknown: use one of auto, numba"):
        choose(cpu, "cudnn")
    with pytest.raises(ValueError, match="works on the CPU"):
        choose(torch.device("cuda"), "numba")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match="needs the package triton and a CUDA device"):
        choose(cpu, "triton")
    monkeypatch.setenv(VARIABLE, "cudnn")
    with pytest.raises(ValueError, match="'cudnn' is unknown"):
        deform_conv2d(*arguments())


@pytest.mark.skipif(not has_triton(), reason="the package triton is not installed")
@pytest.mark.parametrize("fault", ["raises", "lies"])
def test_kernels_that_do_not_work_are_named_and_not_used(monkeypatch, caplog, fault):
    from tvface.networks import deformable_triton

    def broken(value, offset, weight, bias, mask):
        if fault == "raises":
            raise RuntimeError("no kernel image is available for execution on the device")
        return 1.1 * torchvision_deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)

    monkeypatch.setattr(deformable_triton, "deform_conv2d", broken)
    monkeypatch.setattr(deformable, "_VERIFIED", {})
    with caplog.at_level("WARNING", "tvface.networks.deformable"):
        assert not deformable.verified(torch.device("cpu"))
    assert ("no kernel image" if fault == "raises" else "wrong by 0.1") in caplog.text
    assert "torchvision's is used" in caplog.text
