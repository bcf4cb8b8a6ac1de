"""BiSeNet: sizes. Its numbers and names are checked by tests/reference."""

import pytest
import torch

from tvface.networks.bisenet import BiSeNet


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
