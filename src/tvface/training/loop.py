"""The training loop: one phase of one model, from a checkpoint or from the start, up to a number of steps.

The loss of a step depends on seed, step and weights alone, so a run that was interrupted and resumed gives the same
bits on a CPU as one that was not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric

from tvface.model.clips import Clip
from tvface.settings.model import Train
from tvface.settings.phases import Phase
from tvface.training.acceleration import one_pass
from tvface.training.checkpoint import CheckpointStore
from tvface.training.journal import Journal
from tvface.training.sampler import fixed_windows
from tvface.training.schedule import learning_rate
from tvface.training.task import Task, Windows

# Key of the optimizer's state in checkpoints; existing files have this spelling.
_OPTIMIZER = "optimiser"


class TrainingDiverged(FloatingPointError):
    """A loss or gradient is not finite; the message names step, windows and terms, and what to try."""


@dataclass
class Curve:
    """Logged values: rows ``[step, part, term, value]`` and the sums since the last row of the training part."""

    rows: list[list[Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    count: int = 0

    def add(self, values: dict[str, float]) -> None:
        """Add the terms of one training step."""
        for term, value in values.items():
            self.sums[term] += value
        self.count += 1

    def flush(self, step: int) -> dict[str, float]:
        """Append the means since the last call as rows, if there were steps, and return them."""
        means = {term: total / self.count for term, total in self.sums.items()} if self.count else {}
        self.rows += [[step, "train", term, mean] for term, mean in means.items()]
        self.sums, self.count = defaultdict(float), 0
        return means

    def state(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {"rows": self.rows, "sums": dict(self.sums), "count": self.count}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Curve:
        """Return the curve from what :meth:`state` returned."""
        return cls(state["rows"], defaultdict(float, state["sums"]), state["count"])


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
    journal: Journal | None = None,
) -> Curve:
    """Train ``task`` to ``steps`` optimizer steps with Adam and return its curve.

    Args:
        fabric: launched; device, precision and processes come from it.
        phase: learning rate and its schedule.
        sampler: training windows of this process.
        validation: clips whose middle windows are judged at step 0, every ``validate_every`` steps and at the end;
            empty: no validation rows.
        store: checkpoints to resume from and to write; process 0 writes.
        deferred: check and log the steps in groups instead of one by one; None: on a GPU only.
        journal: what is recorded while it runs; None: lines in the log.

    Raises:
        TrainingDiverged: a loss or gradient is not finite. No step is taken with it or after it, and the checkpoints
            written before stay.
    """
    torch.manual_seed(sampler.seed)
    # The loop does not wait for a GPU in every step: the GPU itself skips a step that is not finite, and its results
    # are read when something is logged or written. On a CPU every step is checked at once.
    deferred = fabric.device.type == "cuda" if deferred is None else deferred
    run = _Run(fabric, task, sampler, validation, steps, phase, settings, store, deferred, journal or Journal())
    try:
        for step in range(run.begin(), steps):
            run.take(step)
    finally:
        run.journal.close()
    return run.curve


@dataclass(frozen=True)
class _Due:
    """What follows a step."""

    logs: bool
    validates: bool
    writes: bool
    draws: bool

    @classmethod
    def after(cls, done: int, steps: int, settings: Train) -> _Due:
        last = done == steps
        return cls(
            done == 1 or done % settings.log_every == 0 or last,
            done % settings.validate_every == 0 or last,
            done % settings.checkpoint_every == 0 or last,
            (settings.pictures_every is not None and done % settings.pictures_every == 0) or last,
        )


@dataclass
class _Run:
    """A training under way; the fields are the arguments of :func:`fit`."""

    fabric: Fabric
    task: Task
    sampler: Windows
    validation: Sequence[Clip]
    steps: int
    phase: Phase
    settings: Train
    store: CheckpointStore
    deferred: bool
    journal: Journal
    curve: Curve = field(default_factory=Curve)

    def begin(self) -> int:
        """Create the optimizer and load the newest checkpoint, or validate the start; return the steps done."""
        # Only the fused kernel can skip a step by a flag on the device.
        fused = True if self.deferred else None
        self.optimizer = torch.optim.Adam(self.task.groups(), lr=self.phase.learning_rate, fused=fused)
        state = self.store.newest(self.steps)
        if state is not None:
            self.task.load_weights(state["weights"])
        self._wrapped, self._wrapped_optimizer = self.fabric.setup(self.task, self.optimizer)
        if state is not None:
            for group in state[_OPTIMIZER]["param_groups"]:
                group["fused"] = fused  # the checkpoint may come from another kind of device
            self.optimizer.load_state_dict(state[_OPTIMIZER])
            torch.set_rng_state(state["rng"])
            self.curve = Curve.restored(state["curve"])
        self._judge = _Judge(self.fabric, self.task, self.sampler, self.curve)
        done = 0 if state is None else int(state["step"])
        if self.fabric.is_global_zero:
            images = self.sampler.batch * self.sampler.frames * self.fabric.world_size
            self.journal.begin(self.steps, done, images, self.curve.rows)
        if state is None:
            self._validate(0)
        return done

    def take(self, step: int) -> None:
        """Take one step, and do what is due after it."""
        self._backward(step)
        self._set_rates(step)
        done = step + 1
        due = _Due.after(done, self.steps, self.settings)
        if self.deferred:
            # GradScaler's way to skip a step
            self.optimizer.found_inf = self._judge.failed  # type: ignore[attr-defined]
        else:
            self._judge.read()
        self._wrapped_optimizer.step()
        if self.deferred and (due.logs or due.validates or due.writes):
            self._judge.read()
        if due.logs:
            means = self.curve.flush(done)
            if self.fabric.is_global_zero:
                self.journal.training(done, means, self.optimizer.param_groups[0]["lr"], self._judge.norm)
        if due.validates:
            self._validate(done)
        if due.draws and self.fabric.is_global_zero:
            self._draw(done)
        if due.writes and self.fabric.is_global_zero:
            self._save(done)

    def _backward(self, step: int) -> None:
        window = self.sampler.window(step, self.fabric.device)
        self._wrapped_optimizer.zero_grad(set_to_none=True)
        with one_pass(self.settings):
            terms = self._wrapped(window, step)
            total = torch.stack(list(terms.values())).sum()
            self.fabric.backward(total)
        norm = self._judge.take(step, terms, total)
        if self.phase.clip_norm is not None:
            gradients = [p.grad for p in self.task.trained() if p.grad is not None]
            # A norm that is not finite makes the step fail in any case.
            torch._foreach_mul_(gradients, (self.phase.clip_norm / norm.clamp_min(1e-12)).clamp(max=1.0))

    def _set_rates(self, step: int) -> None:
        for group in self.optimizer.param_groups:
            rate = group["rate"] if step >= group["wait"] else 0.0
            phase = self.phase
            group["lr"] = rate * learning_rate(phase.learning_rate, step, self.steps, phase.schedule, phase.warm_up)

    def _save(self, done: int) -> None:
        checkpoint = {
            "weights": self.task.weights(),
            _OPTIMIZER: self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "curve": self.curve.state(),
        }
        self.store.save(done, checkpoint)

    def _draw(self, step: int) -> None:
        """Draw the same validation windows every time."""
        if self.journal.folder is None or not self.validation:
            return
        shown = self.validation[: self.settings.pictures]
        self.task.eval()
        with torch.no_grad(), self.fabric.autocast():
            for window in fixed_windows(shown, self.sampler.frames, len(shown), self.fabric.device):
                picture = self.task.picture(window)
                if picture is not None:
                    self.journal.picture(step, picture)
        self.task.train()

    def _validate(self, step: int) -> None:
        """Append the mean of every term over the validation clips, all in evaluation mode and without gradient."""
        if not self.validation:
            return
        self._wrapped.eval()
        sums: dict[str, Any] = defaultdict(float)
        with torch.no_grad():
            for window in fixed_windows(self.validation, self.sampler.frames, self.sampler.batch, self.fabric.device):
                with one_pass(self.settings, whole=len(window.names) == self.sampler.batch):
                    terms = self._wrapped(window, None)
                for name, term in terms.items():
                    sums[name] += term.double() * len(window.names)
        self._wrapped.train()
        means = {name: float(total) / len(self.validation) for name, total in sums.items()}
        means["total"] = sum(means.values())
        if not math.isfinite(means["total"]):
            what = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
            raise TrainingDiverged(
                f"the validation after step {step} is not finite: {what}. The last checkpoint is kept; lower the "
                "phase's learning_rate, or look at the validation sequences"
            )
        self.curve.rows += [[step, "validation", term, value] for term, value in means.items()]
        if self.fabric.is_global_zero:
            self.journal.validation(step, means)


class _Judge:
    """Collects the terms and gradient norms of the steps on the device and checks that they are finite.

    ``failed`` () float32 on the device is 1 from the first step on whose loss or gradient is not finite.
    """

    def __init__(self, fabric: Fabric, task: Task, sampler: Windows, curve: Curve) -> None:
        self.fabric, self.task, self.sampler, self.curve = fabric, task, sampler, curve
        self.failed = torch.zeros((), device=fabric.device)
        self.norm = 0.0
        self._taken: list[tuple[int, torch.Tensor]] = []
        self._names: list[str] = []

    def take(self, step: int, terms: dict[str, torch.Tensor], total: torch.Tensor) -> torch.Tensor:
        """Keep the terms, their sum and the norm of the gradient of a step, and return the norm (); nothing goes to
        the processor."""
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
        return norm.detach()

    def read(self) -> None:
        """Add the steps since the last call to the curve.

        Raises:
            TrainingDiverged: one of them is not finite.
        """
        taken, self._taken = self._taken, []
        if not taken:
            return
        table = torch.stack([values for _, values in taken])
        values_of_steps = table.tolist()
        for (step, _), (*values, norm, fine) in zip(taken, values_of_steps, strict=True):
            self.norm = norm
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
            values_of_steps = reduced.tolist()
        for values in values_of_steps:
            self.curve.add(dict(zip(self._names, values, strict=False)))
