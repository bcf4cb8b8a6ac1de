"""Every deformable convolution equals torchvision's, values and gradients."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from tvface.networks import deformable
from tvface.networks.deformable import VARIABLE, choose, decide, deform_conv2d, has_triton


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
    value, offset, weight, bias, mask = tensors = arguments(groups)
    ours = deform_conv2d(*tensors, backend=backend)
    theirs = torchvision_deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)
    torch.testing.assert_close(ours, theirs)
    cotangent = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=ours.dtype)
    for a, b in zip(
        torch.autograd.grad((ours * cotangent).sum(), tensors),
        torch.autograd.grad((theirs * cotangent).sum(), tensors),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_offsets_that_do_not_fit_are_refused():
    value, offset, weight, bias, mask = arguments()
    with pytest.raises(ValueError, match="do not fit"):
        deform_conv2d(value, offset[:, :-1], weight, bias, mask)
    with pytest.raises(ValueError, match="do not fit"):
        deform_conv2d(value, offset, weight, bias, mask[:, 9:])


def test_sizes_that_are_variables_to_the_compiler_cut_no_graph():
    """A second shape makes torch.compile take sizes for variables; the choice by their values must not break it."""
    torch.compiler.reset()
    compiled = torch.compile(deform_conv2d, backend="eager", fullgraph=True)
    generator = torch.Generator().manual_seed(0)
    for channels, groups, side in ((8, 2, 5), (16, 4, 6), (12, 4, 7)):
        shapes = (
            (1, channels, 5, side),
            (1, 18 * groups, 5, side),
            (3, channels, 3, 3),
            (3,),
            (1, 9 * groups, 5, side),
        )
        tensors = [torch.randn(shape, generator=generator) for shape in shapes]
        torch.testing.assert_close(compiled(*tensors), deform_conv2d(*tensors), rtol=1e-4, atol=1e-4)
    torch.compiler.reset()


def test_threads_change_no_bit():
    tensors = arguments()
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            out = deform_conv2d(*tensors, backend="numba")
            results.append([out, *torch.autograd.grad(out.square().sum(), tensors)])
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


def case(groups: int, channels: int, outputs: int, shape: tuple[int, int, int], dtype: torch.dtype) -> dict:
    """Return arguments and cotangent for maps of (batch, height, width)."""
    generator = torch.Generator().manual_seed(groups)
    batch, *size = shape

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    tensors = [normal(batch, channels, *size).to(dtype), 4 * normal(batch, 18 * groups, *size)]
    tensors += [normal(outputs, channels, 3, 3).to(dtype), normal(outputs).to(dtype), normal(batch, 9 * groups, *size)]
    return {"arguments": tensors, "cotangent": normal(batch, outputs, *size)}


def triton_cases() -> list[dict]:
    return [
        case(2, 8, 3, (2, 3, 6), torch.float32),  # more pixels than a block, fewer channels
        case(9, 36, 3, (1, 2, 6), torch.float32),  # more channels than a block, the last one in part
        case(4, 4, 3, (1, 2, 6), torch.bfloat16),  # groups of one channel
        case(1, 64, 3, (1, 2, 3), torch.float32),  # one group, wider than a block
        case(16, 128, 64, (1, 4, 5), torch.float32),  # the paper's channels
        case(16, 128, 64, (1, 4, 5), torch.bfloat16),
        case(2, 8, 3, (2, 2, 3), torch.float32) | {"large": True},  # addresses of 64 bits
        case(2, 8, 3, (2, 2, 3), torch.bfloat16) | {"compiled": True},
    ]


def compare_with_torchvision(cases: list[dict], results: list[list[torch.Tensor]], exact: float = 1e-6) -> None:
    """Compare output and gradients by their largest number; ``exact`` is the limit in float32."""
    for given_case, ours in zip(cases, results, strict=True):
        half = given_case["arguments"][0].dtype == torch.bfloat16
        tensors = [tensor.detach().float().requires_grad_() for tensor in given_case["arguments"]]
        value, offset, weight, bias, mask = tensors
        out = torchvision_deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)
        theirs = [out, *torch.autograd.grad((out * given_case["cotangent"]).sum(), tensors)]
        for a, b in zip(ours, theirs, strict=True):
            # A sample is rounded to bfloat16 before it is multiplied: 2^-9 of the largest, a few of them.
            b = b.detach()
            torch.testing.assert_close(a.float(), b, rtol=0, atol=(2e-2 if half else exact) * float(b.abs().max()))


@pytest.mark.slow
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
    assert written["fault"] == "", "the comparison before the first use finds no fault"


@pytest.mark.gpu
@pytest.mark.skipif(not has_triton(), reason="the package triton is not installed")
def test_triton_on_a_gpu_equals_torchvision(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    from tvface.networks import deformable_triton

    cases = triton_cases()
    results = []
    for one in cases:
        monkeypatch.setattr(deformable_triton, "ADDRESSES", 0 if one.get("large") else 2**31)
        tensors = [tensor.detach().cuda().requires_grad_() for tensor in one["arguments"]]
        for function in (deform_conv2d, torch.compile(deform_conv2d)):
            out = function(*tensors, backend="triton")
            gradients = torch.autograd.grad((out.float() * one["cotangent"].cuda()).sum(), tensors)
            results.append([tensor.detach().cpu() for tensor in (out, *gradients)])
    compare_with_torchvision([one for one in cases for _ in range(2)], results, 1e-5)


def test_the_choice_of_the_backend(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert str(decide(cpu)) == "numba" and choose(cpu, "torchvision") == "torchvision"
    assert str(decide(cpu, compiling=True)) == "grid: numba's is closed to torch.compile"
    monkeypatch.setitem(deformable._FAULTS, "cuda", "")
    assert choose(cuda) == ("triton" if has_triton() else "torchvision")
    with pytest.raises(ValueError, match="'cudnn' is unknown: use one of auto, numba"):
        choose(cpu, "cudnn")
    with pytest.raises(ValueError, match="works on the CPU"):
        choose(cuda, "numba")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match="needs the package triton and a CUDA device"):
        choose(cpu, "triton")
    monkeypatch.setenv(VARIABLE, "grid")
    assert str(decide(cpu)) == f"grid: {VARIABLE} asks for it"
    monkeypatch.setenv(VARIABLE, "cudnn")
    with pytest.raises(ValueError, match="'cudnn' is unknown"):
        deform_conv2d(*arguments())


@pytest.fixture
def gpu(monkeypatch):
    """The CPU passes for a GPU on which nothing has been tried."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(deformable, "_kind", lambda device: "cuda")
    monkeypatch.setattr(deformable, "_FAULTS", {})
    monkeypatch.setattr(deformable, "_WARNED", set())


