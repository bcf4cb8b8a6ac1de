"""Networks prepared for inference keep their outputs: folding, the last heat maps, logits read at the crop."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from face_alignment.models import FAN
from torch import nn
from torch.nn import functional as F

from tests.reference.fill import fill, image
from tvface.networks.bisenet import BiSeNet, Scores
from tvface.networks.fan import LastHeatmaps
from tvface.networks.inference import folded, prepared
from tvface.parsers.bisenet import largest
from tvface.runtime.device import arithmetic, name_of


def relative(result: torch.Tensor, expected: torch.Tensor) -> float:
    return float((result - expected).square().mean().sqrt() / expected.std())


@pytest.fixture(scope="module")
def parsing() -> BiSeNet:
    net = BiSeNet()
    fill(net)
    return net.eval()


@torch.inference_mode()
def test_bisenet_folded_and_in_bfloat16(parsing: BiSeNet) -> None:
    pictures = torch.from_numpy(image("pictures", (2, 3, 96, 128))) * 4 - 2
    expected = parsing.scores(pictures)
    before = copy.deepcopy(parsing.state_dict())
    ready = folded(Scores(parsing))
    assert not any(isinstance(part, nn.BatchNorm2d) for part in ready.modules())
    assert relative(ready(pictures), expected) < 1e-5
    half = prepared(ready, torch.device("cpu"), torch.bfloat16)
    assert 1e-4 < relative(half(pictures.bfloat16()).float(), expected) < 0.03
    for name, tensor in parsing.state_dict().items():
        assert torch.equal(tensor, before[name]), "the network that was given stays as it is"


@torch.inference_mode()
def test_the_last_heat_maps_are_fans() -> None:
    net = FAN(num_modules=2)
    fill(net)
    net.eval()
    pictures = torch.from_numpy(image("faces", (1, 3, 128, 128)))
    expected = net(pictures)[-1]
    ready = prepared(LastHeatmaps(net), torch.device("cpu"))
    assert relative(ready(pictures), expected) < 1e-4
    half = prepared(ready, torch.device("cpu"), torch.bfloat16)
    assert 1e-4 < relative(half(pictures.bfloat16()).float(), expected) < 0.05


def test_a_normalisation_whose_convolution_is_read_elsewhere_stays() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return F.relu(y) + self.norm(y)

    net = Net()
    fill(net)
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    ready = folded(net.eval())
    assert any(isinstance(part, nn.BatchNorm2d) for part in ready.modules())
    torch.testing.assert_close(ready(x), net(x))


@pytest.mark.parametrize("side", [90, 358, 700])
def test_logits_are_read_as_if_enlarged_whole(side: int) -> None:
    logits = torch.from_numpy(image("logits", (1, 19, 64, 64)))
    enlarged = F.interpolate(logits, (512, 512), mode="bilinear", align_corners=True)
    expected = F.interpolate(enlarged.argmax(1, keepdim=True).float(), (side, side), mode="nearest-exact")[0, 0]
    found = largest(logits[0], side).float()
    assert float((found != expected).float().mean()) < 1e-4  # ties up to rounding


def test_precision_is_what_was_asked_for() -> None:
    cpu = torch.device("cpu")
    assert arithmetic("float32", cpu) is torch.float32 and arithmetic("bfloat16", cpu) is torch.bfloat16
    assert name_of(arithmetic("auto", cpu)) in {"float32", "bfloat16"}
    assert np.dtype(name_of(torch.float32)) == np.float32


def test_auto_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has, "amx_bf16": False})
        assert arithmetic("auto", torch.device("cpu")) is expected
