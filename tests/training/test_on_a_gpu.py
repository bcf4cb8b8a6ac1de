"""Training through the stage on a GPU: the CPU's losses in every phase, in bfloat16, in CUDA graphs, and resumed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.training.conftest import TINY
from tvface.manifests import read
from tvface.manifests.train import TRAIN
from tvface.settings import merge, parse_settings
from tvface.stages import train
from tvface.training.phases import PhaseTask

pytestmark = pytest.mark.gpu

BFLOAT16 = 0.05  # 8 bits of a factor, through a dozen layers
FIRST = 1e-4  # another order of summation
# The same after some steps of Adam, which makes a step of full size of a gradient that is nothing but rounding: noise
# of 2e-6 in the pictures becomes 5e-3 of a loss within twelve steps.
FLOAT32 = 2e-2


@pytest.fixture(autouse=True)
def arithmetic_as_before():
    """Training sets the process's arithmetic, and compiled code is kept."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]
    torch.compiler.reset()


def trained(name: str, shard: str, device: str, initial: list[Path] | None = None, **changes: object) -> pd.Series:
    """Run the stage into a folder; return the total losses by part and step."""
    values = merge(TINY, {"device": device, "train": {"tf32": False, "log_every": 1, **changes}})
    out = {"manifest": Path(name, "curve.parquet"), "weights": Path(name, "weights.safetensors")}
    inputs = {"dataset": Path("dataset.parquet"), "head": Path("head.npz"), "initial": initial or []}
    train.run(parse_settings(values), inputs, out, shard=shard)
    rows = read(out["manifest"], TRAIN).rows
    return rows[rows["term"] == "total"].set_index(["part", "step"])["value"]


def same(losses: pd.Series, expected: pd.Series, first: float = FIRST, later: float = FLOAT32) -> None:
    """Compare losses: those of the given weights, and those after steps."""
    untrained = expected.index.isin([("validation", 0), ("train", 1)])
    pd.testing.assert_series_equal(losses[untrained], expected[untrained], rtol=first)
    pd.testing.assert_series_equal(losses, expected, rtol=later)


@pytest.mark.parametrize("model", ["deca", "temporal"])
def test_every_phase_gives_the_losses_of_the_cpu(project, model):
    initial: list[Path] = []
    for phase in ("pretrain", "coarse", "detail"):
        expected = trained(f"cpu-{phase}", f"{model}/{phase}", "cpu", initial)
        losses = trained(f"cuda-{phase}", f"{model}/{phase}", "cuda", initial)
        same(losses, expected)
        initial = [Path(f"cpu-{phase}", "weights.safetensors")]


@pytest.mark.parametrize("model", ["deca", "temporal"])
@pytest.mark.parametrize("phase", ["pretrain", "coarse", "detail"])
def test_bfloat16_steps_are_near_those_of_float32(project, model, phase):
    expected = trained("single", f"{model}/{phase}", "cuda")
    losses = trained("half", f"{model}/{phase}", "cuda", precision="bf16-mixed")
    same(losses, expected, BFLOAT16, BFLOAT16)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_cuda_graphs_change_no_loss(project, precision):
    """With a validation between the steps, whose last batch is smaller than a step's."""
    expected = trained("eager", "temporal/coarse", "cuda", precision=precision, validate_every=2)
    losses = trained(
        "graphs", "temporal/coarse", "cuda", precision=precision, validate_every=2, compile="reduce-overhead"
    )
    same(losses, expected, *((FIRST, FLOAT32) if precision == "32-true" else (BFLOAT16, BFLOAT16)))


class Interrupted(Exception):
    """Ends a training between two checkpoints."""


def test_a_training_that_was_interrupted_goes_on_with_the_losses_of_one_that_was_not(project, monkeypatch):
    more = {"coarse": {"steps": 6}, "checkpoint_every": 2}
    expected = trained("whole", "temporal/coarse", "cuda", **more)
    forward, seen = PhaseTask.forward, []

    def interrupted(self, window, step):
        if step == 5 and 5 not in seen:
            seen.append(step)
            raise Interrupted
        seen.append(step)
        return forward(self, window, step)

    monkeypatch.setattr(PhaseTask, "forward", interrupted)
    with pytest.raises(Interrupted):
        trained("parts", "temporal/coarse", "cuda", **more)
    seen[:] = [5]
    losses = trained("parts", "temporal/coarse", "cuda", **more)
    assert [step for step in seen[1:] if step is not None] == [4, 5], "it went on after the checkpoint of step 4"
    same(losses, expected)
