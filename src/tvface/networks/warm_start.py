"""Initial weights of the encoders: DECA's, ImageNet's ResNet-50, BasicVSR++'s, tvface's own.

Each function loads the tensors of a file that have a place in the network and reports all others: a start may be
partial, but every tensor that is left out is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tvface.assets.reports import LoadReport
from tvface.networks.files import CheckpointError, State, as_state, read_checkpoint, read_tensors
from tvface.networks.loading import load_strictly
from tvface.networks.residual_encoder import ResidualEncoder
from tvface.networks.temporal_encoder import TemporalEncoder

_TRUNK = ("layer1.", "layer2.", "layer3.", "layer4.")
_STEM = ("encoder.conv1.", "encoder.bn1.")


def _unlike_deca(encoder: nn.Module) -> tuple[str, ...]:
    """Return the prefixes of the parts of an encoder that DECA's has not; empty for DECA's."""
    return tuple(f"{name}." for name, _ in encoder.named_children() if name not in ("encoder", "layers"))


def load_deca_encoder(encoder: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> LoadReport:
    """Load ``E_flame`` or ``E_detail`` into DECA's encoder or a residual one, or its later part into a temporal one.

    A temporal encoder has no stem: ``encoder.conv1`` and ``encoder.bn1`` are reported unused, and all parts before its
    ``encoder`` are reported missing. A residual encoder takes everything; what it adds to DECA's is reported missing.

    Raises:
        CheckpointError: as :func:`load_strictly`.
    """
    unused = _STEM if isinstance(encoder, TemporalEncoder) else ()
    return load_strictly(encoder, state, source, unused=unused, missing=_unlike_deca(encoder))


def load_imagenet_encoder(encoder: nn.Module, path: Path) -> LoadReport:
    """Load torchvision's ``resnet50-0676ba61.pth`` into the ResNet of an encoder, as DECA's was before its training.

    The classifier ``fc`` is reported unused (for a temporal encoder the stem as well), the encoder's ``layers``
    missing.

    Raises:
        CheckpointError: as :func:`load_strictly`.
    """
    renamed = {
        f"encoder.{name}" if name.startswith((*_TRUNK, "conv1.", "bn1.")) else name: tensor
        for name, tensor in read_tensors(path).items()
    }
    unused = ("fc.", *(_STEM if isinstance(encoder, TemporalEncoder) else ()))
    missing = ("layers.", *_unlike_deca(encoder))
    return load_strictly(encoder, renamed, str(path), unused=unused, missing=missing)


def load_features(encoder: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> LoadReport:
    """Load the features of tvface's weights into an encoder: all except ``layers``, the last two linear layers.

    A residual encoder takes features of DECA's encoder too; what it adds to it is reported missing then.

    Args:
        state: :meth:`FaceModel.weights` of a trained model, or the part under ``coarse_encoder`` of one.

    Raises:
        CheckpointError: as :func:`load_strictly`.
    """
    prefix = "coarse_encoder."
    renamed = {
        name.removeprefix(prefix): tensor for name, tensor in state.items() if not name.startswith(f"{prefix}layers.")
    }
    added = ResidualEncoder.ADDED if isinstance(encoder, ResidualEncoder) else ()
    own = any(name.startswith(added) for name in renamed) if added else True
    return load_strictly(
        encoder,
        renamed,
        source,
        unused=("detail_encoder.", "detail_decoder.", "flow."),
        missing=("layers.", *(() if own else added)),
    )


_UNUSED = ("spynet.", "upsample", "conv_hr.", "conv_last.", "step_counter", "generator_ema.")
_BLOCK = re.compile(r"^(.*\.main\.2)\.(\d+)\.(.*)$")


def read_basicvsr(path: Path) -> State:
    """Read a BasicVSR++ checkpoint, a state dict or one under ``state_dict``; the prefix ``generator.`` is removed.

    Raises:
        CheckpointError: another layout, or the variant for full-resolution input (``feat_extract.0``), whose first
            convolutions have a stride, unlike those of the temporal encoder.
    """
    content: Any = read_checkpoint(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    state = {name.removeprefix("generator."): tensor for name, tensor in as_state(content, str(path)).items()}
    if "feat_extract.main.0.weight" not in state:
        kind = "the variant for full-resolution input" if "feat_extract.0.weight" in state else "another network"
        raise CheckpointError(
            f"{path} is {kind}: a temporal encoder starts from BasicVSR++ for low-resolution input, e.g. "
            "basicvsr_plusplus_c64n7_8x1_600k_reds4_20210217-db622b2f.pth"
        )
    return state


def load_basicvsr(encoder: TemporalEncoder, path: Path) -> LoadReport:
    """Load the shared parts of a BasicVSR++ checkpoint into a temporal encoder.

    ========================  ===============================================================
    the encoder's             comes from
    ========================  ===============================================================
    head, down1's blocks      ``feat_extract``
    the aligners              ``deform_align``
    a branch's blocks         the first of ``backbone.<branch>`` (7 in the published file)
    a branch's first layer    ``backbone.<branch>.main.0``, if the branches see the whole grid
    fusion                    ``reconstruction``
    ========================  ===============================================================

    Batch normalisations keep their initial values, which are nearly the identity in evaluation. Deeper blocks, the
    optical flow and the upsampling are reported unused; normalisations, strided convolutions and all parts after the
    fusion are reported missing.

    Raises:
        CheckpointError: as :func:`load_strictly`, e.g. for another number of channels or offset groups.
    """
    blocks = {name: len(encoder.get_submodule(encoder_name)) for name, encoder_name in _stacks(encoder).items()}  # type: ignore[arg-type]
    renamed: State = {}
    surplus: list[str] = list(_UNUSED)
    for name, tensor in read_basicvsr(path).items():
        encoder_name = _encoder_name(name)
        match = _BLOCK.match(name)
        deep = match is not None and int(match[2]) >= blocks.get(match[1], 0)
        narrow = encoder.propagation.connection != "grid" and re.match(r"backbone\.\w+\.main\.0\.", name) is not None
        if encoder_name is None or deep or narrow:
            renamed[name] = tensor
            if deep or narrow:
                surplus.append(name)
        else:
            renamed[encoder_name] = tensor
    missing = ["down1.down.", "down2.", "encoder.", "layers."]
    missing += [name for name in encoder.state_dict() if ".bn." in name]
    if encoder.propagation.connection != "grid":
        missing += [f"propagation.backbone.{name}.main.0." for name in encoder.propagation.names]
    return load_strictly(encoder, renamed, str(path), unused=tuple(surplus), missing=tuple(missing))


def _stacks(encoder: TemporalEncoder) -> dict[str, str]:
    """Return the stacks of residual blocks: name in the checkpoint -> name in the encoder."""
    branches = {f"backbone.{name}.main.2": f"propagation.backbone.{name}.main.2" for name in encoder.propagation.names}
    return {"feat_extract.main.2": "down1.blocks", "reconstruction.main.2": "fusion.main.2", **branches}


def _encoder_name(name: str) -> str | None:
    """Return the encoder's name of a parameter of BasicVSR++, or None if it has none."""
    for theirs, ours in (
        ("feat_extract.main.0.", "head."),
        ("feat_extract.main.2.", "down1.blocks."),
        ("deform_align.", "propagation.deform_align."),
        ("backbone.", "propagation.backbone."),
        ("reconstruction.", "fusion."),
    ):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return None
