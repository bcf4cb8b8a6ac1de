"""Two processes on the CPU do what one does with the doubled batch.

Batch normalisation is in evaluation here: each CPU process would take its own statistics (on GPUs the layers are
exchanged for ones that share them, ``training/acceleration.py``).
"""

from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import nn

from tests.training.conftest import bumpy_head
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.networks import deformable
from tvface.settings import as_mapping, parse_settings
from tvface.training.acceleration import accelerate
from tvface.training.phases import Conditions, PhaseTask
from tvface.training.sampler import Sampler

CASES = (("deca", "coarse"), ("temporal", "detail"))
STEPS = 3


def train(fabric: Fabric, folder: str, values: dict, batch: int) -> None:
    """Take plain gradient steps; process 0 writes losses, gradients and weights of every step."""
    torch.set_num_threads(1)
    settings = parse_settings(values)
    rows = read(Path(folder, "dataset.parquet"), DATASET).rows
    clips = load_clips(rows[rows["split"] == "train"], 32, settings.masks.classes)
    results = {}
    for name, phase in CASES:
        model = FaceModel(ModelSpec.of(name, settings.train, settings.head, 0), bumpy_head())
        task = PhaseTask(
            model, phase, getattr(settings.train, phase), conditions=Conditions(processes=fabric.world_size)
        ).eval()
        wrapped, optimizer = fabric.setup(task, torch.optim.SGD(task.trained(), lr=1e-3))
        sampler = Sampler(clips, batch, 3, 0, fabric.global_rank, fabric.world_size)
        steps = []
        for step in range(STEPS):
            optimizer.zero_grad()
            terms = wrapped(sampler.window(step), step)
            fabric.backward(torch.stack(list(terms.values())).sum())
            losses = {
                key: float(fabric.all_reduce(value.detach().clone(), reduce_op="mean")) for key, value in terms.items()
            }
            gradients = [p.grad.clone() for p in task.trained() if p.grad is not None]
            optimizer.step()
            steps.append((losses, gradients, [p.detach().clone() for p in task.trained()]))
        results[phase] = steps
    if fabric.is_global_zero:
        torch.save(results, Path(folder, f"{fabric.world_size}.pt"))


@pytest.mark.slow
def test_two_processes_equal_one_with_the_doubled_batch(project, tiny):
    values = as_mapping(tiny)
    train(Fabric(accelerator="cpu", devices=1), str(project), values, 4)
    two = Fabric(accelerator="cpu", devices=2, strategy="ddp_spawn", plugins=[LightningEnvironment()])
    two.launch(train, str(project), values, 2)
    alone, together = (torch.load(project / f"{count}.pt", weights_only=True) for count in (1, 2))
    for phase in ("coarse", "detail"):
        for (losses, gradients, weights), other in zip(alone[phase], together[phase], strict=True):
            assert losses.keys() == other[0].keys()
            for name, value in losses.items():
                assert other[0][name] == pytest.approx(value, rel=1e-5), (phase, name)
            assert len(gradients) == len(other[1]) > 10
            largest = max(float(gradient.abs().max()) for gradient in gradients)
            for ours, theirs in zip(gradients, other[1], strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6 * largest)
            for ours, theirs in zip(weights, other[2], strict=True):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert {"shape", "expression", "texture"} <= alone["coarse"][0][0].keys(), "the sums are among the terms"
    assert "symmetry" in alone["detail"][0][0]


def test_statistics_are_shared_on_gpus_only(tiny, monkeypatch):
    monkeypatch.setitem(deformable._FAULTS, "cuda", "")  # no kernel is tried on a GPU that may not be there
    spec = ModelSpec.of("temporal", tiny.train, tiny.head, 0)
    names = list(FaceModel(spec, bumpy_head()).state_dict())
    for device, shared in (("cpu", False), ("cuda", True)):
        model = FaceModel(spec, bumpy_head())
        before = torch.get_float32_matmul_precision()
        try:
            accelerate(model, tiny.train, torch.device(device), processes=2)
        finally:
            torch.set_float32_matmul_precision(before)
        layers = [type(m) for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.SyncBatchNorm)]
        assert set(layers) == {nn.SyncBatchNorm if shared else nn.BatchNorm2d}
        assert list(model.state_dict()) == names
