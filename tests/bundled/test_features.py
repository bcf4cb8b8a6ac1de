"""Features that the demo's encoders start from: their windows, their training, what starts from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.bundled.conftest import draw
from tests.training.conftest import TINY, bumpy_head
from tvface.assets import registry as assets
from tvface.bundled.features import CropSampler, features_file, main
from tvface.dag.needs import needs, require
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.published import warm_start
from tvface.model.weights_files import load_weights, read_spec
from tvface.networks.loading import CheckpointError
from tvface.settings import SettingsError, parse_settings


def sampler(**changes) -> CropSampler:
    options = {"classes": (1,), "size": 32, "batch": 3, "frames": 1, "seed": 0} | changes
    return CropSampler(draw(7), **options)


def test_every_crop_comes_once_per_round_in_a_window_that_depends_on_seed_and_step_alone():
    items = sampler()
    names = [name for step in range(7) for name in items.names(step)]
    assert sorted(names[:7]) == sorted(names[7:14]) == [f"crop {i}" for i in range(7)] and names[:7] != names[7:14]
    one, again, other = items.window(3), sampler().window(3), sampler(seed=1).window(3)
    assert torch.equal(one.images, again.images) and not torch.equal(one.landmarks, other.landmarks)
    assert one.images.shape == (3, 1, 3, 32, 32) and one.masks.shape == (3, 1, 1, 32, 32)
    assert one.landmarks.shape == (3, 1, 68, 2) and one.flows_backward.shape == (3, 0, 2, 16, 16)


def test_the_mean_window_is_the_pipelines_crop_with_points_where_the_face_is():
    window = sampler().cut(range(7), None)
    inside = window.masks[:, 0, 0]
    grid = torch.stack(torch.meshgrid(*[(torch.arange(32) + 0.5) / 16 - 1] * 2, indexing="xy"), -1)
    centre = (inside[..., None] * grid).sum((1, 2)) / inside.sum((1, 2))[:, None]
    # The drawn ellipse stands at the mean of the points.
    torch.testing.assert_close(centre, window.landmarks[:, 0].mean(1), atol=0.06, rtol=0)
    low, high = window.landmarks[:, 0].amin(1), window.landmarks[:, 0].amax(1)
    torch.testing.assert_close((high - low).mean(1), torch.full((7,), 2 / 1.16 / 1.25), atol=0.02, rtol=0)


def test_frames_of_a_window_move_with_their_flow():
    window = sampler(frames=2, batch=7, size=64).window(0)
    grid = torch.nn.functional.affine_grid(torch.eye(2, 3)[None].repeat(7, 1, 1), [7, 3, 32, 32], align_corners=False)
    small = torch.nn.functional.avg_pool2d(window.images.flatten(0, 1), 2).unflatten(0, (7, 2))
    places = grid + window.flows_backward[:, 0].permute(0, 2, 3, 1) * 2 / 32
    brought = torch.nn.functional.grid_sample(small[:, 1], places, align_corners=False)
    moved, left = ((x - small[:, 0])[:, :, 8:-8, 8:-8].abs().mean() for x in (brought, small[:, 1]))
    assert moved < 0.5 * left


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    drawn = draw(8)
    np.savez(tmp_path / "crops_0000.npz", images=drawn.images, points=drawn.points, labels=drawn.labels)
    bumpy_head().save(tmp_path / "head.npz")
    (tmp_path / "config.yaml").write_text(json.dumps(TINY))
    return tmp_path


def command(crops: Path, model: str, *more: str) -> Path:
    words = [model, "--crops", str(crops), "--config", str(crops / "config.yaml"), "--out", str(crops)]
    main([*words, "--steps", "3", "--batch", "2", "--held-out", "2", *more])
    return crops / features_file(model)


def test_the_command_writes_features_from_which_a_training_starts_at_the_mean_head(crops: Path):
    settings = parse_settings(TINY)
    for model, frames in (("deca", "1"), ("temporal", "2")):
        path = command(crops, model, "--frames", frames)
        held = load_weights(path)
        assert held and all(n.startswith("coarse_encoder.") and ".layers." not in n for n in held)
        card = path.with_suffix(".md").read_text()
        assert f"features {model} --crops {crops.name} --config {crops.name}/config.yaml" in card
        assert str(crops) not in card and "untrained_nme_percent" in card
        assert not list(crops.glob(".features*")), "the checkpoints go when the weights are there"
        spec = ModelSpec.of(model, settings.train, settings.head, 0)
        started, plain = FaceModel(spec, bumpy_head()), FaceModel(spec, bumpy_head())
        reports = warm_start(started, {"features": str(path)})
        assert [len(report.loaded) for report in reports] == [len(held)] * 2 and not reports[0].unused
        for encoder in (started.coarse_encoder, started.detail_encoder):
            weights = encoder.state_dict()
            for name, tensor in held.items():
                assert torch.equal(
                    weights[name.removeprefix("coarse_encoder.")], tensor.to(weights[name[15:]].dtype)
                ), name
        for name, tensor in plain.coarse_encoder.layers.state_dict().items():
            assert torch.equal(started.coarse_encoder.layers.state_dict()[name], tensor)
        again = command(crops, model, "--frames", frames)
        assert all(torch.equal(held[name], tensor) for name, tensor in load_weights(again).items())


def test_features_that_do_not_fit_are_told(crops: Path):
    path = command(crops, "deca")
    settings = parse_settings(TINY)
    temporal = FaceModel(ModelSpec.of("temporal", settings.train, settings.head, 0), bumpy_head())
    with pytest.raises(SettingsError, match="is of the model deca, not temporal"):
        warm_start(temporal, {"features": str(path)})
    wide = parse_settings(TINY | {"train": TINY["train"] | {"deca": {"width": 8, "hidden": 8, "layers": [1, 1, 1, 1]}}})
    model = FaceModel(ModelSpec.of("deca", wide.train, wide.head, 0), bumpy_head())
    with pytest.raises(SettingsError, match=r"width: 4 \(here 8\); take its sizes, other weights, or null"):
        warm_start(model, {"features": str(path)})
    with pytest.raises(SettingsError, match="give one or the other"):
        warm_start(model, {"features": str(path), "resnet50": "b.pth"})
    deca = FaceModel(ModelSpec.of("deca", settings.train, settings.head, 0), bumpy_head())
    (report, _) = warm_start(deca, {"features": str(path)})
    assert all(name.startswith("layers.") for name in report.missing)
    from tvface.networks.warm_start import load_features

    with pytest.raises(CheckpointError, match="missing"):
        load_features(deca.coarse_encoder, {}, "nothing")
    assert read_spec(path).deca.width == 4


def test_the_setting_names_a_file_per_model_and_a_missing_one_stops_before_the_first_job(tmp_path, monkeypatch):
    without = {"coarse": {"loss_weights": {"identity": 0}}, "detail": {"loss_weights": {"mrf": 0}}}
    settings = parse_settings({"train": {**without, "warm_start": {"features": "mine/{model}.safetensors"}}})
    for model in ("deca", "temporal"):
        (need,) = needs(settings, "train", f"{model}/pretrain")
        assert need.path == Path(f"mine/{model}.safetensors")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        assets.MissingAsset, match=r"mine/deca\.safetensors is missing[\s\S]*train\.warm_start\.features: null"
    ):
        require(settings, "train")
    (tmp_path / "mine").mkdir()
    for model in ("deca", "temporal"):
        save_file({"a": torch.zeros(2)}, tmp_path / "mine" / f"{model}.safetensors")
    assert Path("mine/deca.safetensors") in require(settings, "train")
    place = "resources/weights/features_{model}.safetensors"
    bundled = parse_settings({"train": {**without, "warm_start": {"features": place}}})
    assert [need.asset.name for need in needs(bundled, "train")] == ["features_deca", "features_temporal"]
