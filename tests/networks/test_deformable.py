"""The CPU's deformable convolution equals torchvision's, values and gradients."""

import pytest
import torch
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from tvface.networks.deformable import deform_conv2d


def arguments(groups: int = 4, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    # Offsets reach far outside of the map, where samples fade to zero.
    value, offset = normal(2, 8, 7, 9), 4 * normal(2, 18 * groups, 7, 9)
    return [t.requires_grad_() for t in (value, offset, normal(3, 8, 3, 3), normal(3), normal(2, 9 * groups, 7, 9))]


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_it_equals_torchvision(groups):
    value, offset, weight, bias, mask = given = arguments(groups)
    ours = deform_conv2d(*given)
    theirs = torchvision_deform_conv2d(value, offset, weight, bias, padding=1, mask=mask)
    torch.testing.assert_close(ours, theirs)
    cotangent = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=ours.dtype)
    for a, b in zip(
        torch.autograd.grad((ours * cotangent).sum(), given),
        torch.autograd.grad((theirs * cotangent).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_offsets_that_do_not_fit_are_refused():
    value, offset, weight, bias, mask = arguments()
    with pytest.raises(ValueError, match="do not fit"):
        deform_conv2d(value, offset[:, :-1], weight, bias, mask)
    with pytest.raises(ValueError, match="do not fit"):
        deform_conv2d(value, offset, weight, bias, mask[:, 9:])
