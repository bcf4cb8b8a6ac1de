"""VGG19's features: what trains. Its numbers and names are checked by tests/reference."""

import torch

from tvface.networks.vgg19 import Vgg19


def test_parameters_are_frozen_but_images_get_gradient():
    network = Vgg19()
    images = torch.rand(1, 3, 32, 48, requires_grad=True)
    maps = network(images)
    assert [tuple(m.shape) for m in maps] == [(1, 256, 8, 12), (1, 512, 4, 6)]
    sum(m.sum() for m in maps).backward()
    assert float(images.grad.abs().sum()) > 0
    assert not any(p.requires_grad for p in network.parameters())
