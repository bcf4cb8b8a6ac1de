"""VGG19's features against the original's numbers."""

import torch

from tests.reference.arrays import filled, keys, load, shapes
from tvface.networks.vgg19 import Vgg19


def test_names():
    original = keys("deca", "keys_vgg19_features")
    assert shapes(Vgg19().features) == {name: s for name, s in original.items() if int(name.split(".")[0]) < 21}


def test_features():
    reference = load("deca", "mrf")
    network = Vgg19()
    filled(network.features)
    with torch.no_grad():
        maps = network(reference.tensor("img_gen")[:1])
    assert maps[0].shape == (1, 256, 64, 64) and maps[1].shape == (1, 512, 32, 32)
    for name, value in zip(("relu3_2", "relu4_2"), maps, strict=True):
        stored = reference[f"plain_fill.{name}.sub"][:1]
        assert abs(value[:, ::32, ::8, ::8].numpy() - stored).max() <= 1e-5 * abs(stored).max()
