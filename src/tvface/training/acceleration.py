"""What makes a training faster and keeps its mathematics: memory format, TF32, compilation; shared statistics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from tvface.model.face_model import FaceModel
from tvface.networks import deformable
from tvface.networks.alignment import SecondOrderDeformableAlignment
from tvface.settings.model import Train


def accelerate(model: FaceModel, settings: Train, device: torch.device, processes: int = 1) -> dict[str, str]:
    """Prepare a model, and torch's arithmetic in this process, for training on a device. Names of weights stay.

    Args:
        model: changed in place.
        settings: ``tf32``, ``precision`` and ``compile``.
        device: on a GPU the encoders keep their channels last, which its matrix units want; on a CPU that is slower.
        processes: with several of them on GPUs batch normalisation takes its statistics over all. On CPUs each
            process keeps its own: torch has no such layer there.

    Returns:
        What was chosen on this machine, for the provenance: ``deformable_convolution``, the backend and why it is not
        the fastest, where the model has one.
    """
    encoders = (model.coarse_encoder, model.detail_encoder)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = settings.tf32
        for encoder in encoders:
            encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if processes > 1:
            nn.SyncBatchNorm.convert_sync_batchnorm(model)
    notes = {}
    aligned = next((part for part in model.modules() if isinstance(part, SecondOrderDeformableAlignment)), None)
    if aligned is not None:
        # Asked before the first step, so that the fused kernels are tried now and not while a graph is made.
        dtype = torch.bfloat16 if settings.precision == "bf16-mixed" else torch.float32
        width = 2 * aligned.channels // aligned.groups
        choice = deformable.decide(device, dtype, width=width, compiling=settings.compile != "none")
        notes["deformable_convolution"] = str(choice)
    if settings.compile != "none":
        for part in (*encoders, model.detail_decoder):
            # Every size has a graph of its own: one for any size is slower, and what varies (the last windows of a
            # validation) runs without, see one_pass.
            part.compile(mode=settings.compile, dynamic=False)
    return notes


@contextlib.contextmanager
def one_pass(settings: Train, *, whole: bool = True) -> Iterator[None]:
    """Surround a pass through the networks, forward and backward.

    CUDA graphs leave their results in memory that later graphs overwrite. The networks of a pass run one after the
    other and read each other's results, so they must know that they belong together.

    Args:
        settings: ``compile``.
        whole: the batch is as large as in training. A smaller one runs as if nothing was compiled: a graph recorded
            for its size alone would take seconds and keep its memory to the end of the training.
    """
    if settings.compile == "reduce-overhead":
        torch.compiler.cudagraph_mark_step_begin()
    if settings.compile == "none" or whole:
        yield
    else:
        with torch.compiler.set_stance("force_eager"):
            yield
