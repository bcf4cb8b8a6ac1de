"""VGG19's features: what trains. Its numbers and names are checked by tests/reference."""

import torch

from tests.reference.arrays import filled, keys, shapes
from tvface.networks.vgg19 import NAMED_LAYERS, Vgg19


def test_parameters_are_frozen_but_images_get_gradient():
    network = Vgg19()
    images = torch.rand(1, 3, 32, 48, requires_grad=True)
    maps = network(images)
    assert [tuple(m.shape) for m in maps] == [(1, 256, 8, 12), (1, 512, 4, 6)]
    sum(m.sum() for m in maps).backward()
    assert float(images.grad.abs().sum()) > 0
    assert not any(p.requires_grad for p in network.parameters())


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
