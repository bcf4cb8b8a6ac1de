"""BiSeNet: sizes. Its numbers and names are checked by tests/reference."""

import pytest
import torch

from tests.published_files import bisenet, yakhyo
from tests.reference.arrays import load
from tvface.networks.bisenet import BiSeNet
from tvface.networks.loading import CheckpointError, load_bisenet
from tvface.networks.normalise import imagenet_normalise


def test_count_of_parameters():
    with torch.device("meta"):
        assert sum(p.numel() for p in BiSeNet().parameters()) == 13_300_416


@pytest.mark.parametrize("size", [(64, 96), (128, 32)])
def test_logits_have_the_size_of_the_images(size):
    network = BiSeNet(classes=5, blocks=(1, 1, 1, 1)).eval()
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        heads = network.heads(images)
        assert torch.equal(network(images), heads[0])
    assert all(head.shape == (2, 5, *size) for head in heads)


@pytest.mark.parametrize(("name", "key"), [("79999_iter.pth", "out_small"), ("resnet34.pt", "resnet34.head0")])
def test_files(tmp_path, name, key):
    """A file of either layout, through the loader that tells them apart, gives its original's numbers."""
    original = name == "79999_iter.pth"
    path = (bisenet if original else yakhyo)(tmp_path / name)
    network, report = load_bisenet(path)
    assert report.missing == () and len(report.loaded) == (191 if original else 287)
    assert report.unused == (() if original else ("cp.resnet.fc.weight", "cp.resnet.fc.bias"))
    reference = load("net", "bisenet" if original else "bisenet_yakhyo")
    with torch.no_grad():
        reference.check(key, network(imagenet_normalise(reference.tensor("image_small"))), floor=1e-5)
    assert not network.training


def test_another_parser_is_refused(tmp_path):
    torch.save({"fpn.backbone.conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet18.pt")
    with pytest.raises(CheckpointError, match=r"does not fit BiSeNet: .* missing"):
        load_bisenet(tmp_path / "resnet18.pt")
