"""Training learns, resumes, and writes what the backends read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.bundled.conftest import draw
from tvface.bundled import samples
from tvface.bundled.samples import Samples, SamplesError
from tvface.bundled.tasks import LandmarkTask, ParserTask, Task, class_frequency
from tvface.bundled.train import Recipe, main, train
from tvface.landmarkers.compact import Backend as Landmarker
from tvface.networks.bundles import LANDMARKS, WeightsError, load_bundle, save_bundle
from tvface.networks.compact import CompactLandmarks, CompactParser, soft_argmax
from tvface.parsers.compact import Backend as Parser
from tvface.settings.labels import Landmarks, Masks


class _SmallLandmarks(LandmarkTask):
    size = 64

    def network(self) -> CompactLandmarks:
        return CompactLandmarks(channels=16, depth=2)


class _SmallParser(ParserTask):
    size = 64

    def network(self) -> CompactParser:
        return CompactParser((8, 8, 12, 12, 16))


RECIPE = Recipe(steps=6, batch=4, held_out=4, report_every=3, half=False)


@pytest.mark.parametrize("task", [_SmallLandmarks(), _SmallParser()], ids=lambda task: task.name)
def test_the_loss_falls(task: Task, drawn: Samples, tmp_path: Path) -> None:
    _, curve = train(
        task, drawn, Recipe(steps=24, batch=4, rate=1e-2, held_out=4, report_every=8, half=False), tmp_path / "c.pt"
    )
    assert [row["step"] for row in curve] == [8, 16, 24]
    assert curve[-1]["loss"] < 0.9 * curve[0]["loss"]


def test_a_resumed_training_continues_the_curve(drawn: Samples, tmp_path: Path) -> None:
    class Stopped(RuntimeError):
        pass

    class Stopping(_SmallLandmarks):
        calls = 0

        def judge(self, net: torch.nn.Module, batches: object) -> dict[str, float]:
            self.calls += 1
            if self.calls == 2:
                raise Stopped
            return super().judge(net, batches)  # type: ignore[arg-type]

    checkpoint = tmp_path / "c.pt"
    with pytest.raises(Stopped):
        train(Stopping(), drawn, RECIPE, checkpoint)
    kept = torch.load(checkpoint, weights_only=True)
    assert kept["step"] == 3
    resumed, curve = train(_SmallLandmarks(), drawn, RECIPE, checkpoint)
    assert [row["step"] for row in curve] == [3, 6]
    with pytest.raises(ValueError, match="delete it to start anew"):
        train(_SmallLandmarks(), drawn, Recipe(steps=7, batch=4, held_out=4, half=False), checkpoint)
    assert any(not torch.equal(kept["net"][name], value) for name, value in resumed.state_dict().items())


def test_the_same_seed_gives_the_same_weights(drawn: Samples, tmp_path: Path) -> None:
    first, _ = train(_SmallParser(), drawn, RECIPE, tmp_path / "a.pt")
    second, _ = train(_SmallParser(), drawn, RECIPE, tmp_path / "b.pt")
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_the_command_writes_weights_and_card(tmp_path: Path) -> None:
    crops = draw(8, size=64)
    np.savez(tmp_path / "crops_0000.npz", images=crops.images, points=crops.points, labels=crops.labels)
    words = ["landmarks", "--crops", str(tmp_path), "--steps", "2", "--batch", "2", "--held-out", "2"]
    main([*words, "--threads", "1", "--float32", "--out", str(tmp_path)])
    bundle = load_bundle(tmp_path / LANDMARKS)
    assert bundle.about["recipe"]["steps"] == 2 and bundle.size == 128
    card = (tmp_path / LANDMARKS).with_suffix(".md").read_text()
    assert bundle.sha256 in card and "--steps 2" in card and "nme %" in card
    first = bundle.sha256
    (tmp_path / "more").mkdir()
    main(
        [
            *words,
            "--threads",
            "1",
            "--rate",
            "1e-9",
            "--start",
            str(tmp_path / LANDMARKS),
            "--out",
            str(tmp_path / "more"),
        ]
    )
    further = load_bundle(tmp_path / "more" / LANDMARKS)
    assert further.about["recipe"]["start"] == first
    for name, value in bundle.net.named_parameters():
        assert torch.allclose(value, further.net.get_parameter(name), atol=1e-6), "a rate of zero changes nothing"
    commands = (tmp_path / "more" / LANDMARKS).with_suffix(".md").read_text()
    assert commands.index("--float32") < commands.index("--start")
    assert f"--start {tmp_path.name}/{LANDMARKS} --out more\n" in commands, "names, and no folder of this machine"
    for written in (commands, json.dumps(further.about)):
        assert str(tmp_path.parent) not in written
    assert not list(tmp_path.glob(".*")), "the checkpoint goes when the weights are there"
    assert (tmp_path / LANDMARKS).stat().st_size < 4_000_000


def test_soft_argmax_reads_a_narrow_peak() -> None:
    heat = torch.zeros(1, 2, 32, 32)
    heat[0, 0, 5, 20] = heat[0, 1, 5, 20] = heat[0, 1, 5, 22] = 40.0
    points, spread = soft_argmax(heat)
    assert torch.allclose(points[0, 0], torch.tensor([20.5, 5.5]) / 32, atol=1e-4)
    assert torch.allclose(points[0, 1], torch.tensor([21.5, 5.5]) / 32, atol=1e-4)
    assert spread[0, 0] < 0.01 < spread[0, 1]
    assert spread[0, 1] == pytest.approx(1 / 32, rel=1e-2)


def test_confidence_is_calibrated_on_the_errors() -> None:
    task = LandmarkTask()
    generator = torch.Generator().manual_seed(0)
    spread = torch.rand(400, 68, generator=generator) * 0.1 + 0.005
    right = torch.rand(400, 68, generator=generator) < torch.sigmoid(-6 - 2 * spread.log())
    task._errors = lambda net, batches: (torch.where(right, 0.01, 0.2), spread)  # type: ignore[method-assign]
    net = CompactLandmarks()
    task.finish(net, [])
    assert net.calibration.tolist() == pytest.approx([-6, 2], abs=0.15)
    assert net.confidence(torch.tensor([0.01]))[0] > 0.9 > 0.5 > net.confidence(torch.tensor([0.1]))[0]


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="missing"):
        load_bundle(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(WeightsError, match="not a weight file"):
        load_bundle(tmp_path / "text.safetensors")
    net = CompactParser()
    save_bundle(tmp_path / "p.safetensors", net, 160, 2.0, {})
    save_bundle(tmp_path / "q.safetensors", net, 160, 2.0, {})
    assert (tmp_path / "p.safetensors").read_bytes() == (tmp_path / "q.safetensors").read_bytes()
    with pytest.raises(TypeError, match="CompactLandmarks"):
        Landmarker(Landmarks(), torch.device("cpu"), load_bundle(tmp_path / "p.safetensors"))


def test_crops_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="no shards"):
        samples.load(tmp_path)
    np.savez(tmp_path / "crops_0000.npz", images=np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(SamplesError, match="without points, labels"):
        samples.load(tmp_path)
    with pytest.raises(SamplesError, match="make more crops"):
        draw(4).split(4)


class _Dots(torch.nn.Module):
    """Heat maps that are the window's brightness to the third power, peaked where its one spot is."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        heat = 3 * torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 4).clamp_min(1e-4).log()
        return heat.expand(-1, 68, -1, -1)


