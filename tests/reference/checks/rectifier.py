"""Units of a hidden layer that stand so near to zero that float32 leaves open whether the rectifier lets them pass.

Where many stand there, the disturbed runs of :mod:`~tests.reference.checks.rounding` throw some of them to either side,
and what that does is in their moves. Of the two thousand units before an encoder's codes there is one, or none: whether
two disturbed runs catch it is chance. So it is found from its value, and what it does to the gradients of its layer is
computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.reference.checks.rounding import TIMES, Moved, Result, as_array, moved


@contextmanager
def recorded(layers: nn.Sequential, found: dict[str, Any], name: str) -> Iterator[None]:
    """Record layer 0 (linear) and 1 (its rectifier), forward and backward, for :func:`moved_by_open_units`."""

    def forward(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        found[f"{name} inputs"], found[f"{name} before"] = inputs[0].detach().clone(), output.detach().clone()

    def rectified(_: nn.Module, __: Any, output: torch.Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: found.update({f"{name} beyond": gradient.clone()}))

    hooks = (layers[0].register_forward_hook(forward), layers[1].register_forward_hook(rectified))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def moved_by_open_units(found: dict[str, Result], name: str) -> dict[str, Moved]:
    """Return how far the norms of the gradients to the layer's weight and bias move if its open units turn over.

    Args:
        found: by name with what :func:`recorded` adds: inputs (B, N) of the layer, values (B, M) before the rectifier,
            gradient (B, M) beyond it.
    """
    inputs, before, beyond = (as_array(found[f"{name} {part}"].value) for part in ("inputs", "before", "beyond"))
    open_units = np.abs(before) <= TIMES * moved(found[f"{name} before"]).typical
    passed = beyond * (before > 0)
    turned = []
    for features in (inputs.astype(np.float64), np.ones((len(inputs), 1))):  # of the weight, of the bias
        gradient = passed.T @ features
        change = np.where(before > 0, -beyond, beyond)  # of the gradient before the rectifier, for each unit by itself
        squares = 2 * (features @ gradient.T) * change + np.square(change) * np.square(features).sum(1, keepdims=True)
        far = float(np.abs(squares[open_units]).sum()) / (2 * float(np.linalg.norm(gradient)))
        turned.append(Moved(far, far))
    return dict(zip(("weight", "bias"), turned, strict=True))
