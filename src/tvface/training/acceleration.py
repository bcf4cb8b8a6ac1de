"""Faster training with the same mathematics: memory format, TF32, compilation; shared batch statistics."""

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
    """Prepare a model, and torch's arithmetic in this process, for training on a device; the weights keep their names.

    Args:
        model: changed in place.
        settings: ``tf32``, ``precision`` and ``compile``.
        device: on a GPU the encoders keep their channels last, which its matrix units want; on a CPU that is slower.
        processes: with several of them on GPUs, batch normalisation takes its statistics over all of them. On CPUs each
            process has separate statistics: torch has no synchronised layer there.

    Returns:
        Notes for the provenance: ``deformable_convolution``, the backend on this machine and why it is not the fastest,
        if the model has such a layer.
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
        # Decide before the first step, so that the fused kernels are tried now and not during the capture of a graph.
        dtype = torch.bfloat16 if settings.precision == "bf16-mixed" else torch.float32
        width = 2 * aligned.channels // aligned.groups
        choice = deformable.decide(device, dtype, width=width, compiling=settings.compile != "none")
        notes["deformable_convolution"] = str(choice)
    if settings.compile != "none":
        for part in (*encoders, model.detail_decoder):
            # One graph per batch size, because a graph for any size is slower. Other sizes (the last windows of a
            # validation) run without a graph, see one_pass.
            part.compile(mode=settings.compile, dynamic=False)
    return notes


@contextlib.contextmanager
def one_pass(settings: Train, *, whole: bool = True) -> Iterator[None]:
    """Surround a pass through the networks, forward and backward.

    CUDA graphs leave their results in memory that later graphs overwrite. The networks of a pass run one after the
    other and read each other's results, so they must know that they belong together.

    Args:
        settings: ``compile``.
        whole: the batch is as large as in training. A smaller one runs without compilation: a graph recorded
            for its size alone would take seconds and keep its memory to the end of the training.
    """
    if settings.compile == "reduce-overhead":
        torch.compiler.cudagraph_mark_step_begin()
    if settings.compile == "none" or whole:
        yield
    else:
        with torch.compiler.set_stance("force_eager"):
            yield
