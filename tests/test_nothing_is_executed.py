"""Every reader of a file from elsewhere, given one that tries to run a command when it is read: it is an error.

Each attack is first shown to work on the ordinary loader of its format, so that a test cannot pass because the file is
merely broken.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tvface.embedders import inception_resnet
from tvface.head import flame
from tvface.head.data import HeadData, HeadError
from tvface.head.dense_template import read_dense_template
from tvface.head.flame_albedo import albedo_from_file
from tvface.model.weights_files import WeightsError, read_spec
from tvface.networks import fan
from tvface.networks.files import CheckpointError
from tvface.networks.loading import load_bisenet, load_vgg19, load_vggface2, read_deca
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.spynet_files import read_spynet
from tvface.networks.torchscript import read_torchscript
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.networks.warm_start import load_imagenet_encoder, read_basicvsr


class Harmful:
    """Unpickling this makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


Attack = Callable[[Path, Path], None]


def torch_file(path: Path, marker: Path) -> None:
    torch.save({"weight": torch.zeros(2), "more": Harmful(marker)}, path)


def old_torch_file(path: Path, marker: Path) -> None:
    torch.save({"weight": torch.zeros(2), "more": Harmful(marker)}, path, _use_new_zipfile_serialization=False)


def plain_pickle(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps({"v_template": np.zeros(3), "weight": Harmful(marker)}, 2))


def object_npy(path: Path, marker: Path) -> None:
    np.save(path, np.array({"img_size": 256, "x": Harmful(marker)}, dtype=object), allow_pickle=True)


def object_npz(path: Path, marker: Path) -> None:
    arrays = {name: np.array([Harmful(marker)], dtype=object) for name in ("MU", "PC", "v_template")}
    np.savez(path, allow_pickle=True, **arrays)


def head_npz(path: Path, marker: Path) -> None:
    import dataclasses

    held = io.BytesIO()
    np.save(held, np.array([Harmful(marker)], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        for field in dataclasses.fields(HeadData):
            archive.writestr(f"{field.name}.npy", held.getvalue())


def torchscript(path: Path, marker: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps(Harmful(marker), 2))
        archive.writestr("net/constants.pkl", pickle.dumps(Harmful(marker), 2))
        archive.writestr("net/version", "3\n")


ORDINARY: dict[Attack, Callable[[Path], Any]] = {
    torch_file: lambda path: torch.load(path, weights_only=False),
    old_torch_file: lambda path: torch.load(path, weights_only=False),
    plain_pickle: lambda path: pickle.loads(path.read_bytes()),
    object_npy: lambda path: np.load(path, allow_pickle=True),
    object_npz: lambda path: np.load(path, allow_pickle=True)["MU"],
    head_npz: lambda path: np.load(path, allow_pickle=True)["faces"],
    torchscript: lambda path: pickle.loads(zipfile.ZipFile(path).read("net/data.pkl")),
}

READERS: list[tuple[str, Callable[[Path], Any], tuple[Attack, ...], type[Exception]]] = [
    ("deca_model.tar", read_deca, (torch_file, old_torch_file), CheckpointError),
    ("79999_iter.pth", load_bisenet, (torch_file, old_torch_file), CheckpointError),
    ("2DFAN4.pth.tar", fan.load, (torch_file, torchscript), CheckpointError),
    ("2DFAN4.zip", read_torchscript, (torchscript,), CheckpointError),
    ("20180402-114759-vggface2.pt", inception_resnet.load, (torch_file,), CheckpointError),
    ("resnet50_ft_weight.pkl", lambda p: load_vggface2(VggFace2(), p), (plain_pickle,), CheckpointError),
    ("vgg19.pth", lambda path: load_vgg19(Vgg19(), path), (torch_file, old_torch_file), CheckpointError),
    ("resnet50.pth", lambda p: load_imagenet_encoder(ResNetEncoder(4, 4), p), (torch_file,), CheckpointError),
    ("spynet.pth", read_spynet, (torch_file, old_torch_file), CheckpointError),
    ("network-sintel-final.pytorch", read_spynet, (old_torch_file,), CheckpointError),
    ("spynet.safetensors", read_spynet, (plain_pickle, torch_file), CheckpointError),
    ("basicvsr.pth", read_basicvsr, (torch_file,), CheckpointError),
    ("generic_model.pkl", flame.read_model, (plain_pickle,), HeadError),
    ("landmark_embedding.npy", lambda path: flame.read_embedding(path, 9), (object_npy, plain_pickle), HeadError),
    ("texture_data_256.npy", read_dense_template, (object_npy, plain_pickle), HeadError),
    (
        "fixed_displacement_256.npy",
        lambda path: flame.read_displacement(path, 8),
        (object_npy, plain_pickle),
        HeadError,
    ),
    ("FLAME_albedo_from_BFM.npz", lambda path: albedo_from_file(path, 1), (object_npz,), HeadError),
    ("head.npz", HeadData.load, (head_npz,), HeadError),
    ("weights.safetensors", read_spec, (plain_pickle, torch_file), WeightsError),
]


@pytest.mark.parametrize(
    ("name", "reader", "attack", "error"),
    [
        pytest.param(name, reader, attack, error, id=f"{name}-{attack.__name__}")
        for name, reader, attacks, error in READERS
        for attack in attacks
    ],
)
def test_reading_runs_nothing(
    tmp_path: Path, name: str, reader: Callable[[Path], Any], attack: Attack, error: type[Exception]
) -> None:
    path, marker = tmp_path / name, tmp_path / "ran"
    attack(path, marker)
    ORDINARY[attack](path)
    assert marker.is_dir(), "the attack does nothing even to the ordinary loader"
    marker.rmdir()
    with pytest.raises(error, match=name):
        reader(path)
    assert not marker.exists()
