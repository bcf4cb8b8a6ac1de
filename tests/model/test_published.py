"""DECA's released model in a FaceModel, and published weights as initial weights of a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.head import synthetic_flame
from tests.published_files import basicvsr, deca, resnet50
from tests.reference.arrays import load
from tests.training.conftest import TINY, bumpy_head
from tvface.assets.registry import MissingAsset
from tvface.dag.stages import stage_settings
from tvface.dag.training_needs import starts
from tvface.files.digests import digest
from tvface.head.flame import convert
from tvface.manifests import read
from tvface.manifests.train import TRAIN
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.published import deca_spec, load_deca, warm_start
from tvface.model.window import Window
from tvface.networks.files import CheckpointError
from tvface.settings import SettingsError, merge, parse_settings
from tvface.settings.model import Head
from tvface.stages import train
from tvface.video.reconstruct import reconstruct_video

# The project fixtures live with the training tests.
from tests.training.conftest import project, tiny  # noqa: F401  isort: skip


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deca(tmp_path_factory.mktemp("deca") / "deca_model.tar")


def window(images: torch.Tensor) -> Window:
    """N images as N windows of one frame."""
    n, side = len(images), images.shape[-1]
    none = torch.zeros(n, 0, 2, side // 2, side // 2)
    return Window(images[:, None], torch.ones(n, 1, 1, side, side), torch.zeros(n, 1, 68, 2), none, none, ("a",) * n)


def test_deca_gives_its_numbers(tar: Path, tmp_path: Path) -> None:
    """Codes in DECA's order and displacements: deca_model.tar through the model's own functions."""
    named, _ = synthetic_flame.write_all(tmp_path)
    settings = parse_settings({"head": named}).head
    model = FaceModel(deca_spec(settings, tar), convert(settings))
    reports = load_deca(model, tar)
    assert [(len(r.loaded), r.unused, r.missing) for r in reports] == [(322, (), ()), (322, (), ()), (44, (), ())]
    model.eval()
    reference = load("deca", "encoder")
    with torch.no_grad():
        codes = model.encode_coarse(window(reference.tensor("image")))
        detail = model.encode_detail(window(reference.tensor("image")))
        flat = torch.cat([value.flatten(1) for _, value in codes.items()], 1)
        reference.check("code236", flat, floor=1e-5)
        reference.check("code128", detail, floor=1e-5)
        generator = load("deca", "generator")
        made = model.detail_decoder(generator.tensor("z"))
    assert float(made.std()) == pytest.approx(float(generator["displacement.stats"][1]), rel=1e-4)


def test_deca_needs_flame(tar: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Set head\.model: flame"):
        reconstruct_video(parse_settings(None), tmp_path / "a.mp4", "deca", tmp_path, tar)
    with pytest.raises(SettingsError, match=r"needs at least head\.n_shape: 100"):
        deca_spec(Head(model="flame", n_shape=50), tar)
    with pytest.raises(SettingsError, match="are weights of 'deca', not of 'temporal'"):
        flame = parse_settings({"head": {"model": "flame"}})
        reconstruct_video(flame, tmp_path / "a.mp4", "temporal", tmp_path, tar)
    with pytest.raises(MissingAsset, match=r"gone\.tar is missing"):
        reconstruct_video(flame, tmp_path / "a.mp4", "deca", tmp_path, tmp_path / "gone.tar")


def test_a_temporal_model_starts_from_deca_and_basicvsr(tar: Path, tmp_path: Path) -> None:
    named, _ = synthetic_flame.write_all(tmp_path)
    settings = parse_settings({"head": {**named, "n_expression": 50}})
    spec = ModelSpec.of("temporal", settings.train, settings.head, 0)
    model = FaceModel(spec, convert(settings.head))
    path = basicvsr(tmp_path / "basicvsr.pth")
    reports = warm_start(model, {"deca": str(tar), "basicvsr": str(path)})
    assert [len(report.loaded) for report in reports] == [316, 316, 44, 172, 172]
    own = model.coarse_encoder.state_dict()
    covered = {*reports[0].loaded, *reports[3].loaded}
    assert not set(reports[0].loaded) & set(reports[3].loaded)
    left = {name for name in own if name not in covered}
    assert all(".bn." in name or name.startswith(("down1.down.", "down2.")) for name in left)
    held = torch.load(tar, weights_only=False)["E_flame"]  # made by this test
    assert torch.equal(own["encoder.layer3.5.conv2.weight"], held["encoder.layer3.5.conv2.weight"])


def test_wrong_starts_are_reported(tar: Path, tmp_path: Path, tiny) -> None:  # noqa: F811
    spec = ModelSpec.of("deca", tiny.train, tiny.head, 0)
    model = FaceModel(spec, bumpy_head())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"train\.warm_start\.deca: .*the defaults of train\.deca"):
        warm_start(model, {"deca": str(tar)})
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(SettingsError, match="give one of them"):
        warm_start(model, {"deca": str(tar), "resnet50": "b.pth"})
    with pytest.raises(SettingsError, match=r"train\.warm_start\.resnet50: gone\.pth is not there"):
        warm_start(model, {"resnet50": "gone.pth"})


def test_only_the_first_phase_depends_on_the_start() -> None:
    settings = parse_settings({"train": {"warm_start": {"deca": "a.tar", "basicvsr": "b.pth"}}})
    assert {name: found[0][1] for name, found in starts(settings, "deca").items()} == {"deca": Path("a.tar")}
    shards = ("temporal/pretrain", "deca/pretrain", "temporal/coarse")
    first, other, second = (stage_settings("train", settings, shard)["train"].get("warm_start") for shard in shards)
    assert first == {"features": None, "deca": "a.tar", "resnet50": None, "basicvsr": "b.pth"}
    assert other == {"features": None, "deca": "a.tar", "resnet50": None} and second is None


def test_training_starts_from_a_file_and_says_so(project: Path) -> None:  # noqa: F811
    """The stage with ImageNet's ResNet-50 in the DECA model: one step; the manifest names the file and its digest."""
    path = resnet50(project / "resnet50.pth")
    sizes = {"width": 64, "layers": [3, 4, 6, 3], "hidden": 8}
    changes = {"deca": sizes, "pretrain": {"steps": 1, "batch": 1, "learning_rate": 0}}
    settings = parse_settings(merge(TINY, {"train": {**changes, "warm_start": {"resnet50": str(path)}}}))
    out = {"manifest": Path("p/curve.parquet"), "weights": Path("p/weights.safetensors")}
    train.run(settings, {"dataset": Path("dataset.parquet"), "head": Path("head.npz")}, out, shard="deca/pretrain")
    provenance = read(out["manifest"], TRAIN).provenance
    assert provenance["weights"][path.name] == digest(path)
    assert [text.split(": ")[1] for text in provenance["notes"]["warm_start"]] == [
        "318 tensors loaded, 2 unused (fc.weight, fc.bias), 4 missing (layers.0.weight, layers.0.bias, "
        "layers.2.weight, layers.2.bias)"
    ] * 2
    trained = load_file(out["weights"])
    held = torch.load(path, weights_only=True)
    assert torch.equal(trained["coarse_encoder.encoder.layer2.1.conv2.weight"], held["layer2.1.conv2.weight"])
    assert provenance["settings"]["train"]["warm_start"] == {"features": None, "deca": None, "resnet50": path.name}
