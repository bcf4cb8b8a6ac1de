"""FAN's network from its package against the reference heat maps, and loading from a file."""

import zipfile

import numpy as np
import pytest
import torch

from tests.published_files import fan_torchscript, state
from tests.reference.arrays import filled, keys, load, shapes
from tvface.networks import fan
from tvface.networks.loading import CheckpointError


@pytest.fixture(scope="module")
def network():
    return filled(fan.build())


def test_names(network):
    assert shapes(network) == keys("net", "fan4")


def test_heat_maps(network):
    reference = load("net", "fan")
    with torch.no_grad():
        stacks = network(reference.tensor("image"))
    for index, stack in enumerate(stacks):
        reference.check(f"stack{index}", stack, floor=1e-5)
    score, where = stacks[-1][0].flatten(1).max(1)
    assert np.array_equal(where.numpy(), reference["argmax"])
    assert np.allclose(score.numpy(), reference["score"], rtol=1e-5)


def test_load(network, tmp_path):
    path = tmp_path / "2DFAN4.pth.tar"
    torch.save(network.state_dict(), path)
    loaded, report = fan.load(path)
    assert len(report.loaded) == 1129 and report.unused == report.missing == ()
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network.parameters(), strict=True))
    assert not loaded.training


def test_torchscript_archives_are_read_and_not_run(tmp_path):
    path = fan_torchscript(tmp_path / "2DFAN4-cd938726ad.zip")
    loaded, report = fan.load(path)
    assert len(report.loaded) == 1129 and report.unused == report.missing == ()
    own = loaded.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in state("net", "fan4").items())


def test_an_archive_of_another_program_is_refused(tmp_path):
    path = tmp_path / "2DFAN4-old.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("2DFAN4/constants.pkl", b"")
        archive.writestr("2DFAN4/data.pkl", b"")
    with pytest.raises(CheckpointError, match="not a readable TorchScript archive"):
        fan.load(path)
