"""Published weights in the encoders: what is loaded, what is reported, and the originals' numbers out of it."""

import pytest
import torch

from tests.published_files import basicvsr, resnet50, state
from tests.reference.arrays import load
from tvface.networks.files import CheckpointError
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.networks.warm_start import load_basicvsr, load_deca_encoder, load_imagenet_encoder, read_basicvsr
from tvface.settings.model import TemporalEncoder as Settings

SMALL_TRUNK = {"width": 4, "layers": (1, 1, 1, 1), "hidden": 4}


def parts(names):
    return {name.split(".")[0] for name in names}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return basicvsr(tmp_path_factory.mktemp("basicvsr") / "basicvsr_plusplus.pth")


def started(checkpoint, **changes):
    torch.manual_seed(0)
    encoder = TemporalEncoder(8, Settings(**SMALL_TRUNK, **changes)).eval()
    return encoder, load_basicvsr(encoder, checkpoint)


def test_basicvsr_gives_its_numbers(checkpoint):
    """Five of the seven blocks, aligners and branches are BasicVSR++'s function: its stored outputs come out."""
    encoder, report = started(checkpoint)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0  # the normalisation is then exactly the identity
    reference = load("net", "propagation_t2")
    spatial, backward, forward = (reference.tensor(n) for n in ("spatial", "flows_backward", "flows_forward"))
    with torch.no_grad():
        branches = encoder.propagation(spatial, backward, forward)
        fused = encoder.fusion(torch.cat([spatial, *branches.values()], 2).flatten(0, 1)).unflatten(0, (1, 2))
    for name, value in {**branches, "reconstruction": fused}.items():
        reference.check(name, value)
    own = state("net", "basicvsr_plusplus_c64_blocks7")
    assert torch.equal(encoder.head.weight, own["feat_extract.main.0.weight"])
    assert torch.equal(encoder.down1.blocks[4].conv2.bias, own["feat_extract.main.2.4.conv2.bias"])
    assert len(report.loaded) == 172


def test_every_tensor_of_basicvsr_is_accounted_for(checkpoint):
    encoder, report = started(checkpoint)
    held = read_basicvsr(checkpoint)
    assert len(report.loaded) + len(report.unused) == len(held) == 275
    assert len(report.loaded) + len(report.missing) == len(encoder.state_dict())
    deeper = {name for name in report.unused if name.startswith("backbone.")}
    assert deeper == {
        f"backbone.{way}_{layer}.main.2.{block}.conv{i}.{kind}"
        for way in ("backward", "forward")
        for layer in (1, 2)
        for block in (5, 6)
        for i in (1, 2)
        for kind in ("weight", "bias")
    }
    rest = {name for name in report.unused if name not in deeper}
    assert parts(rest) == {"spynet", "upsample1", "upsample2", "conv_hr", "conv_last", "step_counter"}
    assert all(".bn." in n or n.startswith(("down1.down.", "down2.", "encoder.", "layers.")) for n in report.missing)


def test_branch_inputs_fit_the_grid_only(checkpoint):
    encoder, report = started(checkpoint, connection="eq7")
    inputs = {f"backbone.{name}.main.0.{kind}" for name in encoder.propagation.names for kind in ("weight", "bias")}
    assert inputs <= set(report.unused) and {f"propagation.{name}" for name in inputs} <= set(report.missing)


def test_fewer_blocks_take_the_first(checkpoint):
    encoder, report = started(checkpoint, blocks=1)
    assert "feat_extract.main.2.1.conv1.weight" in report.unused
    assert torch.equal(
        encoder.fusion.main[2][0].conv1.weight,
        state("net", "basicvsr_plusplus_c64_blocks7")["reconstruction.main.2.0.conv1.weight"],
    )


def test_another_size_or_file_is_refused(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match="another shape"):
        started(checkpoint, channels=32)
    with pytest.raises(CheckpointError, match="another shape"):
        started(checkpoint, deform_groups=8)
    with pytest.raises(CheckpointError, match=r"missing: down1\.blocks\.5"):
        started(checkpoint, blocks=6)
    torch.save({"generator.feat_extract.0.weight": torch.zeros(1)}, tmp_path / "full.pth")
    with pytest.raises(CheckpointError, match="variant for full-resolution input"):
        read_basicvsr(tmp_path / "full.pth")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="is another network"):
        read_basicvsr(tmp_path / "other.pth")


@pytest.fixture(scope="module")
def temporal():
    return TemporalEncoder(236, Settings(blocks=1)).eval()


def test_deca_gives_the_temporal_encoder_its_numbers(temporal):
    report = load_deca_encoder(temporal, state("deca", "keys_encoder236"), "E_flame")
    assert len(report.loaded) == 316 and len(report.unused) == 6
    reference = load("deca", "encoder")
    with torch.no_grad():
        pooled = temporal.encoder(reference.tensor("trunk_in"))
        reference.check("trunk_pooled2048", pooled, floor=1e-5)
        reference.check("trunk_code236", temporal.layers(pooled), floor=1e-5)


def test_imagenet(temporal, tmp_path):
    path = resnet50(tmp_path / "resnet50-0676ba61.pth")
    report = load_imagenet_encoder(temporal, path)
    assert {"fc.weight", "fc.bias", "encoder.conv1.weight"} <= set(report.unused) and len(report.unused) == 8
    assert parts(report.missing) == {"layers", "head", "down1", "propagation", "fusion", "down2"}
    with torch.device("meta"):
        encoder = ResNetEncoder(236)
    encoder = encoder.to_empty(device="cpu")
    report = load_imagenet_encoder(encoder, path)
    assert (
        len(report.loaded) == 318 and report.unused == ("fc.weight", "fc.bias") and parts(report.missing) == {"layers"}
    )
    assert torch.equal(encoder.encoder.layer4[2].conv3.weight, temporal.encoder.layer4[2].conv3.weight)
