"""Identity features: margin, gradients. Their numbers are checked by tests/reference."""

import pytest
import torch

from tests.reference.arrays import filled
from tvface.networks.vggface2 import MEAN_BGR, VggFace2, preprocess


@pytest.fixture(scope="module")
def network():
    return filled(VggFace2())


def test_what_the_network_was_trained_on():
    """Grey levels without their mean; the original doubles that once more."""
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    plain = preprocess(images, doubled=False)
    mean = torch.tensor(MEAN_BGR).view(1, 3, 1, 1)
    expected = torch.nn.functional.interpolate(
        images.flip(1)[..., 10:214, 10:214] * 255 - mean, (224, 224), mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(plain, expected)
    torch.testing.assert_close(preprocess(images), 2 * plain - 1, rtol=1e-4, atol=1e-3)


def test_margin_scales_with_the_image(network):
    assert preprocess(torch.rand(1, 3, 112, 112)).shape == (1, 3, 224, 224)
    marked = torch.zeros(1, 3, 112, 112)
    marked[..., :5, :] = 1  # 5 px of 112 are the 10 px of 224 that are cut off
    assert torch.equal(preprocess(marked), preprocess(torch.zeros(1, 3, 112, 112)))


def test_parameters_are_frozen_but_images_get_gradient(network):
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    network.features_of(images).sum().backward()
    assert float(images.grad.abs().sum()) > 0
    assert not any(p.requires_grad for p in network.parameters())
