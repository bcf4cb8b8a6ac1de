"""The training loop: one phase of one model, from a checkpoint or from the start, to the wanted number of steps.

The loss of a step depends on seed, step and weights alone, so a run that was interrupted and resumed gives the same
bits on a CPU as one that was not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import nn

from tvface.model.clips import Clip
from tvface.model.window import Window
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings.model import Train
from tvface.settings.phases import Phase
from tvface.training.acceleration import one_pass
from tvface.training.checkpoint import CheckpointStore
from tvface.training.sampler import fixed_windows
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


class Windows(Protocol):
    """Where the windows of the training steps come from: a function of the seed and the step alone."""

    @property
    def seed(self) -> int:
        """Seed of the choice."""
        ...

    @property
    def batch(self) -> int:
        """Windows per step."""
        ...

    @property
    def frames(self) -> int:
        """Frames per window."""
        ...

    def window(self, step: int, device: torch.device) -> Window:
        """Return the windows of a step, on a device."""
        ...

    def names(self, step: int) -> tuple[str, ...]:
        """Return their names."""
        ...


class Task(nn.Module):
    """What the loop trains. ``forward(window, step)`` returns the weighted terms; ``step`` is None in validation."""

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters which the optimiser moves."""
        raise NotImplementedError

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of :meth:`trained` for the optimiser: ``params``, and their learning rate relative to the
        phase's (``rate``), 0 in the first ``wait`` steps."""
        return [{"params": self.trained(), "rate": 1.0, "wait": 0}]

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
    sampler: Windows,
    validation: Sequence[Clip],
    steps: int,
    phase: Phase,
    settings: Train,
    store: CheckpointStore,
    deferred: bool | None = None,
) -> Curve:
    """Train ``task`` to ``steps`` optimiser steps with Adam and return its curve.

    Args:
        fabric: launched; device, precision and processes come from it.
        phase: learning rate and its schedule.
        sampler: training windows of this process.
        validation: clips whose middle windows are judged at step 0, every ``validate_every`` steps and at the end;
            empty: no validation rows.
        store: where to resume from and to write to; process 0 writes.
        deferred: judge and log the steps in groups instead of one by one; None: on a GPU.

    Raises:
        TrainingDiverged: a loss or gradient is not finite. No step is taken with it or after it, and the checkpoints
            written before stay.
    """
    torch.manual_seed(sampler.seed)
    # A GPU is not waited for in every step: it decides by itself whether a step counts, and is read when something is
    # logged or written. The processor's own arithmetic is judged at once.
    deferred = fabric.device.type == "cuda" if deferred is None else deferred
    # The fused kernel is the one that can be told, on the device, to leave the weights as they are.
    optimiser = torch.optim.Adam(task.groups(), lr=phase.learning_rate, fused=True if deferred else None)
    state = store.newest(steps)
    curve, done = Curve(), 0
    if state is not None:
        task.load_weights(state["weights"])
    wrapped, wrapped_optimiser = fabric.setup(task, optimiser)
    if state is not None:
        for group in state["optimiser"]["param_groups"]:
            group["fused"] = True if deferred else None  # the checkpoint may come from another kind of device
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["rng"])
        curve, done = Curve.restored(state["curve"]), int(state["step"])
    else:
        _validate(fabric, wrapped, validation, sampler, settings, 0, curve)
    judge = _Judge(fabric, task, sampler, curve)
    for step in progress(range(done, steps), "training", steps - done):
        window = sampler.window(step, fabric.device)
        wrapped_optimiser.zero_grad(set_to_none=True)
        with one_pass(settings):
            terms = wrapped(window, step)
            total = torch.stack(list(terms.values())).sum()
            fabric.backward(total)
        judge.take(step, terms, total)
        for group in optimiser.param_groups:
            rate = group["rate"] if step >= group["wait"] else 0.0
            group["lr"] = rate * learning_rate(phase.learning_rate, step, steps, phase.schedule)
        done = step + 1
        logs = done == 1 or done % settings.log_every == 0 or done == steps
        validates = done % settings.validate_every == 0 or done == steps
        writes = done % settings.checkpoint_every == 0 or done == steps
        if deferred:
            optimiser.found_inf = judge.failed  # type: ignore[attr-defined]  # GradScaler's way to skip a step
        else:
            judge.read()
        wrapped_optimiser.step()
        if deferred and (logs or validates or writes):
            judge.read()
        if logs:
            curve.flush(done)
        if validates:
            _validate(fabric, wrapped, validation, sampler, settings, done, curve)
        if writes and fabric.is_global_zero:
            checkpoint = {
                "weights": task.weights(),
                "optimiser": optimiser.state_dict(),
                "rng": torch.get_rng_state(),
                "curve": curve.state(),
            }
            store.save(done, checkpoint)
    return curve


