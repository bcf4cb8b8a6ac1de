"""Compilation: networks in one piece on CPU and GPU, one graph per size, no number changed; what accelerate tells."""

import contextlib
import dataclasses
import os
import shutil

import pytest
import torch
from lightning_fabric import Fabric
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.training.conftest import TINY, bumpy_head
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.networks import deformable
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.propagation import SecondOrderPropagation
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.runtime.logging import logger
from tvface.settings import merge, parse_settings
from tvface.settings.model import TemporalEncoder as TemporalSettings
from tvface.training import loop
from tvface.training.acceleration import accelerate
from tvface.training.checkpoint import CheckpointStore
from tvface.training.phases import Conditions, PhaseTask
from tvface.training.sampler import Sampler

SMALL = TemporalSettings(
    width=4, layers=(1, 1, 1, 1), hidden=8, channels=4, blocks=1, rnn_layers=1, deform_groups=2, flow="stored"
)

NO_TRITON = pytest.mark.skipif(not deformable.has_triton(), reason="the package triton is not installed")
DEVICES = ["cpu", pytest.param("cuda:0", marks=NO_TRITON)]


@pytest.fixture(autouse=True)
def fresh():
    """Graphs of one test are not those of another."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@contextlib.contextmanager
def stand_in(device: str):
    """Tensors are on a device that need not be there: they have sizes and no numbers."""
    if device == "cpu":
        yield
        return
    # Whether cuDNN takes a size is asked of the driver, which is not there.
    with torch.backends.cudnn.flags(enabled=False), FakeTensorMode(allow_non_fake_inputs=True):
        yield


def explained(network: torch.nn.Module, *inputs: torch.Tensor) -> list[str]:
    """Return the operations of the network's graph; there must be one."""
    explained = torch._dynamo.explain(network)(*inputs)
    assert explained.graph_break_count == 0, explained.break_reasons
    assert explained.graph_count == 1
    return [str(operation) for operation in explained.ops_per_graph[0]]


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_the_propagation_is_one_graph(monkeypatch, device):
    """On the GPU with the fused kernels in it, which are tried once, while the graph is made."""
    tried = []
    monkeypatch.delenv(deformable.VARIABLE, raising=False)
    monkeypatch.setattr(deformable, "_FAULTS", {})
    monkeypatch.setattr(deformable, "_fault", lambda device, *case: tried.append((str(device), *case)) or "")
    with stand_in(device):
        with torch.device(device):
            network = SecondOrderPropagation(channels=4, blocks=1, rnn_layers=1, groups=2, norm=True)
            inputs = [torch.randn(1, *shape, 8, 8) for shape in ((3, 4), (2, 2), (2, 2))]
        operations = explained(network, *inputs)
    fused = [name for name in operations if "tvface.deform_conv2d" in name]
    # Two branches, each of which aligns the second and the third frame.
    assert len(fused) == (0 if device == "cpu" else 4)
    assert len(tried) == (0 if device == "cpu" else len(deformable._COMPARED))


@pytest.mark.slow
def test_the_networks_are_one_graph_each_in_mixed_precision():
    """Layers that stay in float32 cut nothing."""
    flows = [torch.randn(1, 1, 2, 16, 16) for _ in range(2)]
    with torch.autocast("cpu", torch.bfloat16):
        explained(TemporalEncoder(5, SMALL), torch.randn(1, 2, 3, 32, 32), *flows)
        explained(ResNetEncoder(5, 4, (1, 1, 1, 1), 8), torch.randn(2, 3, 32, 32))
        explained(DetailDecoder(5, 16), torch.randn(2, 5))


def test_the_graph_of_the_propagation_gives_the_same_features():
    generator = torch.Generator().manual_seed(0)
    network = SecondOrderPropagation(channels=4, blocks=1, rnn_layers=1, groups=2, norm=True).eval()
    spatial = torch.randn(1, 3, 4, 8, 8, generator=generator)
    flows = [torch.randn(1, 2, 2, 8, 8, generator=generator) for _ in range(2)]
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.no_grad():
        plain, traced = network(spatial, *flows), compiled(spatial, *flows)
    for name, feature in plain.items():
        torch.testing.assert_close(traced[name], feature, rtol=1e-5, atol=1e-6)


