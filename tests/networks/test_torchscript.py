"""TorchScript archives: tensors by name, nothing of the program run."""

import os
import pickle
import zipfile

import pytest
import torch
from torch import nn

from tvface.networks.files import CheckpointError, is_torchscript
from tvface.networks.torchscript import read_torchscript

# Newer versions of torch warn that they will write such archives no longer; the published ones stay.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


class Whole(nn.Module):
    """Submodules, a list, buffers, a half-precision parameter, attributes that are no tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.scale = nn.Parameter(torch.arange(3, dtype=torch.float16))
        self.sides, self.rate, self.name, self.on = [1, 2], [0.5], "x", True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x) * self.scale.sum()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    torch.manual_seed(0)
    network = Whole().eval()
    path = tmp_path_factory.mktemp("script") / "whole.zip"
    torch.jit.script(network).save(str(path))
    return network, path


def rewritten(source, target, **members):
    """Copy an archive with some members replaced (data_pkl: its pickle, storage: data/0) or the storages squeezed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            data = old.read(item)
            folder, _, name = item.filename.partition("/")
            data = members.get({"data.pkl": "data_pkl", "data/0": "storage"}.get(name, ""), data)
            squeeze = members.get("squeeze") and name == "data/0"
            new.writestr(f"{folder}/{name}", data, zipfile.ZIP_DEFLATED if squeeze else zipfile.ZIP_STORED)
    return target


def test_every_tensor_has_its_name_and_values(archive):
    network, path = archive
    state = read_torchscript(path)
    own = network.state_dict()
    assert is_torchscript(path) and state.keys() == own.keys()
    assert all(torch.equal(state[name], own[name]) and state[name].dtype == own[name].dtype for name in own)


def test_views_of_one_storage(tmp_path):
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            base = torch.arange(24.0).view(4, 6)
            self.register_buffer("turned", base.t())
            self.register_buffer("part", base[1:3, 2:5])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    network = Views()
    torch.jit.script(network).save(str(tmp_path / "views.zip"))
    state = read_torchscript(tmp_path / "views.zip")
    assert torch.equal(state["turned"], network.turned) and torch.equal(state["part"], network.part)


class Harmful:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_executes_nothing(archive, tmp_path, protocol):
    marker = tmp_path / "ran"
    bad = rewritten(archive[1], tmp_path / "bad.zip", data_pkl=pickle.dumps(Harmful(marker), protocol))
    with pytest.raises(CheckpointError, match=r"refers to (posix|nt)\.system, which tensors do not need"):
        read_torchscript(bad)
    assert not marker.exists()


def test_the_program_is_not_run(archive, tmp_path):
    """An archive whose code is no program at all gives the same tensors: nothing looks at it."""
    network, path = archive
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "code.zip", "w") as new:
        for item in old.infolist():
            data = b"this is no program" if "/code/" in item.filename else old.read(item)
            new.writestr(item.filename, data)
    with pytest.raises(RuntimeError):
        torch.jit.load(str(tmp_path / "code.zip"))
    assert torch.equal(read_torchscript(tmp_path / "code.zip")["first.0.weight"], network.first[0].weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"storage": b"\0" * 8}, "has 8 bytes, not"),
        ({"squeeze": True}, "is compressed, which torch never writes"),
        ({"data_pkl": b"\x80\x02}."}, "holds a dict, not a module"),
        ({"data_pkl": b"\x80\x02"}, "not a readable TorchScript archive"),
    ],
)
def test_damaged_archives(archive, tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        read_torchscript(rewritten(archive[1], tmp_path / "bad.zip", **change))


def changed(archive, tmp_path, old, new):
    """Replace bytes of the pickle."""
    with zipfile.ZipFile(archive[1]) as held:
        name = next(n for n in held.namelist() if n.endswith("/data.pkl"))
        content = held.read(name)
    assert old in content
    return rewritten(archive[1], tmp_path / "bad.zip", data_pkl=content.replace(old, new, 1))


SIZES, STRIDES = b"(K\x04K\x03K\x03K\x03t", b"(K\x1bK\tK\x03K\x01t"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (SIZES, b"(K\x40K\x03K\x03K\x03t", "in a storage of 108 values"),
        (STRIDES, b"(K\x28K\tK\x03K\x01t", "reaches beyond its storage of 108 values"),
        (SIZES, b"(K\xffJ\xff\xff\xff\x7fK\x03K\x03t", "in a storage of 108 values"),
        (SIZES, b"(K\x04K\x03K\x03t", "not described by storage, size and stride"),
        (b"FloatStorage", b"WidthStorage", r"refers to torch\.WidthStorage"),
    ],
)
def test_a_tensor_stays_in_its_storage(archive, tmp_path, old, new, message):
    with pytest.raises(CheckpointError, match=message):
        read_torchscript(changed(archive, tmp_path, old, new))


def test_a_module_in_itself_and_a_changed_storage_type_are_refused(archive, tmp_path):
    itself = b"\x80\x02c__torch__\nM\n)\x81q\x00}(X\x01\x00\x00\x00ah\x00ub."
    with pytest.raises(CheckpointError, match="recursion"):
        read_torchscript(rewritten(archive[1], tmp_path / "itself.zip", data_pkl=itself))
    storage_type = b"\x80\x02ctorch\nFloatStorage\n}(X\x05\x00\x00\x00dtypeK\x01ub."
    with pytest.raises(CheckpointError, match="wants to change what a storage type is"):
        read_torchscript(rewritten(archive[1], tmp_path / "type.zip", data_pkl=storage_type))
    assert read_torchscript(archive[1])
