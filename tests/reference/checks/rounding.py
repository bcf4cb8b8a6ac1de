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
NETWORK, FORMULA = 2.0**-21, 2.0**-23
"""Largest relative disturbance, evenly between plus and minus. An operation in float32 rounds by up to 2^-24; that of a
network by more, for it adds up thousands of terms, and its rectifiers must be seen to go both ways."""
RUNS = 2
TIMES = 2
"""The largest of two moves is a draw as well: another may be twice as far."""
PARTS = 64

# Results that are whole numbers, which a disturbance would turn into others, or copies of what is disturbed already.
_EXACT = frozenset(
    "round floor ceil trunc sign abs neg relu threshold_backward maximum minimum max min amax amin clamp clamp_min "
    "clamp_max max_pool2d_with_indices topk sort where masked_fill clone copy _to_copy cat stack index index_select "
    "gather flip roll repeat constant_pad_nd slice_backward select_backward ones_like zeros_like full_like".split()
)
_PATTERN = 1 << 20  # factors that are drawn; a result takes them from a place of its own on, in a circle


class Disturbed(TorchDispatchMode):
    """Inside it, float32 results of torch's operations are off in their last digits; the same way for the same seed.

    Exact zeros stay, and so does float64.
    """

    def __init__(self, seed: int, amount: float) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)
        self._factors = 1 + amount * (torch.rand(_PATTERN, generator=self._generator) * 2 - 1)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, then disturb what it returns."""
        result = func(*args, **(kwargs or {}))
        is_view = any(returned.alias_info is not None for returned in func._schema.returns)
        if is_view or func.overloadpacket.__name__ in _EXACT:
            return result
        if not any(_is_float(leaf) for leaf in tree_leaves((args, kwargs))):
            return result  # a new tensor, or one of whole numbers or truth values
        for leaf in tree_leaves(result):
            if _is_float(leaf) and leaf.dtype == torch.float32:
                self._move(leaf)
        return result

    def _move(self, tensor: torch.Tensor) -> None:
        start = int(torch.randint(_PATTERN, (1,), generator=self._generator))
        factors = self._factors.roll(-start)
        if torch.ops.aten.is_non_overlapping_and_dense(tensor):
            for part in tensor.as_strided((tensor.numel(),), (1,)).split(_PATTERN):
                part.mul_(factors[: len(part)])
        else:
            repeats = -(-tensor.numel() // _PATTERN)
            tensor.mul_(factors.repeat(repeats)[: tensor.numel()].reshape(tensor.shape))


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


def repeated(
    compute: Callable[[], Mapping[str, Any]], runs: int = RUNS, amount: float = NETWORK
) -> dict[str, Result]:
    """Return what ``compute`` returns, by name, undisturbed and from ``runs`` disturbed runs."""
    value, others = compute(), []
    for seed in range(runs):
        with Disturbed(seed, amount):
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