def _validate(
    fabric: Fabric, task: nn.Module, clips: Sequence[Clip], sampler: Windows, settings: Train, step: int, curve: Curve
) -> None:
    """Append the mean of every term over the validation clips, all in evaluation mode and without gradient."""
    if not clips:
        return
    task.eval()
    sums: dict[str, Any] = defaultdict(float)
    with torch.no_grad():
        for window in fixed_windows(clips, sampler.frames, sampler.batch, fabric.device):
            with one_pass(settings, whole=len(window.names) == sampler.batch):
                terms = task(window, None)
            for name, term in terms.items():
                sums[name] += term.double() * len(window.names)
    task.train()
    means = {name: float(total) / len(clips) for name, total in sums.items()}
    means["total"] = sum(means.values())
    curve.rows += [[step, "validation", term, value] for term, value in means.items()]


class _Judge:
    """Collects what the steps gave, on the device, and looks whether it is finite.

    ``failed`` () float32 on the device is 1 from the first step on whose loss or gradient is not finite.
    """

    def __init__(self, fabric: Fabric, task: Task, sampler: Windows, curve: Curve) -> None:
        self.fabric, self.task, self.sampler, self.curve = fabric, task, sampler, curve
        self.failed = torch.zeros((), device=fabric.device)
        self._taken: list[tuple[int, torch.Tensor]] = []
        self._names: list[str] = []

    def take(self, step: int, terms: dict[str, torch.Tensor], total: torch.Tensor) -> None:
        """Keep the terms, their sum and the norm of the gradient of a step; nothing is copied to the processor."""
        gradients = [parameter.grad for parameter in self.task.trained() if parameter.grad is not None]
        norm = torch.stack(torch._foreach_norm(gradients)).norm() if gradients else total.new_zeros(())
        fine = (torch.isfinite(total.detach()) & torch.isfinite(norm)).float()
        if self.fabric.world_size > 1:
            # Every process must stop, or the others would wait for this one for ever.
            reduced = self.fabric.all_reduce(fine, reduce_op="mean")
            assert isinstance(reduced, torch.Tensor)
            fine = (reduced == 1).float()
        self.failed = torch.maximum(self.failed, 1 - fine)
        self._names = [*terms, "total"]
        values = [*terms.values(), total, norm, fine]
        self._taken.append((step, torch.stack([value.detach().float() for value in values])))

    def read(self) -> None:
        """Add the steps since the last call to the curve.

        Raises:
            TrainingDiverged: one of them is not finite.
        """
        taken, self._taken = self._taken, []
        if not taken:
            return
        table = torch.stack([values for _, values in taken])
        own = table.tolist()
        for (step, _), (*values, norm, fine) in zip(taken, own, strict=True):
            if fine != 1:
                what = ", ".join(f"{name} {value:.3g}" for name, value in zip(self._names, values, strict=True))
                raise TrainingDiverged(
                    f"training diverged at step {step + 1} on {', '.join(self.sampler.names(step))}: {what}, "
                    f"gradient norm {norm:.3g}. The last checkpoint is kept; lower the phase's learning_rate, or look "
                    "at these sequences"
                )
        if self.fabric.world_size > 1:
            reduced = self.fabric.all_reduce(table, reduce_op="mean")
            assert isinstance(reduced, torch.Tensor)
            own = reduced.tolist()
        for values in own:
            self.curve.add(dict(zip(self._names, values, strict=False)))
