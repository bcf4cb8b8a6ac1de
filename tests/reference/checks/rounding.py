"""What float32 can hold of a quantity, and the tolerance that follows from it.

Two processors add up in different orders, and so round differently: what leaves a network differs in its last digits, a
sum whose terms cancel in more, and now and then a rectifier, an arg max or the border of a texel goes the other way.
How much that moves a quantity is measured in the check itself. The quantity is computed as tvface computes it, and then
again with the result of every operation, forward and backward, disturbed by a few times what float32 rounds it by
(Monte Carlo arithmetic: Parker, "Monte Carlo Arithmetic", 1997), so that near decisions go both ways too. Then

    allowed = ROUNDING x largest value + TIMES x how far the disturbed runs moved it

The stored value does not enter, so the rule cannot hide a wrong formula: that one is as wrong in the disturbed runs,
and moves no further. It is what the ``net`` files state of the originals as ``<key>.noise``.

Of an array the largest difference and the root mean square are both held to the rule: entries may be far off only where
disturbed runs throw entries as far, and as many. One number (a norm, a sum) may stay in its place by chance; how far
it moves is then at least what its parts moved, added up as independent errors (:func:`moved_norm`, :func:`moved_sum`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ROUNDING = 2e-6
"""Of the largest value: some 16 units in the last place, what it takes to write down and add up a result."""
HALF = 2.0**-24
"""What an operation in float32 rounds by at most, relative to its result."""
AMOUNT = 2
"""Times HALF: by how much the result of every operation is disturbed, evenly between plus and minus."""
RUNS = 2
TIMES = 3
"""The largest of few moves is a draw as well: another may be a few times as far."""
PARTS = 64

# Results that are whole numbers, which a disturbance would turn into others, or copies of what is disturbed already.
_EXACT = frozenset({
    "_to_copy", "abs", "amax", "amin", "cat", "ceil", "clamp", "clamp_max", "clamp_min", "clone", "constant_pad_nd",
    "copy", "flip", "floor", "full_like", "gather", "index", "index_select", "masked_fill", "max",
    "max_pool2d_with_indices", "maximum", "min", "minimum", "neg", "ones_like", "relu", "repeat", "roll", "round",
    "select_backward", "sign", "slice_backward", "sort", "stack", "threshold_backward", "topk", "trunc", "where",
    "zeros_like",
})  # fmt: skip
_PATTERN = 1 << 18  # numbers that are drawn, to be used from any place on, in a circle


class Disturbed(TorchDispatchMode):
    """Inside it, float32 results of torch's operations are off in their last digits; the same way for the same seed.

    Every result is off by up to AMOUNT times HALF of itself. Where n terms are added up, rounding goes a random walk of
    n steps, as far as the typical size of such a sum times the root of n, times HALF: by so much sums are off as well,
    convolutions, matrix products and their gradients among them. Exact zeros stay, and so does float64.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)
        self._pattern = (torch.rand(_PATTERN, generator=self._generator) * 2 - 1).repeat(2)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, then disturb what it returns."""
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        is_view = any(returned.alias_info is not None for returned in func._schema.returns)
        if is_view or name in _EXACT or not any(map(_is_float, tree_leaves((args, kwargs)))):
            return result  # without a float among the arguments: a new tensor, or one of truth values
        for place, leaf in enumerate(tree_leaves(result)):
            if _is_float(leaf) and leaf.dtype == torch.float32 and leaf.numel():
                self._move(leaf, _walk(name, args, place, leaf))
        return result

    def _move(self, tensor: torch.Tensor, walk: float) -> None:
        start = int(torch.randint(_PATTERN, (1,), generator=self._generator))
        pattern = self._pattern[start : start + _PATTERN]
        channels_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
        if tensor.is_contiguous() or channels_last:
            pieces = tensor.as_strided((tensor.numel(),), (1,)).split(_PATTERN)
        else:
            pieces = (tensor,)
            pattern = pattern.repeat(-(-tensor.numel() // _PATTERN))
        for piece in pieces:
            drawn = pattern[: piece.numel()].reshape(piece.shape)
            if walk:
                drawn = drawn * (piece.abs() * (AMOUNT * HALF) + walk)
                piece.add_(drawn.masked_fill_(piece == 0, 0.0))
            else:
                piece.addcmul_(piece, drawn, value=AMOUNT * HALF)


def _walk(name: str, args: Any, place: int, result: torch.Tensor) -> float:
    """Return how far rounding moves the sums that a result consists of; 0 where it consists of none."""
    count = _terms(name, args, place)
    if name in ("sum", "mean"):
        count = args[0].numel() // result.numel()
        typical = float(args[0].square().sum() / result.numel()) ** 0.5 / (1 if name == "sum" else count)
    elif count:
        typical = float(result.square().mean()) ** 0.5
    return HALF * count**0.5 * typical if count else 0.0


def _terms(name: str, args: Any, place: int) -> int:
    """Return over how many terms each entry of a convolution, of a matrix product or of their gradients sums."""
    if name == "convolution":
        return args[1][0].numel()
    if name == "convolution_backward":  # gradients to input, weight, bias
        out, weight = args[0], args[2]
        return weight.numel() // weight.shape[1] if place == 0 else out.numel() // out.shape[1]
    if name in ("mm", "bmm"):
        return args[0].shape[-1]
    return args[1].shape[-1] if name in ("addmm", "baddbmm") else 0


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


class Moved(NamedTuple):
    """Largest absolute difference and root mean square of the differences."""

    largest: float
    typical: float


class Result(NamedTuple):
    """A quantity as tvface computes it, and from each disturbed run."""

    value: Any
    others: tuple[Any, ...]


def repeated(compute: Callable[[], Mapping[str, Any]], runs: int | None = None) -> dict[str, Result]:
    """Return what ``compute`` returns, by name, undisturbed and from ``runs`` disturbed runs, by default RUNS."""
    value, others = compute(), []
    for seed in range(RUNS if runs is None else runs):
        with Disturbed(seed):
            others.append(compute())
    return {name: Result(value[name], tuple(other[name] for other in others)) for name in value}


def as_array(value: Any) -> np.ndarray:
    """Return a tensor, array or number as an array."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def magnitude(differences: np.ndarray) -> Moved:
    """Return the largest absolute value and the root mean square, 0 for an empty array."""
    if not differences.size:
        return Moved(0.0, 0.0)
    return Moved(float(np.abs(differences).max()), float(np.sqrt(np.square(differences).mean())))


