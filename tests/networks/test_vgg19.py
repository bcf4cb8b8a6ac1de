"""VGG19's features against the original's numbers."""

import torch

from tests.reference.arrays import filled, keys, load, shapes
from tvface.networks.vgg19 import NAMED_LAYERS, Vgg19


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


def test_the_layers_that_bear_the_names():
    """relu3_2 and relu4_2 are one convolution behind the layers that the original takes for them."""
    early, named = Vgg19(), Vgg19(NAMED_LAYERS)
    original = keys("deca", "keys_vgg19_features")
    assert shapes(named.features) == {name: s for name, s in original.items() if int(name.split(".")[0]) < 23}
    filled(named.features)
    early.load_state_dict({k: v for k, v in named.state_dict().items() if k in early.state_dict()})
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before, after = early(images), named(images)
        first = torch.relu(torch.nn.functional.conv2d(before[0], *_filter(named.features[12]), padding=1))
        second = torch.relu(torch.nn.functional.conv2d(before[1], *_filter(named.features[21]), padding=1))
    torch.testing.assert_close(after[0], first)
    torch.testing.assert_close(after[1], second)


def _filter(layer):
    return layer.weight, layer.bias
