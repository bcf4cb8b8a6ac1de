"""BiSeNet against the originals' numbers."""

import numpy as np
import pytest
import torch

from tests.published_files import bisenet, yakhyo
from tests.reference import fill
from tests.reference.arrays import filled, keys, load, shapes
from tvface.networks.bisenet import BiSeNet, from_yakhyo
from tvface.networks.loading import CheckpointError, load_bisenet, load_strictly
from tvface.networks.normalise import imagenet_normalise


@pytest.fixture(scope="module")
def network():
    return filled(BiSeNet())


def test_names(network):
    assert shapes(network) == keys("net", "bisenet_19")
    assert sum(p.numel() for p in network.parameters()) == 13_300_416


def test_heads_and_class_map_at_512(network):
    reference = load("net", "bisenet")
    images = imagenet_normalise(reference.tensor("image"))
    with torch.no_grad():
        out, out16, out32 = network.heads(images)
    for name, value in {"out": out, "out16": out16, "out32": out32}.items():
        reference.check(name, value, floor=1e-5)
    classes = out.argmax(1)
    assert np.array_equal(classes[:, ::4, ::4].numpy(), reference["argmax"])
    assert np.array_equal(torch.bincount(classes.flatten(), minlength=19).numpy(), reference["argmax.histogram"])


def test_other_sizes(network):
    reference = load("net", "bisenet")
    images = imagenet_normalise(reference.tensor("image_small"))
    with torch.no_grad():
        out = network(images)
        feat8, context8, context16 = network.cp(images)
    reference.check("out_small", out, floor=1e-5)
    for name, value in {"small_feat8": feat8, "small_cp8": context8, "small_cp16": context16}.items():
        reference.check(name, value, floor=1e-5)


@pytest.mark.parametrize(("backbone", "blocks"), [("resnet18", (2, 2, 2, 2)), ("resnet34", (3, 4, 6, 3))])
def test_yakhyo(backbone, blocks):
    reference = load("net", "bisenet_yakhyo")
    state = {
        name: torch.from_numpy(np.asarray(fill.parameter(name, shape)))
        for name, shape in keys("net", f"bisenet_yakhyo_{backbone}").items()
    }
    network = BiSeNet(blocks=blocks).eval()
    report = load_strictly(network, from_yakhyo(state), backbone, unused=("cp.resnet.fc.",))
    assert set(report.unused) == {"cp.resnet.fc.weight", "cp.resnet.fc.bias"} and report.missing == ()
    with torch.no_grad():
        heads = network.heads(imagenet_normalise(reference.tensor("image_small")))
    for index, head in enumerate(heads):
        reference.check(f"{backbone}.head{index}", head, floor=1e-5)


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