def moved(result: Result, counted: np.ndarray | None = None) -> Moved:
    """Return how far an array or a number moved at most; ``counted`` (of its shape) says which entries count."""
    value = as_array(result.value).astype(np.float64)
    found = [as_array(other).astype(np.float64) - value for other in result.others]
    return _furthest([magnitude(d if counted is None else d[counted]) for d in found])


def norm(gradient: torch.Tensor | None) -> float:
    """Return the Euclidean norm, summed in float64."""
    assert gradient is not None
    return float(gradient.double().norm())


def moved_norm(result: Result) -> Moved:
    """Return how far the Euclidean norm of a tensor moved.

    The square of the norm is a sum over parts, runs of neighbouring entries: how far the sum moved, but at least what
    the parts moved, added up as independent errors, and what the square of the error itself adds (all there is of a
    gradient whose truth is zero).
    """
    mine, found = as_array(result.value).astype(np.float64).ravel(), []
    for other in (as_array(other).astype(np.float64).ravel() for other in result.others):
        total = float(np.linalg.norm(mine) + np.linalg.norm(other))
        parts = np.array([part.sum() for part in np.array_split(other**2 - mine**2, min(PARTS, mine.size))])
        far = max(abs(float(parts.sum())), float(np.linalg.norm(parts)), float(np.square(other - mine).sum()))
        found.append(Moved(far / total, far / total) if total > 0 else Moved(0.0, 0.0))
    return _furthest(found)


def moved_sum(terms: Result) -> Moved:
    """Return how far a sum moves whose terms are given: what the terms moved, added up as independent errors."""
    mine = as_array(terms.value).astype(np.float64)
    found = [float(np.linalg.norm(as_array(other) - mine)) for other in terms.others]
    return _furthest([Moved(far, far) for far in found])


def _furthest(found: Sequence[Moved]) -> Moved:
    return Moved(max(one.largest for one in found), max(one.typical for one in found))
