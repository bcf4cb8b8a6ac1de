"""Strict loading: every tensor accounted for, nothing executed."""

import os
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.reference.arrays import filled
from tvface.networks import loading
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.loading import CheckpointError, load_strictly
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.spynet import SPyNet
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.networks.warm_start import load_deca_encoder
from tvface.settings.model import TemporalEncoder as Settings

SMALL = {"width": 8, "layers": (1, 1, 1, 1), "hidden": 16}


class Harmful:
    """A pickle that would run a command when loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2)


def test_report_names_everything(linear):
    state = {"weight": torch.ones(2, 3), "extra.a": torch.zeros(1), "extra.b": torch.zeros(1)}
    report = load_strictly(linear, state, "here", unused=("extra.",), missing=("bias",))
    assert report.loaded == ("weight",) and report.unused == ("extra.a", "extra.b") and report.missing == ("bias",)
    assert torch.equal(linear.weight, torch.ones(2, 3))
    assert str(report) == "here: 1 tensors loaded, 2 unused (extra.a, extra.b), 1 missing (bias)"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"weight": torch.ones(2, 3)}, "1 missing: bias"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(2), "scale": torch.ones(1)}, "1 unexpected: scale"),
        ({"weight": torch.ones(3, 2), "bias": torch.ones(2)}, r"of another shape: weight \(3, 2\), not \(2, 3\)"),
    ],
)
def test_anything_that_does_not_fit_stops_and_changes_nothing(linear, state, message):
    before = linear.weight.clone()
    with pytest.raises(CheckpointError, match=message):
        load_strictly(linear, state, "file.pt")
    assert torch.equal(linear.weight, before)


def deca_file(path, encoder, detail, decoder, **more):
    parts = {"E_flame": encoder, "E_detail": detail, "D_detail": decoder}
    torch.save({**{name: part.state_dict() for name, part in parts.items()}, **more}, path)
    return path


def test_deca_checkpoint(tmp_path):
    parts = [filled(ResNetEncoder(236, **SMALL)), filled(ResNetEncoder(128, **SMALL)), filled(DetailDecoder(size=32))]
    # A training checkpoint also holds the optimizer and counters, some of them numpy numbers.
    path = deca_file(tmp_path / "deca_model.tar", *parts, opt={"lr": 1e-4}, global_step=np.int64(7), loss=np.float64(1))
    state = loading.read_deca(path)
    assert list(state) == ["E_flame", "E_detail", "D_detail"]
    encoder, decoder = ResNetEncoder(236, **SMALL), DetailDecoder(size=32)
    report = load_deca_encoder(encoder, state["E_flame"], "E_flame")
    assert report.unused == report.missing == ()
    assert load_strictly(decoder, state["D_detail"], "D_detail").missing == ()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(encoder.eval()(images), parts[0](images))
        code = torch.rand(1, 181)
        assert torch.equal(decoder.eval()(code), parts[2](code))


def test_deca_into_a_temporal_encoder():
    settings = Settings(**SMALL, channels=8, blocks=1, deform_groups=2)
    deca, temporal = filled(ResNetEncoder(236, **SMALL)), TemporalEncoder(236, settings)
    head = temporal.head.weight.detach().clone()
    report = load_deca_encoder(temporal, deca.state_dict(), "E_flame")
    assert {name.split(".")[1] for name in report.unused} == {"conv1", "bn1"} and len(report.unused) == 6
    assert {name.split(".")[0] for name in report.missing} == {"head", "down1", "propagation", "fusion", "down2"}
    assert all(name.startswith(("encoder.layer", "layers.")) for name in report.loaded)
    assert torch.equal(temporal.encoder.layer4[0].conv1.weight, deca.encoder.layer4[0].conv1.weight)
    assert torch.equal(temporal.head.weight, head)


def test_deca_into_a_temporal_encoder_of_another_size_is_refused():
    temporal = TemporalEncoder(236, Settings(**{**SMALL, "width": 16}, channels=8, blocks=1, deform_groups=2))
    with pytest.raises(CheckpointError, match="another shape"):
        load_deca_encoder(temporal, ResNetEncoder(236, **SMALL).state_dict(), "E_flame")


def test_deca_checkpoint_without_its_parts(tmp_path):
    torch.save({"E_flame": {}, "state_dict": {}}, tmp_path / "x.tar")
    with pytest.raises(CheckpointError, match="no E_detail and no D_detail"):
        loading.read_deca(tmp_path / "x.tar")


def spynet_layouts():
    own = {n: t for n, t in filled(SPyNet()).state_dict().items() if n not in ("mean", "std")}

    def renamed(pattern):
        state = {}
        for name, tensor in own.items():
            _, level, _, index, _, kind = name.split(".")
            state[pattern.format(level=level, index=index, even=2 * int(index), kind=kind)] = tensor
        return state

    return {
        "mmagic": own,
        "basicsr": {"params": renamed("basic_module.{level}.basic_module.{even}.{kind}")},
        "sniklaus": renamed("moduleBasic.{level}.moduleBasic.{even}.{kind}"),
    }


@pytest.mark.parametrize("layout", ["mmagic", "basicsr", "sniklaus", "safetensors"])
def test_spynet_layouts(tmp_path, layout):
    own = spynet_layouts()["mmagic"]
    path = tmp_path / f"spynet.{'safetensors' if layout == 'safetensors' else 'pth'}"
    if layout == "safetensors":
        safetensors.torch.save_file(own, path)
    else:
        torch.save(spynet_layouts()[layout], path)
    network = SPyNet()
    report = loading.load_spynet(network, path)
    assert len(report.loaded) == 60 and set(report.missing) == {"mean", "std"}
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in own.items())
    assert float(network.mean[0, 0]) == pytest.approx(0.485)


def test_spynet_in_an_unknown_layout(tmp_path):
    torch.save({"flow.0.weight": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"holds flow\.0\.weight"):
        loading.read_spynet(tmp_path / "x.pth")


def test_vggface2_pickle(tmp_path):
    network = filled(VggFace2())
    arrays = {n: t.numpy() for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    arrays |= {"fc.weight": np.zeros((8631, 4), np.float32), "fc.bias": np.zeros(8631, np.float32)}
    path = tmp_path / "resnet50_ft_weight.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    other = VggFace2()
    report = loading.load_vggface2(other, path)
    assert set(report.unused) == {"fc.weight", "fc.bias"}
    assert all(name.endswith("num_batches_tracked") for name in report.missing)
    assert torch.equal(other.layer3[2].conv2.weight, network.layer3[2].conv2.weight)


def test_a_pickle_of_python_2(tmp_path):
    """Python 2 wrote arrays' bytes as str (opcode U), which latin1 brings through unchanged."""
    values = np.array([1.5, -2.25e-7, 3e30], "<f4")
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x03tcnumpy\ndtype\n"
        b"(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x0c"
        + values.tobytes()
        + b"tb"
    )
    path = tmp_path / "old.pkl"
    path.write_bytes(b"\x80\x02}U\x06weight" + array + b"s.")
    state = loading.read_numpy_pickle(path)
    assert torch.equal(state["weight"], torch.from_numpy(values))
    path.write_bytes(b"\x80\x02}U\x06weightU\x04texts.")
    with pytest.raises(CheckpointError, match="weight is str"):
        loading.read_numpy_pickle(path)


