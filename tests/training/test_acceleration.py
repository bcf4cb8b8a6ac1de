"""Compilation changes no number, and finds the propagation in one piece."""

import dataclasses
import os
import shutil

import pytest
import torch

from tests.training.conftest import bumpy_head
from tvface.networks.propagation import SecondOrderPropagation
from tvface.training.acceleration import accelerate
from tvface.training.model import FaceModel, ModelSpec


def test_the_propagation_is_one_graph():
    """torch.compile meets nothing that it cannot look into, and what it sees gives the same features."""
    generator = torch.Generator().manual_seed(0)
    network = SecondOrderPropagation(channels=4, blocks=1, rnn_layers=1, groups=2, norm=True).eval()
    spatial = torch.randn(1, 3, 4, 8, 8, generator=generator)
    flows = [torch.randn(1, 2, 2, 8, 8, generator=generator) for _ in range(2)]
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.no_grad():
        plain, traced = network(spatial, *flows), compiled(spatial, *flows)
    torch.compiler.reset()
    for name, feature in plain.items():
        torch.testing.assert_close(traced[name], feature, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(
    os.environ.get("TVFACE_TEST_COMPILE") != "1" or shutil.which("g++") is None,
    reason="torch.compile on a CPU takes a minute and g++: set TVFACE_TEST_COMPILE=1",
)
def test_compile_default_changes_no_displacement(tiny):
    model = FaceModel(ModelSpec.of("deca", tiny.train, tiny.head, 0), bumpy_head()).eval()
    codes = torch.randn(2, 3 + 3 + 128, generator=torch.Generator().manual_seed(0))
    names = list(model.state_dict())
    with torch.no_grad():
        plain = model.detail_decoder(codes)
        accelerate(model, dataclasses.replace(tiny.train, compile="default"), torch.device("cpu"))
        assert all(part._compiled_call_impl is not None for part in (model.coarse_encoder, model.detail_encoder))
        torch.testing.assert_close(model.detail_decoder(codes), plain, rtol=1e-4, atol=1e-7)
    torch.compiler.reset()
    assert list(model.state_dict()) == names, "weights keep their names"
