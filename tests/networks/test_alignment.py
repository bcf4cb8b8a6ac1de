"""Second-order deformable alignment against the original's numbers."""

import numpy as np
import pytest
import torch
from torchvision.ops import deform_conv2d

from tests.reference.arrays import filled, keys, load, shapes
from tvface.networks.alignment import SecondOrderDeformableAlignment


@pytest.fixture(scope="module")
def reference():
    return load("net", "deform_align")


@pytest.fixture(scope="module")
def inputs(reference):
    return [reference.tensor(name) for name in ("x", "extra_feat", "flow_1", "flow_2")]


def split(align, value, condition, flow_1, flow_2, *, second=True):
    """The same alignment by the path that the propagation takes."""
    c = align.channels
    share = align.static_share(condition[:, c : 2 * c], flow_1, flow_2)
    features = (value[:, :c], value[:, c:] if second else None)
    warped = (condition[:, :c], condition[:, 2 * c :] if second else None)
    return align.forward_recurrent(share, features, warped, flow_1, flow_2)


def test_names():
    network = SecondOrderDeformableAlignment()
    assert shapes(network) == keys("net", "second_order_deformable_alignment")
    assert sum(p.numel() for p in network.parameters()) == 509_872


def test_whole_and_split(reference, inputs):
    network = filled(SecondOrderDeformableAlignment())
    with torch.no_grad():
        reference.check("out", network(*inputs))
        reference.check("out", split(network, *inputs))
        hidden = network.conv_offset(torch.cat(inputs[1:], 1))
        reference.check("conv_offset_out", hidden, floor=1e-5)


def test_first_order(reference, inputs):
    value, condition, flow_1, flow_2 = (tensor.clone() for tensor in inputs)
    value[:, 64:] = 0
    condition[:, 128:] = 0
    flow_2[:] = 0
    network = filled(SecondOrderDeformableAlignment())
    with torch.no_grad():
        reference.check("out_first_order", network(value, condition, flow_1, flow_2))
        reference.check("out_first_order", split(network, value, condition, flow_1, flow_2, second=False))


def test_zero_offset_net(reference, inputs):
    network = filled(SecondOrderDeformableAlignment())
    with torch.no_grad():
        for parameter in network.conv_offset[6].parameters():
            parameter.zero_()
        reference.check("out_zero_offset_net", network(*inputs))


def test_starts_by_following_the_flow():
    """At the start: offsets are the flow, weights one half, so a shifted constant stays a constant."""
    network = SecondOrderDeformableAlignment(channels=4, groups=2)
    value = torch.ones(1, 8, 12, 12)
    flow = torch.full((1, 2, 12, 12), 1.5)
    with torch.no_grad():
        out = network(value, torch.randn(1, 12, 12, 12), flow, flow)
        expected = 0.5 * network.weight.sum((1, 2, 3)) + network.bias
    assert torch.allclose(out[0, :, 5, 5], expected, atol=1e-6)


def test_flow_beyond_the_map_and_half_precision():
    network = SecondOrderDeformableAlignment(channels=4, groups=4)
    flow = torch.full((1, 2, 8, 8), 1e4)
    with torch.no_grad():
        out = network(torch.randn(1, 8, 8, 8), torch.randn(1, 12, 8, 8), flow, flow)
        assert torch.allclose(out, network.bias.view(1, -1, 1, 1).expand_as(out))
        with torch.autocast("cpu", torch.bfloat16):
            half = network(torch.randn(1, 8, 8, 8).bfloat16(), torch.randn(1, 12, 8, 8), 0 * flow, 0 * flow)
    assert half.dtype == torch.bfloat16 and bool(torch.isfinite(half).all())


@pytest.mark.parametrize("groups", [3, 5, 1, 16])
def test_impossible_groups_are_refused(groups):
    with pytest.raises(ValueError, match="offset groups"):
        SecondOrderDeformableAlignment(channels=4, groups=groups)


@pytest.mark.parametrize(
    ("case", "options"), [("a", {"padding": 1}), ("b", {"stride": 2, "padding": 2, "dilation": 2}), ("nomask", {})]
)
def test_the_library_kernel_keeps_its_conventions(case, options):
    """torchvision's deformable convolution, values and gradients: offsets as (y, x) per tap per group, zero outside."""
    reference = load("net", "deform_conv2d")
    names = ["x", "offset", "weight", "bias"] + ([] if case == "nomask" else ["mask"])
    tensors = {name: reference.tensor(f"{case}_{name}").requires_grad_() for name in names}
    out = deform_conv2d(**{"input" if k == "x" else k: v for k, v in tensors.items()}, **options)
    (out * reference.tensor(f"{case}_grad_out")).sum().backward()
    assert np.allclose(out.detach().numpy(), reference[f"{case}_out"], atol=1e-10)
    for name, tensor in tensors.items():
        assert np.allclose(tensor.grad.numpy(), reference[f"{case}_grad_{name}"], atol=1e-10), name
