"""What the tolerances rest on: disturbed arithmetic, and the pixels that float32 leaves open."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.reference.checks.edges import near, undecided
from tests.reference.checks.rectifier import moved_by_open_units, recorded
from tests.reference.checks.rounding import (
    AMOUNT,
    HALF,
    ROUNDING,
    TIMES,
    Disturbed,
    Result,
    moved,
    moved_norm,
    moved_sum,
    repeated,
)
from tvface.rendering.rasterizer import rasterize


def test_results_move_in_their_last_digits_and_the_same_way_for_a_seed() -> None:
    x = torch.rand(50, 40) + 0.5
    with Disturbed(3):
        once = x * 2
    with Disturbed(3):
        again = x * 2
    with Disturbed(4):
        other = x * 2
    assert torch.equal(once, again) and not torch.equal(once, other)
    relative = ((once - 2 * x).abs() / (2 * x)).max()
    assert 0 < relative <= (AMOUNT + 1) * HALF, "the sum that disturbs it rounds once more"


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5), (3, 700_000)])
def test_every_layout_is_disturbed_alike(shape: tuple[int, ...]) -> None:
    """Contiguous, with channels last, and neither; larger than the pattern."""
    x = torch.rand(shape) + 0.5
    layouts = [x, x.transpose(0, -1)]
    if len(shape) == 4:
        layouts.append(x.to(memory_format=torch.channels_last))
    for tensor in layouts:
        with Disturbed(0):
            far = tensor * 1.5
        differ = far != 1.5 * tensor
        assert differ.float().mean() > 0.5 and torch.allclose(far, 1.5 * tensor, rtol=1e-6)


def test_zeros_whole_numbers_and_float64_stay() -> None:
    x = torch.tensor([-1.5, 0.0, 0.5, 2.5])
    with Disturbed(0):
        assert (x * 3)[1] == 0 and F.conv1d(torch.zeros(1, 1, 9), torch.ones(1, 1, 3)).abs().max() == 0
        assert x.round().tolist() == [-2, 0, 0, 2] and x.floor().tolist() == [-2, 0, 0, 2]
        assert (x > 0).float().tolist() == [0, 0, 1, 1]
        double = x.double() / 3
    assert torch.equal(double, x.double() / 3)


def test_gradients_are_disturbed_too() -> None:
    weight = torch.rand(4, 3, 3, 3, requires_grad=True)
    x = torch.rand(1, 3, 8, 8)

    def compute() -> dict[str, torch.Tensor]:
        (gradient,) = torch.autograd.grad(F.conv2d(x, weight).square().sum(), weight)
        return {"gradient": gradient}

    found = repeated(compute)["gradient"]
    assert 0 < moved(found).largest < 1e-4 * float(found.value.abs().max())


def summed(terms: np.ndarray, order: str) -> np.float32:
    """Add up float32 terms one by one, from either end, or by halves."""
    if order == "halves":
        return terms.sum(dtype=np.float32)
    return np.cumsum(terms if order == "forward" else terms[::-1], dtype=np.float32)[-1]


@pytest.mark.parametrize("seed", range(5))
def test_a_sum_that_cancels_may_be_off_by_as_much_as_another_order_gives(seed: int) -> None:
    """And by not much more: a hundred thousandth of what its terms amount to."""
    terms = np.random.default_rng(seed).standard_normal(2**16).astype(np.float32)
    terms -= terms.mean(dtype=np.float64).astype(np.float32)
    found = repeated(lambda: {"sum": torch.from_numpy(terms).sum()})["sum"]
    exact = terms.sum(dtype=np.float64)
    allowed = ROUNDING * abs(exact) + TIMES * moved(found).largest
    for order in ("forward", "backward", "halves"):
        assert abs(summed(terms, order) - exact) <= allowed, order
    assert allowed < 1e-5 * np.abs(terms).sum()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_another_way_to_convolve_stays_within_the_rule(layout: torch.memory_format) -> None:
    """As does a matrix product in float64; an error of a thousandth does not."""
    torch.manual_seed(1)
    x, weight = torch.randn(2, 64, 24, 24), torch.randn(32, 64, 3, 3)
    found = repeated(lambda: {"out": F.conv2d(x, weight)})["out"]
    allowed = ROUNDING * float(found.value.abs().max()) + TIMES * moved(found).largest
    unfolded = weight.flatten(1).double() @ F.unfold(x.double(), 3)
    others = [F.conv2d(x.to(memory_format=layout), weight), unfolded.unflatten(2, (22, 22))]
    for other in others:
        assert (found.value - other).abs().max() <= allowed
    assert (found.value * 1.001 - found.value).abs().max() > 3 * allowed


def test_what_a_norm_moves() -> None:
    value = torch.tensor([3.0, 4.0])
    assert moved_norm(Result(value, (torch.tensor([3.0, 5.0]),))).largest == pytest.approx(9 / (5 + 34**0.5))
    # Turned, the norm stays; its parts tell that this was chance.
    assert moved_norm(Result(value, (torch.tensor([4.0, 3.0]),))).largest == pytest.approx(7 * 2**0.5 / 10)
    noise = torch.tensor([1e-8, -1e-8])
    assert moved_norm(Result(noise, (-noise,))).largest == pytest.approx(2 * float(noise.norm()))
    assert moved_norm(Result(0 * value, (0 * value,))) == (0, 0)


def test_what_a_sum_of_given_terms_moves() -> None:
    terms = torch.tensor([1.0, -1.0, 2.0])
    others = (terms + torch.tensor([0.3, -0.4, 0.0]), terms)
    assert moved_sum(Result(terms, others)).largest == pytest.approx(0.5)


def mesh(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Projected vertices (1, 441, 3) and faces (800, 3) of a bumpy patch that folds over itself at one side."""
    rng = np.random.default_rng(seed)
    row, column = np.meshgrid(np.arange(21), np.arange(21), indexing="ij")
    x = np.sin(column / 20 * 2.0) * 0.9 - 0.2 + 0.01 * rng.standard_normal(row.shape)
    y = row / 20 * 1.6 - 0.8 + 0.01 * rng.standard_normal(row.shape)
    z = np.cos(column / 20 * 2.0) + 0.1 * rng.standard_normal(row.shape)
    corner = (row * 21 + column)[:-1, :-1].ravel()
    halves = (corner, corner + 21, corner + 1), (corner + 1, corner + 21, corner + 22)
    faces = np.concatenate([np.stack(half, 1) for half in halves])
    vertices = np.stack([x, y, z], -1).reshape(1, -1, 3).astype(np.float32)
    return torch.from_numpy(vertices), torch.from_numpy(faces)


