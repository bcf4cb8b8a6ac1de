"""The loop as a GPU runs it (steps judged in groups), on the CPU."""

import torch
from lightning_fabric import Fabric

from tests.training.conftest import bumpy_head
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.runtime.logging import logger
from tvface.settings.phases import Phase
from tvface.training.checkpoint import CheckpointStore
from tvface.training.loop import TrainingDiverged, fit
from tvface.training.phases import PhaseTask
from tvface.training.sampler import Sampler

POISONED = 4  # step, counted from 0


class Poisoned(PhaseTask):
    """Gives a landmark term that is not a number in one step."""

    def forward(self, window, step):
        terms = super().forward(window, step)
        return {**terms, "landmark": terms["landmark"] * float("nan")} if step == POISONED else terms


def run(project, tiny, deferred: bool, kind=PhaseTask, steps: int = 6, folder: str = ""):
    """Train and return task, curve rows and the folder of checkpoints; what was raised instead of the curve."""
    rows = read(project / "dataset.parquet", DATASET).rows
    clips = {part: load_clips(rows[rows["split"] == part], 32, tiny.masks.classes) for part in ("train", "validation")}
    model = FaceModel(ModelSpec.of("deca", tiny.train, tiny.head, 0), bumpy_head())
    task = kind(model, "pretrain", tiny.train.pretrain)
    place = project / (folder or f"{kind.__name__}-{deferred}-{steps}")
    store = CheckpointStore(place, "same", 9, logger("train"))
    fabric = Fabric(accelerator="cpu", devices=1)
    sampler = Sampler(clips["train"], 2, 3, 0)
    try:
        rate = Phase(learning_rate=1e-3)
        curve = fit(fabric, task, sampler, clips["validation"], steps, rate, tiny.train, store, deferred)
    except TrainingDiverged as error:
        return task, error, place
    return task, curve.rows, place


def test_steps_judged_in_groups_are_the_same_steps(project, tiny):
    task, rows, _ = run(project, tiny, deferred=True)
    expected, expected_rows, _ = run(project, tiny, deferred=False)
    assert [row[:3] for row in rows] == [row[:3] for row in expected_rows]
    torch.testing.assert_close([row[3] for row in rows], [row[3] for row in expected_rows], rtol=1e-5, atol=1e-7)
    for ours, theirs in zip(task.trained(), expected.trained(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)  # the fused optimizer rounds otherwise


def test_a_checkpoint_of_one_kind_of_device_goes_on_on_the_other(project, tiny):
    """The optimizer's kernel is the device's choice, not the checkpoint's."""
    expected, _, _ = run(project, tiny, deferred=False)
    for first, second in ((False, True), (True, False)):
        run(project, tiny, first, steps=4, folder="mixed")
        task, rows, _ = run(project, tiny, second, steps=6, folder="mixed")
        assert [row[0] for row in rows if row[1] == "train" and row[2] == "total"] == [1, 2, 4, 6]
        for ours, theirs in zip(task.trained(), expected.trained(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
        for path in (project / "mixed").iterdir():
            path.unlink()


def test_no_step_is_taken_with_a_gradient_that_is_not_finite_or_after_it(project, tiny):
    task, error, folder = run(project, tiny, deferred=True, kind=Poisoned)
    # Steps are read when something is logged, after step 6 here; the message names the one that went wrong.
    assert "at step 5 on e1." in str(error) and "landmark nan" in str(error)
    _, same, _ = run(project, tiny, deferred=False, kind=Poisoned)
    assert str(same) == str(error)
    before, _, _ = run(project, tiny, deferred=True, steps=POISONED)
    for ours, theirs in zip(task.trained(), before.trained(), strict=True):
        assert torch.equal(ours, theirs)
    assert sorted(path.name for path in folder.iterdir()) == ["step_00000002.pt", "step_00000004.pt"]


def test_adam_can_be_told_to_leave_the_weights():
    """What the loop relies on."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=0.1, fused=True)
    weight.grad = torch.full((3,), float("nan"))
    optimizer.found_inf = torch.ones(())
    optimizer.step()
    assert torch.equal(weight.detach(), torch.ones(3))
    weight.grad, optimizer.found_inf = torch.ones(3), torch.zeros(())
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.full((3,), 0.9))
