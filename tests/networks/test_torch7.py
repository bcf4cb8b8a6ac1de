"""Torch7 files: the reader, and SPyNet's weights through it."""

import struct

import numpy as np
import pytest
import torch

from tests.networks.torch7_writer import Module, Storage, View, Writer
from tests.published_files import spynet_mmagic, spynet_torch7
from tests.reference.arrays import SHARED
from tvface.networks.files import CheckpointError, read_tensors
from tvface.networks.loading import load_spynet
from tvface.networks.spynet import SPyNet
from tvface.networks.spynet_files import read_spynet, spynet_files
from tvface.networks.torch7 import TorchObject, read_torch7

LEVELS = range(1, 7)


def written(path, value):
    writer = Writer()
    writer.write(value)
    path.write_bytes(writer.bytes())
    return path


def write_tag(folder, tag="F", levels=LEVELS):
    for level in levels:
        made = spynet_torch7(folder / f"modelL{level}_F.t7")
        made.rename(folder / f"modelL{level}_{tag}.t7")


def test_plain_values_and_the_memo(tmp_path):
    shared = {"a": 1.5}
    table = {1.0: "text", "flag": True, "none": None, "first": shared, "second": shared}
    read = read_torch7(written(tmp_path / "x.t7", table))
    assert read[1.0] == "text" and read["flag"] is True and read["none"] is None
    assert read["first"] is read["second"] and read["first"] == {"a": 1.5}


def test_tensors_share_a_storage_at_their_offsets(tmp_path):
    storage = Storage(np.arange(20))
    tensors = Module("nn.Thing", {"weight": View(storage, 0, (2, 3)), "bias": View(storage, 6, (4,))})
    read = read_torch7(written(tmp_path / "x.t7", tensors))
    assert isinstance(read, TorchObject) and read.kind == "nn.Thing"
    np.testing.assert_array_equal(read.fields["weight"], np.arange(6, dtype=np.float32).reshape(2, 3))
    np.testing.assert_array_equal(read.fields["bias"], np.arange(6, 10, dtype=np.float32))


def test_strides_are_honoured(tmp_path):
    writer = Writer()
    writer.put("ii", 4, 1)
    writer.text("V 1")
    writer.text("torch.DoubleTensor")
    writer.put("i5q", 2, 3, 2, 1, 3, 1)  # sizes 3, 2; strides 1, 3: a transposed view
    writer.put("ii", 4, 2)
    writer.text("V 1")
    writer.text("torch.DoubleStorage")
    writer.put("q6d", 6, *range(6))
    (tmp_path / "x.t7").write_bytes(writer.bytes())
    np.testing.assert_array_equal(read_torch7(tmp_path / "x.t7"), np.arange(6.0).reshape(2, 3).T)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack("<i", 6), "Lua function"),
        (struct.pack("<ii", 8, 1), "Lua function"),
        (struct.pack("<i", 99), "unknown type 99"),
        (struct.pack("<i", 1), "needs 8 bytes, 0 are left"),
        (struct.pack("<ii", 2, -5), "needs -5 bytes"),
        (struct.pack("<idi", 1, 2.0, 0), "4 bytes left over"),
        (b"<!doctype html>", "unknown type"),
        (struct.pack("<iii", 3, 1, 1) * 300, "nested over|key"),
    ],
)
def test_what_is_no_data_is_refused(tmp_path, data, message):
    (tmp_path / "x.t7").write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        read_torch7(tmp_path / "x.t7")


def test_a_tensor_beyond_its_storage_is_refused(tmp_path):
    path = written(tmp_path / "x.t7", {"t": View(Storage(np.zeros(5)), 2, (2, 2))})
    with pytest.raises(CheckpointError, match="reaches beyond its storage of 5 values"):
        read_torch7(path)


def test_spynet_from_one_file_or_the_folder(tmp_path):
    write_tag(tmp_path)
    network = SPyNet()
    report = load_spynet(network, tmp_path)
    assert len(report.loaded) == 60 and report.unused == () and set(report.missing) == {"mean", "std"}
    own = spynet_mmagic()
    state = network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in own.items())
    assert [path.name for path in spynet_files(tmp_path / "modelL3_F.t7")] == [f"modelL{i}_F.t7" for i in LEVELS]


def test_a_missing_sixth_level_is_the_fifth_for_the_chairs_only(tmp_path):
    write_tag(tmp_path, "4", range(1, 6))
    state = read_spynet(tmp_path)
    name = "basic_module.{}.basic_module.2.conv.weight"
    assert torch.equal(state[name.format(5)], state[name.format(4)])
    assert not torch.equal(state[name.format(4)], state[name.format(3)])
    write_tag(tmp_path, "F", range(1, 6))
    with pytest.raises(CheckpointError, match="tags 4, F: name one file instead"):
        read_spynet(tmp_path)
    with pytest.raises(CheckpointError, match=r"modelL6_F\.t7 missing"):
        read_spynet(tmp_path / "modelL1_F.t7")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="holds none"):
        read_spynet(tmp_path / "empty")


def test_another_network_is_refused(tmp_path):
    path = written(tmp_path / "modelL1_F.t7", Module("nn.Sequential", {"modules": {1.0: Module("nn.ReLU", {})}}))
    for level in range(2, 7):
        (tmp_path / f"modelL{level}_F.t7").write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match="0 convolutions, not 5"):
        read_spynet(path)


def test_the_published_numbers_survive(tmp_path):
    weights = SHARED / "weights" / "spynet_sintel_final.safetensors"
    if not weights.is_file():
        pytest.skip(f"{weights} is missing (research licence, local only)")
    published = read_tensors(weights)
    for level in LEVELS:
        spynet_torch7(tmp_path / f"modelL{level}_F.t7", published)
    read = read_spynet(tmp_path)
    assert read.keys() == published.keys() and all(torch.equal(read[name], published[name]) for name in read)