@pytest.mark.parametrize("size", [(96, 96), (64, 96), (96, 64)])
def test_only_undecided_pixels_change_when_vertices_move(size: tuple[int, int]) -> None:
    vertices, faces = mesh(0)
    generator = torch.Generator().manual_seed(0)
    before = rasterize(vertices, faces, *size).face
    for reach in (1e-5, 1e-3):
        far = Result(vertices, (vertices + reach,))
        open_pixels = undecided(far, faces.numpy(), *size)[:, 0]
        changed = np.zeros_like(open_pixels)
        for _ in range(8):
            off = (torch.rand(vertices.shape, generator=generator) * 2 - 1) * reach
            changed |= (rasterize(vertices + off, faces, *size).face != before).numpy()
        assert not (changed & ~open_pixels).any()
        assert changed.any() or reach < 1e-4
        assert open_pixels.mean() < 400 * reach


def test_a_pixel_on_an_edge_and_one_between_two_surfaces_are_undecided() -> None:
    # An edge through the centres of a column of 8 x 8 pixels, and two triangles that cross in depth.
    column = -1 + (2 * 3 + 1) / 8
    vertices = torch.tensor([[[column, -1, 0], [column, 1, 0], [1, 0, 0.5], [1, 0, -0.5]]], dtype=torch.float32)
    alone = undecided(Result(vertices, (vertices,)), np.array([[0, 1, 2]]), 8, 8)[0, 0]
    assert alone[:, 3].all() and not alone[:, 4:6].any() and not alone[:, :3].any()
    both = undecided(Result(vertices, (vertices,)), np.array([[0, 1, 2], [0, 2, 1]]), 8, 8)[0, 0]
    inside = rasterize(vertices, torch.tensor([[0, 1, 2]]), 8, 8).face[0].numpy() >= 0
    assert both[inside].all(), "the same triangle twice"
    crossing = undecided(Result(vertices, (vertices,)), np.array([[0, 1, 2], [0, 1, 3]]), 8, 8)[0, 0]
    assert not crossing[3:5, 6].any(), "apart in depth"


def test_values_near_a_threshold_are_undecided() -> None:
    value = torch.tensor([[-0.05, -0.0500001, -0.0501, 0.4]])
    assert near(Result(value, (value,)), -0.05).tolist() == [[True, True, False, False]]


def test_what_a_unit_at_zero_does_to_the_gradients_of_its_layer() -> None:
    """One unit of one example stands at +-2^-24: the norms of both sides differ by what is computed from either."""
    layers = torch.nn.Sequential(torch.nn.Linear(6, 40), torch.nn.ReLU(), torch.nn.Linear(40, 3))
    x = torch.randint(-8, 9, (2, 6)) / 8
    with torch.no_grad():  # sums of short numbers are exact, in any order
        layers[0].weight.copy_((layers[0].weight * 64).round() / 64)
        layers[0].weight[7] = torch.tensor([1, -2, 3, 1, 2, -1]) / 64

    def step() -> dict[str, torch.Tensor]:
        layers.zero_grad()
        found: dict[str, torch.Tensor] = {}
        with recorded(layers, found, "net"):
            layers(x).square().sum().backward()
        weight, bias = layers[0].weight.grad, layers[0].bias.grad
        assert weight is not None and bias is not None
        return {**found, "weight": weight.clone(), "bias": bias.clone()}

    sides = []
    for side in (-HALF, HALF):
        with torch.no_grad():
            layers[0].bias[7] = side - x[1] @ layers[0].weight[7]
        sides.append(repeated(step))
    below, above = sides
    for found in sides:
        for name, far in moved_by_open_units(found, "net").items():
            jump = abs(float(above[name].value.double().norm() - below[name].value.double().norm()))
            assert jump > 1e-4 * float(below[name].value.norm()) and far.largest == pytest.approx(jump, rel=0.02)
