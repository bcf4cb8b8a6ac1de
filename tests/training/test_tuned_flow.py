"""SPyNet inside the temporal model: whose flow it takes, when it moves, and that it is saved."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tests.reference.fill import fill
from tests.training.conftest import TINY, bumpy_head
from tvface.assets import registry as assets
from tvface.dag.needs import require
from tvface.dag.stages import stage_settings
from tvface.dag.training_needs import starts
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.published import warm_start
from tvface.networks.loading import CheckpointError
from tvface.networks.spynet import SPyNet
from tvface.settings import SettingsError, merge, parse_settings
from tvface.training.loop import learning_rate
from tvface.training.phases import PhaseTask
from tvface.training.sampler import Sampler


def tuned(**changes):
    values = {"train": {"temporal": {"flow": "tuned", "flow_wait": 0, **changes}}}
    return parse_settings(merge(merge(TINY, {"dataset": {"flow": {"weights_file": "spynet.pth"}}}), values))


def build(phase="coarse", **changes):
    settings = tuned(**changes)
    model = FaceModel(ModelSpec.of("temporal", settings.train, settings.head, 0), bumpy_head())
    return PhaseTask(model, phase, getattr(settings.train, phase))


@pytest.fixture
def window(project):
    rows = read(project / "dataset.parquet", DATASET).rows
    return Sampler(load_clips(rows[rows["split"] == "train"], 32, tuned().masks.classes), 2, 3, 0).window(0)


def test_the_flow_is_spynets_on_frames_of_half_the_side(window):
    model = build().model
    with torch.no_grad():
        backward, forward = model.flows(window)
        small = [
            F.interpolate(window.images[:, i], scale_factor=0.5, mode="bicubic", align_corners=False).clamp(0, 1)
            for i in range(3)
        ]
        for pair in range(2):
            torch.testing.assert_close(backward[:, pair], model.flow(small[pair], small[pair + 1]))
            torch.testing.assert_close(forward[:, pair], model.flow(small[pair + 1], small[pair]))
    assert backward.shape == window.flows_backward.shape


@pytest.mark.parametrize(("phase", "moves"), [("pretrain", True), ("coarse", True), ("detail", False)])
def test_it_is_trained_with_the_coarse_encoder_and_fixed_in_the_detail_phase(window, phase, moves):
    task = build(phase)
    # At the start no offset net listens to the flow, but the sampling positions follow it.
    before = {name: tensor.clone() for name, tensor in task.model.flow.state_dict().items()}
    torch.stack(list(task(window, 0).values())).sum().backward()
    torch.optim.SGD(task.trained(), lr=1e-2).step()
    after = task.model.flow.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert ("basic_module.5.basic_module.4.conv.weight" in changed) == moves and bool(changed) == moves


def test_it_moves_later_and_more_slowly():
    encoder, flow = build(flow_wait=3, flow_rate=0.25).groups()
    assert (encoder["rate"], encoder["wait"], flow["rate"], flow["wait"]) == (1.0, 0, 0.25, 3)
    assert len(flow["params"]) == 60 and learning_rate(1e-4, 3, 10, "constant") == 1e-4
    assert len(build("detail").groups()) == 1


def test_it_is_saved_and_loaded():
    one, other = build().model, build().model
    fill(one.flow, 3)
    other.load_weights(one.weights())
    assert all(torch.equal(a, b) for a, b in zip(one.flow.parameters(), other.flow.parameters(), strict=True))
    assert "flow" not in FaceModel(ModelSpec.of("deca", tuned().train, tuned().head, 0), bumpy_head()).parts


def test_it_starts_from_the_published_weights(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings, model = tuned(), build().model
    files = {name: located[0][1] for name, located in starts(settings, "temporal").items()}
    assert files == {"spynet": Path("spynet.pth")} and starts(settings, "deca") == {}
    assert stage_settings("train", settings, "temporal/pretrain")["dataset"]["flow"] == {"weights_file": "spynet.pth"}
    with pytest.raises(assets.MissingAsset, match=r"train\.temporal\.flow: tuned"):
        require(settings, "train", "temporal/pretrain")
    with pytest.raises(SettingsError, match=r"spynet\.pth is not there"):
        warm_start(model, files)
    published = SPyNet()
    fill(published)
    state = {name: tensor for name, tensor in published.state_dict().items() if name not in ("mean", "std")}
    torch.save(state, "spynet.pth")
    (report,) = warm_start(model, files)
    last, of_file = (net.basic_module[5].basic_module[0].conv.weight for net in (model.flow, published))
    assert len(report.loaded) == 60 and torch.equal(last, of_file)
    torch.save({"other": torch.zeros(1)}, "spynet.pth")
    with pytest.raises(CheckpointError, match="not SPyNet"):
        warm_start(model, files)