def test_the_landmarker_maps_points_back_into_the_crop(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spots = rng.uniform(60, 140, (5, 2))
    y, x = np.mgrid[:200, :200]
    crops = np.stack([np.exp(-((x - a) ** 2 + (y - b) ** 2) / 300) for a, b in spots])
    crops = np.repeat((crops * 255).astype(np.uint8)[..., None], 3, 3)
    save_bundle(tmp_path / "l.safetensors", CompactLandmarks(), 128, 1.4, {})
    backend = Landmarker(Landmarks(refine=0, batch=2), torch.device("cpu"), load_bundle(tmp_path / "l.safetensors"))
    backend.heat = _Dots()
    boxes = np.tile(np.array([[50.0, 45, 150, 165]], np.float32), (5, 1))
    for flip in (False, True):
        backend.settings = Landmarks(refine=0, batch=2, flip=flip)
        points, confidence = backend.locate(crops, boxes)
        assert points.shape == (5, 68, 2) and points.dtype == confidence.dtype == np.float32
        assert np.abs(points - spots[:, None]).max() < 0.5
        assert ((confidence > 0) & (confidence < 1)).all()
    points, confidence = backend.locate(np.zeros((0, 64, 64, 3), np.uint8), np.zeros((0, 4), np.float32))
    assert points.shape == (0, 68, 2) and confidence.shape == (0, 68)


def test_the_parser_does_not_know_left_from_right(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_bundle(tmp_path / "p.safetensors", CompactParser(), 64, 2.0, {})
    backend = Parser(Masks(batch=2), torch.device("cpu"), load_bundle(tmp_path / "p.safetensors"))
    crops = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), np.uint8)
    labels = backend.parse(crops)
    assert labels.shape == (3, 96, 96) and labels.dtype == np.uint8 and labels.max() <= 18
    mirrored = backend.parse(np.ascontiguousarray(crops[:, :, ::-1]))[:, :, ::-1]
    from tvface.conventions.classes import MIRROR

    assert (MIRROR[mirrored] == labels).mean() > 0.999
    assert backend.parse(np.zeros((0, 96, 96, 3), np.uint8)).shape == (0, 96, 96)


def test_frequency_counts_every_class() -> None:
    labels = np.array([[[0, 1], [1, 18]]], np.uint8)
    frequency = class_frequency(labels)
    assert frequency[1] == 0.5 and frequency[0] == frequency[18] == 0.25 and frequency.sum() == 1