def test_vgg19_file(tmp_path):
    network = Vgg19()
    state = network.state_dict() | {"features.34.bias": torch.zeros(512), "classifier.0.bias": torch.zeros(4096)}
    torch.save(state, tmp_path / "vgg19.pth")
    assert loading.load_vgg19(Vgg19(), tmp_path / "vgg19.pth").unused == ("features.34.bias", "classifier.0.bias")


def test_nothing_is_executed(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps({"weight": Harmful(marker)}))
    with pytest.raises(CheckpointError, match="system"):
        loading.read_numpy_pickle(path)
    torch.save({"weight": Harmful(marker)}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="not a plain checkpoint"):
        loading.read_tensors(tmp_path / "bad.pth")
    assert not marker.exists()


def test_files_that_are_no_checkpoints(tmp_path):
    page = tmp_path / "79999_iter.pth"
    page.write_text("<!DOCTYPE html><title>Sign in</title>")
    with pytest.raises(CheckpointError, match="web page"):
        loading.read_tensors(page)
    whole = tmp_path / "whole.pth"
    torch.save({"a": torch.zeros(1000)}, whole)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"cut\.pth"):
        loading.read_tensors(cut)
    torch.save({"epoch": 3, "state": {}}, tmp_path / "nested.pth")
    with pytest.raises(CheckpointError, match="holds epoch, state"):
        loading.read_tensors(tmp_path / "nested.pth")
    bad = tmp_path / "x.safetensors"
    bad.write_bytes(b"\xff" * 32)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        loading.read_tensors(bad)
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/constants.pkl", b"")
    with pytest.raises(CheckpointError, match="TorchScript"):
        loading.read_tensors(tmp_path / "script.pt")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        loading.read_tensors(tmp_path / "none.pth")
