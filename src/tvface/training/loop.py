"""The training loop: one phase of one model, from a checkpoint or from the start, to the wanted number of steps.

The loss of a step depends on seed, step and weights alone, so a run that was interrupted and resumed gives the same
bits on a CPU as one that was not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from tvface.settings.model import Phase, Train
from tvface.stages.base import logger, progress
from tvface.training.checkpoint import CheckpointStore
from tvface.training.data import Clip, Sampler, Window, fixed_windows
from tvface.training.schedule import learning_rate

_log = logger("train")


class TrainingDiverged(FloatingPointError):
    """A loss or gradient is not finite; the message names step, windows and terms, and what to try."""


@dataclass
class Curve:
    """Logged values: rows ``[step, part, term, value]`` and the sums since the last row of the training part."""

    rows: list[list[Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    count: int = 0

    def add(self, values: dict[str, float]) -> None:
        """Take in one training step."""
        for term, value in values.items():
            self.sums[term] += value
        self.count += 1

    def flush(self, step: int) -> None:
        """Write the means since the last call, if there were steps."""
        if self.count:
            self.rows += [[step, "train", term, total / self.count] for term, total in self.sums.items()]
        self.sums, self.count = defaultdict(float), 0

    def state(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {"rows": self.rows, "sums": dict(self.sums), "count": self.count}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Curve:
        """Return the curve of :meth:`state`."""
        return cls(state["rows"], defaultdict(float, state["sums"]), state["count"])


class Task(nn.Module):
    """What the loop trains. ``forward(window, step)`` returns the weighted terms; ``step`` is None in validation."""

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters which the optimiser moves."""
        raise NotImplementedError

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the state that checkpoints and results hold."""
        raise NotImplementedError

    def load_weights(self, state: dict[str, torch.Tensor]) -> None:
        """Load :meth:`weights`."""
        raise NotImplementedError

    def forward(self, window: Window, step: int | None) -> dict[str, torch.Tensor]:
        """Return the weighted loss terms of a window (scalars)."""
        raise NotImplementedError


def fit(
    fabric: Fabric,
    task: Task,
    sampler: Sampler,
    validation: Sequence[Clip],
    steps: int,
    phase: Phase,
    settings: Train,
    store: CheckpointStore,
) -> Curve:
    """Train ``task`` to ``steps`` optimiser steps with Adam and return its curve.

    Args:
        fabric: launched; device, precision and processes come from it.
        phase: learning rate and its schedule.
        sampler: training windows of this process.
        validation: clips whose middle windows are judged at step 0, every ``validate_every`` steps and at the end;
            empty: no validation rows.
        store: where to resume from and to write to; process 0 writes.

    Raises:
        TrainingDiverged: a loss or gradient is not finite. The checkpoints written before stay.
    """
    torch.manual_seed(sampler.seed)
    optimiser = torch.optim.Adam(task.trained(), lr=phase.learning_rate)
    state = store.newest(steps)
    curve, done = Curve(), 0
    if state is not None:
        task.load_weights(state["weights"])
    wrapped, wrapped_optimiser = fabric.setup(task, optimiser)
    if state is not None:
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["rng"])
        curve, done = Curve.restored(state["curve"]), int(state["step"])
    else:
        _validate(fabric, wrapped, validation, sampler, 0, curve)
    for step in progress(range(done, steps), "training", steps - done):
        window = sampler.window(step).to(fabric.device)
        terms = wrapped(window, step)
        total = torch.stack(list(terms.values())).sum()
        values = {**{name: float(term.detach()) for name, term in terms.items()}, "total": float(total.detach())}
        wrapped_optimiser.zero_grad(set_to_none=True)
        fabric.backward(total)
        _require_finite(fabric, task, total, values, step, window)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(phase.learning_rate, step, steps, phase.schedule)
        wrapped_optimiser.step()
        curve.add(_mean_over_processes(fabric, values))
        done = step + 1
        if done == 1 or done % settings.log_every == 0 or done == steps:
            curve.flush(done)
        if done % settings.validate_every == 0 or done == steps:
            _validate(fabric, wrapped, validation, sampler, done, curve)
        if (done % settings.checkpoint_every == 0 or done == steps) and fabric.is_global_zero:
            checkpoint = {
                "weights": task.weights(),
                "optimiser": optimiser.state_dict(),
                "rng": torch.get_rng_state(),
                "curve": curve.state(),
            }
            store.save(done, checkpoint)
    return curve


def _validate(
    fabric: Fabric, task: nn.Module, clips: Sequence[Clip], sampler: Sampler, step: int, curve: Curve
) -> None:
    """Append the mean of every term over the validation clips, all in evaluation mode and without gradient."""
    if not clips:
        return
    task.eval()
    sums: dict[str, float] = defaultdict(float)
    with torch.no_grad():
        for window in fixed_windows(clips, sampler.frames, sampler.batch):
            terms = task(window.to(fabric.device), None)
            for name, term in terms.items():
                sums[name] += float(term) * len(window.names)
    task.train()
    means = {name: total / len(clips) for name, total in sums.items()}
    means["total"] = sum(means.values())
    curve.rows += [[step, "validation", term, value] for term, value in means.items()]


def _require_finite(
    fabric: Fabric, task: Task, total: torch.Tensor, values: dict[str, float], step: int, window: Window
) -> None:
    gradients = [parameter.grad for parameter in task.trained() if parameter.grad is not None]
    norm = torch.stack(torch._foreach_norm(gradients)).norm() if gradients else total.new_zeros(())
    fine = torch.isfinite(total.detach()) & torch.isfinite(norm)
    # Every process must stop, or the others would wait for this one for ever.
    all_fine = bool(fine) if fabric.world_size == 1 else bool(fabric.all_reduce(fine.float(), reduce_op="mean") == 1)
    if all_fine:
        return
    what = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
    raise TrainingDiverged(
        f"training diverged at step {step + 1} on {', '.join(window.names)}: {what}, gradient norm {float(norm):.3g}. "
        "The last checkpoint is kept; lower the phase's learning_rate, or look at these sequences"
    )


def _mean_over_processes(fabric: Fabric, values: dict[str, float]) -> dict[str, float]:
    if fabric.world_size == 1:
        return values
    reduced = fabric.all_reduce(torch.tensor(list(values.values()), device=fabric.device), reduce_op="mean")
    assert isinstance(reduced, torch.Tensor)
    return dict(zip(values, reduced.tolist(), strict=True))
