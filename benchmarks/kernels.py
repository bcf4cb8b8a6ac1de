"""Time the two kernels that training on a CPU lives on, each beside its peer in the same process.

    python -m benchmarks.kernels

Prints the median of interleaved runs (a b a b ...), so that a drift of the machine's speed touches both, and their
ratio: the rasteriser's backends (pytorch3d's too, where it is installed), and the deformable convolution against
torchvision's.
"""

from __future__ import annotations

import importlib.util
import math

import torch
import torchvision.ops

from benchmarks.timing import interleaved
from tvface.head.human import build
from tvface.head.model import HeadModel
from tvface.networks.deformable import deform_conv2d
from tvface.rendering.rasterizer import interpolate, rasterize
from tvface.settings.model import Head

RUNS = 7


def show(title: str, times: dict[str, float], peer: str) -> None:
    """Print milliseconds and the ratio to ``peer``."""
    print(title)
    for name, seconds in times.items():
        print(f"  {name:<28} {1000 * seconds:9.2f} ms   {times[peer] / seconds:6.2f} x {peer}")


def rasteriser(batch: int, size: int) -> None:
    """Rasterise and interpolate the human head, forward and backward."""
    head = build(Head())
    model = HeadModel(head, 100, 50)
    generator = torch.Generator().manual_seed(0)
    shape = torch.randn(batch, 100, generator=generator)
    vertices = model(shape, torch.zeros(batch, 50), torch.zeros(batch, 6)).vertices.detach() * 7.5
    vertices = vertices * torch.tensor([1.0, -1.0, -1.0])
    faces = torch.from_numpy(head.faces).long()
    attributes = torch.randn(batch, vertices.shape[1], 9, generator=generator)

    def once(backend: str) -> None:
        moved = vertices.clone().requires_grad_()
        fragments = rasterize(moved, faces, size, size, backend)
        interpolate(fragments, faces, attributes).square().sum().backward()

    backends = ["numba", "torch", *(["pytorch3d"] if importlib.util.find_spec("pytorch3d") else [])]
    times = interleaved({name: lambda name=name: once(name) for name in backends}, RUNS)  # type: ignore[misc]
    show(f"rasterise + interpolate 9 attributes, {batch} x {size} px, forward and backward", times, backends[-1])


def alignment_inputs(side: int, channels: int, batch: int = 2, groups: int = 16) -> list[torch.Tensor]:
    """Return value, offset, weight, bias and mask of a convolution ``channels`` -> 64, float32, with gradients.

    The offsets reach some pixels far. None falls on a pixel's centre, where the gradient jumps, and each is a multiple
    of 1/128, so that a position is the same number in float32 and in float64.
    """
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    offset = torch.round(64 * 2 * normal(batch, groups * 18, side, side)) / 64 + 1 / 128
    mask = torch.rand(batch, groups * 9, side, side, generator=generator)
    tensors = [normal(batch, channels, side, side), offset, normal(64, channels, 3, 3) / math.sqrt(9 * channels)]
    return [tensor.requires_grad_() for tensor in (*tensors, torch.zeros(64), mask)]


def deformable_convolution() -> None:
    """The alignment's convolution at a quarter of the paper's map."""
    value, offset, weight, bias, mask = alignment_inputs(56, channels=64)

    def own() -> None:
        deform_conv2d(value, offset, weight, bias, mask).square().sum().backward()

    def plain() -> None:
        deform_conv2d(value, offset, weight, bias, mask, "grid").square().sum().backward()

    def peer() -> None:
        torchvision.ops.deform_conv2d(value, offset, weight, bias, padding=1, mask=mask).square().sum().backward()

    times = interleaved({"tvface": own, "grid_sample": plain, "torchvision": peer}, RUNS)
    show("deformable convolution 2 x 64 x 56 x 56, 16 groups, forward and backward", times, "torchvision")


def main() -> None:
    """Run all on one thread."""
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, median of {RUNS} interleaved runs")
    rasteriser(1, 224)
    rasteriser(10, 112)
    deformable_convolution()


if __name__ == "__main__":
    main()