def fit(settings, model: str, phase: str, folder, validation: int):
    """Train through the loop with the first clips for validation; return the curve."""
    rows = read("dataset.parquet", DATASET).rows
    clips = load_clips(rows[rows["split"] == "train"], 32, settings.masks.classes)
    face_model = FaceModel(ModelSpec.of(model, settings.train, settings.head, 0), bumpy_head())
    accelerate(face_model, settings.train, torch.device("cpu"))
    of_phase = getattr(settings.train, phase)
    task = PhaseTask(face_model, phase, of_phase, conditions=Conditions(keep_codes=True))
    store = CheckpointStore(folder, "same", 9, logger("train"))
    fabric = Fabric(accelerator="cpu", devices=1)
    sampler = Sampler(clips, 2, 3, 0)
    return loop.fit(fabric, task, sampler, clips[:validation], of_phase.steps, of_phase, settings.train, store)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "phase"), [("temporal", "pretrain"), ("deca", "detail")])
def test_a_smaller_last_batch_of_a_validation_makes_no_graph(project, tmp_path, monkeypatch, model, phase):
    """Three clips are validated two by two, five times: graphs are made of whole batches, in the first round only."""
    import torch._inductor.compile_fx as inductor

    modules, begun = [], []

    def graph(module, inputs, **_):
        modules.append(module)
        return module.forward

    monkeypatch.setattr(inductor, "compile_fx", graph)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(len(modules)))
    changes = {"compile": "reduce-overhead", "validate_every": 1, "log_every": 1, phase: {"steps": 4, "batch": 2}}
    settings = parse_settings(merge(TINY, {"train": changes}))
    compiled = fit(settings, model, phase, tmp_path / "compiled", 3)
    # Coarse encoder; in the detail phase both encoders and the decoder. Each in evaluation and in training, but for
    # the coarse encoder of the detail phase, which is never trained.
    assert len(modules) == {"pretrain": 2, "detail": 5}[phase]
    assert len(begun) == 4 + 5 * 2, "every step and every batch of a validation begins a pass"
    assert begun[-1] == begun[4] == len(modules), "all graphs are there after the first validation and step"
    plain = dataclasses.replace(settings, train=dataclasses.replace(settings.train, compile="none"))
    rows = fit(plain, model, phase, tmp_path / "plain", 3).rows
    assert [row[:3] for row in rows] == [row[:3] for row in compiled.rows]
    torch.testing.assert_close([row[3] for row in rows], [row[3] for row in compiled.rows], rtol=1e-4, atol=1e-6)
    assert len(modules) == {"pretrain": 2, "detail": 5}[phase], "nothing is compiled where nothing is to be"


@pytest.mark.skipif(
    os.environ.get("TVFACE_TEST_COMPILE") != "1" or shutil.which("g++") is None,
    reason="compiling the networks for a CPU takes minutes and g++: set TVFACE_TEST_COMPILE=1",
)
@pytest.mark.parametrize(("model", "phase"), [("temporal", "pretrain"), ("deca", "detail")])
def test_compiled_steps_are_the_same_steps(project, tmp_path, model, phase):
    settings = parse_settings(merge(TINY, {"train": {"compile": "default", "log_every": 1, phase: {"steps": 2}}}))
    plain = dataclasses.replace(settings, train=dataclasses.replace(settings.train, compile="none"))
    rows = fit(settings, model, phase, tmp_path / "compiled", 2).rows
    expected = fit(plain, model, phase, tmp_path / "plain", 2).rows
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    torch.testing.assert_close([row[3] for row in rows], [row[3] for row in expected], rtol=1e-4, atol=1e-6)


def test_compilation_keeps_the_names_of_the_weights(tiny):
    model = FaceModel(ModelSpec.of("deca", tiny.train, tiny.head, 0), bumpy_head())
    names = list(model.state_dict())
    accelerate(model, dataclasses.replace(tiny.train, compile="default"), torch.device("cpu"))
    parts = (model.coarse_encoder, model.detail_encoder, model.detail_decoder)
    assert all(part._compiled_call_impl is not None for part in parts)
    assert list(model.state_dict()) == names


def test_what_was_chosen_is_told(tiny, monkeypatch):
    """The temporal model has a deformable convolution, in the arithmetic of the training."""
    asked = []
    decide = deformable.decide

    def recorded(device, dtype, **more):
        asked.append((dtype, more))
        return decide(device, dtype, **more)

    monkeypatch.setattr(deformable, "decide", recorded)
    monkeypatch.delenv(deformable.VARIABLE, raising=False)
    for precision, dtype in (("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)):
        settings = dataclasses.replace(tiny.train, precision=precision)
        models = (FaceModel(ModelSpec.of(name, settings, tiny.head, 0), bumpy_head()) for name in ("deca", "temporal"))
        notes = [accelerate(model, settings, torch.device("cpu")) for model in models]
        assert notes == [{}, {"deformable_convolution": "numba"}]
        assert asked.pop() == (dtype, {"width": 4, "compiling": False}) and not asked
