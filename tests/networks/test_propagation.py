"""Second-order propagation by construction. Its numbers are checked by tests/reference."""

import pytest
import torch

from tvface.networks.propagation import SecondOrderPropagation, compose


def test_connections_and_layers():
    torch.manual_seed(0)
    spatial, flow = torch.randn(2, 3, 4, 6, 6), torch.randn(2, 2, 2, 6, 6)
    widths = {"grid": [8, 12, 16, 20, 24, 28], "eq7": [8] * 6}
    for connection, expected in widths.items():
        module = SecondOrderPropagation(4, 1, 3, 2, connection=connection).eval()
        assert [module.backbone[name].main[0].in_channels for name in module.names] == expected
        with torch.no_grad():
            outputs = module(spatial, flow, -flow)
        assert len(outputs) == 6 and all(v.shape == spatial.shape for v in outputs.values())
    with pytest.raises(ValueError, match="valid are"):
        SecondOrderPropagation(4, 1, 1, 2, connection="dense")  # type: ignore[arg-type]


def test_equation_7_feeds_the_previous_branch():
    """Zeroing what a branch gets from others changes it only through the branch right before."""
    torch.manual_seed(0)
    module = SecondOrderPropagation(4, 1, 2, 2, connection="eq7").eval()
    spatial, flow = torch.randn(1, 1, 4, 6, 6), torch.zeros(1, 0, 2, 6, 6)
    with torch.no_grad():
        outputs = module(spatial, flow, flow)
        zeros = torch.zeros(1, 4, 6, 6)
        expected = spatial[:, 0]
        for name in module.names:
            expected = module.backbone[name](torch.cat([expected, zeros], 1))
            assert torch.allclose(outputs[name][:, 0], expected, atol=1e-6)


def test_sequences_do_not_mix_and_time_reversal_mirrors():
    torch.manual_seed(0)
    module = SecondOrderPropagation(4, 1, 1, 2).eval()
    spatial, backward, forward = torch.randn(2, 4, 4, 6, 6), torch.randn(2, 3, 2, 6, 6), torch.randn(2, 3, 2, 6, 6)
    with torch.no_grad():
        both = module(spatial, backward, forward)
        one = module(spatial[1:], backward[1:], forward[1:])
        for name in both:
            assert torch.allclose(both[name][1:], one[name], atol=1e-5)
        # The backward branch sees frames from the last to the first: a change of frame 0 leaves the others alone.
        changed = spatial.clone()
        changed[:, 0] += 1
        again = module(changed, backward, forward)
    assert torch.equal(again["backward_1"][:, 1:], both["backward_1"][:, 1:])
    assert not torch.allclose(again["forward_1"][:, 3], both["forward_1"][:, 3])


def test_composed_flow_of_a_constant_motion():
    flow = torch.zeros(1, 3, 2, 9, 9)
    flow[:, :, 0] = 2.0
    second = compose(flow)
    assert torch.count_nonzero(second[:, 0]) == 0
    # Two steps of 2 px; where the first step leaves the map, only itself remains.
    assert torch.allclose(second[:, 1:, 0, :, :7], torch.tensor(4.0), atol=1e-4)
    assert torch.allclose(second[:, 1:, 0, :, 8], torch.tensor(2.0), atol=1e-4)


def test_wrong_flows_are_refused():
    module = SecondOrderPropagation(4, 1, 1, 2)
    spatial, flow = torch.randn(1, 3, 4, 6, 6), torch.randn(1, 2, 2, 6, 6)
    with pytest.raises(ValueError, match="flows_forward"):
        module(spatial, flow, flow[:, :1])


def test_the_first_frame_is_left_alone_or_aligned_with_nothing():
    """Equation 6 with zeros for the history is the alignment's bias, whatever the frame shows."""
    torch.manual_seed(0)
    plain = SecondOrderPropagation(4, 1, 1, 2).eval()
    literal = SecondOrderPropagation(4, 1, 1, 2, first_frame="align").eval()
    for align in plain.deform_align.values():
        torch.nn.init.normal_(align.bias)
        torch.nn.init.normal_(align.conv_offset[-1].weight)
    literal.load_state_dict(plain.state_dict())
    spatial, flow = torch.randn(1, 1, 4, 6, 6), torch.zeros(1, 0, 2, 6, 6)
    with torch.no_grad():
        zero, aligned = plain(spatial, flow, flow), literal(spatial, flow, flow)
        earlier = [spatial[:, 0]]
        for name in plain.names:
            feature = literal.deform_align[name].bias.view(1, 4, 1, 1).expand(1, 4, 6, 6)
            expected = feature + literal.backbone[name](torch.cat([*earlier, feature], 1))
            torch.testing.assert_close(aligned[name][:, 0], expected)
            assert not torch.allclose(aligned[name], zero[name], atol=1e-3)
            earlier.append(expected)
    with pytest.raises(ValueError, match="valid are"):
        SecondOrderPropagation(4, 1, 1, 2, first_frame="skip")  # type: ignore[arg-type]
