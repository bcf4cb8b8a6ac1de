"""SPyNet against the original's numbers, with filled and with published weights."""

import hashlib

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from tests.reference.arrays import SHARED, filled, keys, load, shapes
from tvface.networks.loading import load_spynet
from tvface.networks.normalise import IMAGENET_MEAN, IMAGENET_STD
from tvface.networks.spynet import SPyNet, matched_levels, neighbour_flows

WEIGHTS = SHARED / "weights" / "spynet_sintel_final.safetensors"
CASES = ["128x128", "112x112", "100x148", "224x224", "roll", "astronaut", "astronaut_half"]


def pair(reference, case):
    if case == "roll":
        first = reference.tensor("ref_roll")
        return first, torch.roll(first, (2, -3), (-2, -1))
    if case.startswith("astronaut"):
        image = data.astronaut()
        assert hashlib.sha256(image.tobytes()).hexdigest() == reference.notes["astronaut"]["sha256_uint8_hwc"]
        whole = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        crops = [
            whole[..., y0:y1, x0:x1]
            for x0, y0, x1, y1 in (reference.notes["astronaut"][f"{k}_box_xyxy"] for k in ("ref", "supp"))
        ]
        return [F.avg_pool2d(crop, 2) for crop in crops] if case.endswith("half") else crops
    return reference.tensor(f"ref_{case}"), reference.tensor(f"supp_{case}")


@pytest.fixture(scope="module")
def network():
    module = filled(SPyNet())
    with torch.no_grad():
        module.mean.copy_(torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        module.std.copy_(torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
    return module


def test_names():
    assert shapes(SPyNet()) == keys("net", "spynet_mmagic")


@pytest.mark.parametrize("case", CASES)
def test_filled(network, case):
    reference = load("net", "spynet_fill")
    with torch.no_grad():
        reference.check(f"flow_{case}", network(*pair(reference, case)), floor=1e-5)


@pytest.fixture(scope="module")
def published():
    if not WEIGHTS.is_file():
        pytest.skip(f"{WEIGHTS.name} is not at {WEIGHTS.parent} (research licence, not shipped)")
    module = SPyNet()
    report = load_spynet(module, WEIGHTS)
    assert len(report.loaded) == 60 and report.unused == () and set(report.missing) == {"mean", "std"}
    return module.eval()


@pytest.mark.parametrize("case", ["128x128", "112x112", "100x148", "roll", "astronaut_half"])
def test_published(published, case):
    reference = load("net", "spynet_sintel_final", root=SHARED / "reference")
    with torch.no_grad():
        reference.check(f"flow_{case}", published(*pair(reference, case)), floor=1e-5)


def test_published_in_double(published):
    reference = load("net", "spynet_sintel_final", root=SHARED / "reference")
    module = SPyNet().double().eval()
    load_spynet(module, WEIGHTS)
    with torch.no_grad():
        # The constants went through float32 in the original as well.
        module.mean.copy_(torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        module.std.copy_(torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        reference.check("flow_128x128", module(*(x.double() for x in pair(reference, "128x128"))))


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


def test_neighbour_flows_of_a_window(network):
    frames = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        backward, forward = neighbour_flows(network, frames)
        assert torch.allclose(backward[1:], network(frames[1:2], frames[2:]), atol=1e-5)
        assert torch.allclose(forward[:1], network(frames[1:2], frames[:1]), atol=1e-5)
        assert neighbour_flows(network, frames[:1])[0].shape == (0, 2, 32, 32)
    with pytest.raises(ValueError, match="no flow"):
        network(frames, frames[:2])
