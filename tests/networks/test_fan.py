"""Loading of FAN's network from a file. Its numbers and names are checked by tests/reference."""

import zipfile

import pytest
import torch

from tests.published_files import fan_torchscript, state
from tests.reference.arrays import filled
from tvface.networks import fan
from tvface.networks.loading import CheckpointError


@pytest.fixture(scope="module")
def network():
    return filled(fan.build())


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
