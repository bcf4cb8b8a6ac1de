"""What each phase trains and computes; the permutation of codes."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.training.conftest import bumpy_head
from tvface.assets import registry as assets
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.settings.model import Original
from tvface.training.loss_networks import LossNetworks
from tvface.training.phases import Conditions, PhaseTask, permutations
from tvface.training.sampler import Sampler


@pytest.fixture
def window(project, tiny):
    rows = read(project / "dataset.parquet", DATASET).rows
    return Sampler(load_clips(rows[rows["split"] == "train"], 32, tiny.masks.classes), 2, 3, 0).window(0)


def build(tiny, phase: str, model: str = "deca", **changes) -> PhaseTask:
    spec = ModelSpec.of(model, tiny.train, tiny.head, 0)
    settings = dataclasses.replace(getattr(tiny.train, phase), **changes)
    return PhaseTask(FaceModel(spec, bumpy_head()), phase, settings)


def changed(task: PhaseTask, window) -> set[str]:
    """Take one step of plain gradient descent; return the parts whose state changed, running statistics included."""
    before = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    torch.stack(list(task(window, 0).values())).sum().backward()
    torch.optim.SGD(task.trained(), lr=1e-2).step()
    after = task.model.state_dict()
    return {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, after[name])}


@pytest.mark.parametrize("model", ["deca", "temporal"])
@pytest.mark.parametrize(
    ("phase", "trained"),
    [
        ("pretrain", {"coarse_encoder"}),
        ("coarse", {"coarse_encoder"}),
        ("detail", {"detail_encoder", "detail_decoder"}),
    ],
)
def test_a_phase_changes_what_it_trains_and_nothing_else(tiny, window, model, phase, trained):
    assert changed(build(tiny, phase, model), window) == trained


@pytest.mark.parametrize("model", ["deca", "temporal"])
def test_frozen_normalisations_of_the_encoders_keep_their_statistics_and_learn_their_weights(tiny, window, model):
    spec = ModelSpec.of(model, tiny.train, tiny.head, 0)
    for phase, encoder in (("pretrain", "coarse_encoder"), ("detail", "detail_encoder")):
        settings = getattr(tiny.train, phase)
        task = PhaseTask(FaceModel(spec, bumpy_head()), phase, settings, conditions=Conditions(frozen_norm=True))
        task.train()
        before = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
        torch.stack(list(task(window, 0).values())).sum().backward()
        torch.optim.SGD(task.trained(), lr=1e-2).step()
        after = task.model.state_dict()
        moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
        statistics = {name for name in moved if "running_" in name or "num_batches" in name}
        # The detail decoder starts at random: its statistics are of no start and are learnt.
        assert {name.split(".")[0] for name in statistics} == ({"detail_decoder"} if phase == "detail" else set())
        assert any(name.startswith(encoder) and ".bn" in name and name.endswith("weight") for name in moved)


def test_terms_without_weight_are_not_computed(tiny, window, monkeypatch):
    task = build(tiny, "pretrain")
    monkeypatch.setattr(task.model, "render", lambda *_: pytest.fail("pretraining needs no rendering"))
    assert set(task(window, 0)) == {"landmark", "eye", "lip", "shape", "expression"}
    assert "photometric" in task.off and "photometric" not in task.terms


def test_weights_multiply_their_terms(tiny, window):
    plain = build(tiny, "coarse", consistency=False)
    loss_weights = dataclasses.replace(tiny.train.coarse.loss_weights, landmark=3.0)
    heavy = build(tiny, "coarse", consistency=False, loss_weights=loss_weights)
    a, b = plain(window, 0), heavy(window, 0)
    torch.testing.assert_close(b["landmark"], 3 * a["landmark"])
    torch.testing.assert_close(b["photometric"], a["photometric"])


def test_permutations_stay_inside_their_sequence():
    names = ("a[0]", "b[1]", "c[0]")
    drawn = [permutations(names, 5, step, 0) for step in range(8)]
    for order in drawn:
        assert np.array_equal(np.sort(order.reshape(3, 5), axis=1), np.arange(15).reshape(3, 5))
    assert len({tuple(order.tolist()) for order in drawn}) > 4
    # A window's permutation does not depend on its place in the batch, so not on the process that holds it.
    other = permutations(("c[0]", "a[0]"), 5, 3, 0)
    assert torch.equal(other[5:] - 5, drawn[3][:5])


def test_shape_codes_are_swapped_and_nothing_else(tiny, window, monkeypatch):
    task = build(tiny, "coarse")
    seen = []
    geometry = task.model.geometry
    monkeypatch.setattr(task.model, "geometry", lambda codes: seen.append(codes) or geometry(codes))
    task(window, 4)
    (codes,) = seen
    order = permutations(window.names, 3, 4, 0)
    count = 2 * 3
    assert codes.shape.shape[0] == 2 * count
    torch.testing.assert_close(codes.shape[count:], codes.shape[:count][order])
    assert not torch.equal(codes.shape[count:], codes.shape[:count])
    for name in ("texture", "expression", "pose", "camera", "light"):
        assert torch.equal(getattr(codes, name)[count:], getattr(codes, name)[:count]), name


def test_detail_codes_are_swapped_and_nothing_else(tiny, window, monkeypatch):
    task = build(tiny, "detail")
    seen = []
    detail = task.model.detail
    monkeypatch.setattr(task.model, "detail", lambda codes, geometry: seen.append(codes) or detail(codes, geometry))
    task(window, 4)
    (codes,) = seen
    torch.testing.assert_close(codes.detail[6:], codes.detail[:6][permutations(window.names, 3, 4, 0)])
    assert torch.equal(codes.shape[6:], codes.shape[:6])


def test_validation_permutes_nothing(tiny, window, monkeypatch):
    task = build(tiny, "coarse")
    monkeypatch.setattr("tvface.training.phases.permutations", lambda *_: pytest.fail("permuted in validation"))
    task.eval()
    assert set(task(window, None)) == set(task.terms)


def test_the_settings_say_which_layers_the_mrf_compares(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(assets, "located", lambda name: [(assets.asset(name), tmp_path / "vgg19.pth")])
    monkeypatch.setattr("tvface.training.loss_networks.load_vgg19", lambda network, path: None)
    (tmp_path / "vgg19.pth").write_bytes(b"stands for the file")
    loss_weights = dataclasses.replace(tiny.train.detail.loss_weights, mrf=0.05)
    for early, layers in ((True, (11, 20)), (False, (13, 22))):
        networks = LossNetworks.load(loss_weights, "detail", torch.device("cpu"), Original(early_mrf_layers=early))
        assert networks.networks["vgg19"].layers == layers


def test_identity_features_follow_the_setting(tiny, window):
    class Recorder(torch.nn.Module):
        def features_of(self, images, doubled):
            asked.add(doubled)
            return images.flatten(1)

    loss_weights = dataclasses.replace(tiny.train.coarse.loss_weights, identity=0.2)
    for doubled in (True, False):
        asked: set[bool] = set()
        spec = dataclasses.replace(
            ModelSpec.of("deca", tiny.train, tiny.head, 0), original=Original(doubled_identity_input=doubled)
        )
        settings = dataclasses.replace(tiny.train.coarse, loss_weights=loss_weights)
        networks = LossNetworks({"vggface2": Recorder()})
        PhaseTask(FaceModel(spec, bumpy_head()), "coarse", settings, networks)(window, 0)
        assert asked == {doubled}


def test_a_term_whose_network_is_absent_is_refused(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(assets, "place", lambda name: tmp_path / name)
    loss_weights = dataclasses.replace(tiny.train.coarse.loss_weights, identity=0.2)
    with pytest.raises(assets.MissingAsset, match="vggface2"):
        LossNetworks.load(loss_weights, "coarse", torch.device("cpu"))
    assert LossNetworks.load(tiny.train.detail.loss_weights, "detail", torch.device("cpu")).networks == {}


def test_a_phase_with_all_weights_zero_is_refused(tiny):
    zero = {field.name: 0.0 for field in dataclasses.fields(tiny.train.coarse.loss_weights)}
    with pytest.raises(ValueError, match="nothing to train"):
        build(tiny, "coarse", loss_weights=type(tiny.train.coarse.loss_weights)(**zero))


def test_the_first_head_is_frontal_lit_and_of_the_wanted_scale(tiny, window):
    model = FaceModel(ModelSpec.of("deca", tiny.train, tiny.head, 0), bumpy_head()).eval()
    with torch.no_grad():
        codes = model.encode_coarse(window)
        rendering = model.render(codes, model.geometry(codes))
    np.testing.assert_allclose(codes.camera[:, 0], tiny.train.initial_scale, atol=1)
    assert codes.pose.abs().max() < 0.2
    assert rendering.alpha.mean() > 0.1
    drawn = rendering.shading[rendering.alpha.expand_as(rendering.shading) > 0]
    np.testing.assert_allclose(drawn.mean(), 1, atol=0.3)


def test_kept_codes_change_no_bit(project, tiny, monkeypatch):
    """The fixed coarse encoder runs once per window; every step of the detail phase is the same with and without."""
    rows = read(project / "dataset.parquet", DATASET).rows
    sampler = Sampler(load_clips(rows[rows["split"] == "train"], 32, tiny.masks.classes), 2, 3, 0)
    settings = tiny.train.detail
    spec = ModelSpec.of("temporal", tiny.train, tiny.head, 0)
    runs, calls = [], []
    encode = FaceModel.encode_coarse
    monkeypatch.setattr(FaceModel, "encode_coarse", lambda self, w: calls.append(w.names) or encode(self, w))
    for keep in (False, True):
        calls.clear()
        task = PhaseTask(FaceModel(spec, bumpy_head()), "detail", settings, conditions=Conditions(keep_codes=keep))
        optimizer = torch.optim.Adam(task.trained(), lr=1e-3)
        for step in range(12):
            optimizer.zero_grad()
            torch.stack(list(task(sampler.window(step), step).values())).sum().backward()
            optimizer.step()
        runs.append([parameter.detach() for parameter in task.trained()])
        assert len(calls) == 12 if not keep else len(calls) < 10
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_bfloat16_networks_keep_coordinates_and_statistics_in_float32(tiny, window):
    """Codes stay near those of float32; running statistics, flow and what follows the codes are float32."""
    task = build(tiny, "coarse", "temporal")
    model = task.model.eval()
    with torch.no_grad():
        exact = model.encode_coarse(window)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model.encode_coarse(window)
            detail = model.encode_detail(window)
    assert detail.dtype == torch.float32
    for name, value in rough.items():
        assert value.dtype == torch.float32, name
        # Two dozen layers, each rounded to 2^-9.
        torch.testing.assert_close(value, getattr(exact, name), rtol=0.05, atol=0.05)
    task.train()
    with torch.autocast("cpu", torch.bfloat16):
        terms = task(window, 0)
    torch.stack(list(terms.values())).sum().backward()
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in terms.values())
    statistics = [tensor for name, tensor in task.model.named_buffers() if "running" in name]
    assert statistics and all(tensor.dtype == torch.float32 for tensor in statistics)
    assert all(parameter.grad.dtype == torch.float32 for parameter in task.trained() if parameter.grad is not None)
