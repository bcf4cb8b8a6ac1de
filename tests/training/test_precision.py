"""train.precision: bf16-mixed: every phase of both models runs, near float32, with coordinates in float32."""

import math
from pathlib import Path

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from tests.training.conftest import TINY
from tvface.manifests import read
from tvface.manifests.train import TRAIN
from tvface.model.face_model import FaceModel
from tvface.networks import deformable
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.resnet import RegressionHead
from tvface.settings import merge, parse_settings
from tvface.stages import train
from tvface.training.phases import PHASES, PhaseTask
from tvface.training.precision import NetworksInBfloat16

CLOSE = 0.01
"""The largest difference of a term from float32's, as a share of the total: 0.0017 where this was written."""


class Watch:
    """Notes the dtypes that go through a training: of modules' results, codes, terms and windows."""

    def __init__(self, monkeypatch) -> None:
        self.seen: dict[str, set[torch.dtype]] = {}
        codes, deform, forward = FaceModel.codes, deformable.deform_conv2d, PhaseTask.forward

        def watched_codes(model, values):
            self.note("codes", values)
            return codes(model, values)

        def watched_forward(task, window, step):
            for name in ("images", "landmarks", "flows_forward"):
                self.note(f"window.{name}", getattr(window, name))
            terms = forward(task, window, step)
            for value in terms.values():
                self.note("terms", value)
            return terms

        def watched_deform(value, offset, *rest):
            self.note("deformable value", value)
            self.note("deformable offset", offset)
            return deform(value, offset, *rest)

        monkeypatch.setattr(FaceModel, "codes", watched_codes)
        monkeypatch.setattr(PhaseTask, "forward", watched_forward)
        monkeypatch.setattr(deformable, "deform_conv2d", watched_deform)

    def note(self, name: str, tensor: torch.Tensor) -> None:
        self.seen.setdefault(name, set()).add(tensor.dtype)

    def hook(self, module, arguments, output) -> None:
        if isinstance(module, torch.nn.Conv2d):  # one channel: the decoder's displacement
            self.note("last convolution" if module.out_channels == 1 else "convolution", output)
        elif isinstance(module, RegressionHead | DetailDecoder):
            self.note(type(module).__name__, output)


def run(precision: str, model: str, phase: str, folder: Path, initial: list[Path]) -> dict[tuple[str, int, str], float]:
    """Train two steps and return the curve."""
    train_settings = {"precision": precision, "log_every": 1, "validate_every": 1, phase: {"steps": 2}}
    out = {"manifest": folder / "curve.parquet", "weights": folder / "weights.safetensors"}
    inputs = {"dataset": Path("dataset.parquet"), "head": Path("head.npz"), "initial": initial}
    train.run(parse_settings(merge(TINY, {"train": train_settings})), inputs, out, shard=f"{model}/{phase}")
    manifest = read(out["manifest"], TRAIN)
    return {(row.part, row.step, row.term): row.value for row in manifest.rows.itertuples()}


@pytest.mark.parametrize("model", ["deca", "temporal"])
def test_two_steps_of_every_phase_in_bfloat16_are_near_those_in_float32(project, monkeypatch, model):
    initial: list[Path] = []
    for phase in PHASES:
        exact = run("32-true", model, phase, Path("exact", phase), initial)
        with monkeypatch.context() as patch:
            watch = Watch(patch)
            handle = register_module_forward_hook(watch.hook)
            try:
                mixed = run("bf16-mixed", model, phase, Path("mixed", phase), initial)
            finally:
                handle.remove()
        assert mixed.keys() == exact.keys() and all(map(math.isfinite, mixed.values()))
        for (part, step, term), value in exact.items():
            difference = abs(mixed[part, step, term] - value)
            assert difference < CLOSE * exact[part, step, "total"], (phase, part, step, term)
        dtypes = dict.fromkeys(("window.images", "window.landmarks", "window.flows_forward", "terms"), torch.float32)
        dtypes |= {"convolution": torch.bfloat16, "RegressionHead": torch.float32, "codes": torch.float32}
        if model == "temporal":
            dtypes |= {"deformable value": torch.bfloat16, "deformable offset": torch.float32}
        if phase == "detail":
            dtypes |= {"last convolution": torch.float32, "DetailDecoder": torch.float32}
        assert watch.seen == {name: {dtype} for name, dtype in dtypes.items()}
        initial = [Path("exact", phase, "weights.safetensors")]


def test_the_last_linear_layers_lose_nothing_in_mixed_precision():
    """Given the same features, the codes are those of float32 bit for bit."""
    torch.manual_seed(0)
    head, features = RegressionHead(16, 8, 5), torch.randn(3, 16).bfloat16()
    with torch.no_grad():
        exact = head(features.float())
        with torch.autocast("cpu", torch.bfloat16):
            mixed = head(features)
    assert torch.equal(exact, mixed) and not torch.equal(exact, exact.bfloat16().float())


def test_a_tensor_among_the_arguments_is_not_rounded():
    plugin = NetworksInBfloat16(torch.device("cpu"))
    precise = torch.tensor([0.123456789])
    assert plugin.convert_input(((precise,), {}))[0][0] is precise