def float32_arguments() -> list[torch.Tensor]:
    return [tensor.detach().float() for tensor in arguments()]


@pytest.mark.skipif(not has_triton(), reason="the package triton is not installed")
@pytest.mark.parametrize("fault", ["raises", "lies", "lies in bfloat16", "not a number"])
def test_kernels_that_do_not_work_are_named_once_and_not_used(gpu, monkeypatch, caplog, fault):
    from tvface.networks import deformable_triton

    tried = []

    def broken(value, offset, weight, bias, mask):
        tried.append((value.shape[1], weight.shape[0], offset.shape[1] // 18, value.dtype))
        if fault == "raises":
            raise RuntimeError("no kernel image is available for execution on the device")
        out = torchvision_deform_conv2d(value.float(), offset, weight.float(), bias.float(), padding=1, mask=mask)
        if fault == "lies in bfloat16":
            return (out if value.dtype == torch.float32 else 1.1 * out).to(value.dtype)
        return (1.1 * out if fault == "lies" else out * float("nan")).to(value.dtype)

    monkeypatch.setattr(deformable_triton, "deform_conv2d", broken)
    value, offset, weight, bias, mask = tensors = float32_arguments()
    with caplog.at_level("WARNING", "tvface.networks.deformable"):
        results = [deform_conv2d(*tensors) for _ in range(3)]
        assert not deformable.verified(value.device)
        reason = decide(value.device).reason
    theirs = torchvision_deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)
    assert all(torch.equal(result, theirs) for result in results)
    (record,) = caplog.records
    assert (
        "torchvision's deformable convolution is used on cpu" in record.getMessage() and reason in record.getMessage()
    )
    reasons = {
        "raises": "it does not run (36 to 18 channels in 9 groups, float32): no kernel image",
        "lies": "it is wrong by 0.1",
        "lies in bfloat16": "(128 to 64 channels in 16 groups, bfloat16)",
        "not a number": "it is wrong by nan",
    }
    assert reasons[fault] in reason
    assert len(tried) == len(set(tried)), "every size is tried once"


@pytest.mark.skipif(not has_triton(), reason="the package triton is not installed")
def test_kernels_are_tried_at_the_papers_size_in_both_arithmetics(gpu, monkeypatch, caplog):
    from tvface.networks import deformable_triton

    tried = set()

    def faultless(value, offset, weight, bias, mask):
        tried.add((value.shape[1], weight.shape[0], offset.shape[1] // 18, value.dtype))
        wide = [tensor.float() for tensor in (value, weight, bias)]
        return torchvision_deform_conv2d(wide[0], offset, *wide[1:], padding=1, mask=mask).to(value.dtype)

    monkeypatch.setattr(deformable_triton, "deform_conv2d", faultless)
    with torch.inference_mode():
        assert str(decide(torch.device("cpu"))) == "triton"
    assert tried >= {(128, 64, 16, dtype) for dtype in (torch.float32, torch.bfloat16)}
    assert not caplog.records


def test_what_the_kernels_do_not_take_is_reported(gpu, monkeypatch, caplog):
    cpu = torch.device("cpu")
    monkeypatch.setitem(deformable._FAULTS, "cpu", "")
    if has_triton():
        assert "not float64 values and float64 offsets" in decide(cpu, torch.float64, torch.float64).reason
        assert "it takes groups of 1, 2, 4, 8, 16, 32, 64, 128 channels only" in decide(cpu, width=0).reason
        assert decide(cpu, torch.bfloat16, width=128).backend == "triton"
        deform_conv2d(*(tensor.detach() for tensor in arguments(1)))  # float64
        tensors = [torch.zeros(1, size, 3, 3) for size in (6, 36, 4, 18)]
        deform_conv2d(*tensors[:2], torch.zeros(2, 6, 3, 3), torch.zeros(2), tensors[3])  # groups of 3 channels
        assert len(caplog.records) == 2, "each once"
    monkeypatch.setattr(deformable, "has_triton", lambda: False)
    assert str(decide(cpu)) == "torchvision: the package triton is not installed"
