"""SPyNet: published weights estimate true motion; levels, windows. Its numbers are checked by tests/reference."""

import numpy as np
import pytest
import torch

from tests.reference.arrays import SHARED, load
from tests.reference.checks.flow import pair
from tvface.networks.loading import load_spynet
from tvface.networks.spynet import SPyNet, matched_levels, neighbour_flows

WEIGHTS = SHARED / "weights" / "spynet_sintel_final.safetensors"


@pytest.fixture(scope="module")
def published():
    if not WEIGHTS.is_file():
        pytest.skip(f"{WEIGHTS.name} is not at {WEIGHTS.parent} (research licence, not shipped)")
    module = SPyNet()
    report = load_spynet(module, WEIGHTS)
    assert len(report.loaded) == 60 and report.unused == () and set(report.missing) == {"mean", "std"}
    return module.eval()


def test_published_sees_the_true_motion(published):
    """The two crops of one picture are 5 px to the left and 3 px down of each other; six levels or the matched four."""
    reference = load("net", "spynet_fill")
    for levels in ("all", "matched"):
        module = SPyNet(levels).eval()
        module.load_state_dict(published.state_dict())
        with torch.no_grad():
            flow = module(*pair(reference, "astronaut"))
        assert np.allclose(flow.flatten(2).median(2).values[0], [-5, 3], atol=0.1)


def test_matched_levels():
    assert [matched_levels(s, s) for s in (32, 64, 128, 224, 256, 512, 1024)] == [1, 2, 3, 4, 4, 5, 6]
    assert matched_levels(416, 1024) == 6
    with pytest.raises(ValueError, match="valid are"):
        SPyNet("four")  # type: ignore[arg-type]


def test_matched_levels_leave_the_finest_nets_out():
    torch.manual_seed(0)
    module = SPyNet("matched")
    module(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)).sum().backward()
    used = [any(p.grad is not None for p in level.parameters()) for level in module.basic_module]
    assert used == [True, True, False, False, False, False]


def test_neighbour_flows_of_a_window():
    torch.manual_seed(0)
    network = SPyNet().eval()
    frames = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        backward, forward = neighbour_flows(network, frames)
        assert torch.allclose(backward[1:], network(frames[1:2], frames[2:]), atol=1e-5)
        assert torch.allclose(forward[:1], network(frames[1:2], frames[:1]), atol=1e-5)
        assert neighbour_flows(network, frames[:1])[0].shape == (0, 2, 32, 32)
    with pytest.raises(ValueError, match="no flow"):
        network(frames, frames[:2])
