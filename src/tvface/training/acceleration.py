"""What makes a training faster and keeps its mathematics: memory format, TF32, compilation; shared statistics."""

from __future__ import annotations

import torch
from torch import nn

from tvface.networks import deformable
from tvface.settings.model import Train
from tvface.training.model import FaceModel


def accelerate(model: FaceModel, settings: Train, device: torch.device, processes: int = 1) -> None:
    """Prepare a model, and torch's arithmetic in this process, for training on a device. Names of weights stay.

    Args:
        model: changed in place.
        settings: ``tf32`` and ``compile``.
        device: on a GPU the encoders keep their channels last, which its matrix units want; on a CPU that is slower.
        processes: with several of them on GPUs batch normalisation takes its statistics over all. On CPUs each
            process keeps its own: torch has no such layer there.
    """
    encoders = (model.coarse_encoder, model.detail_encoder)
    if device.type == "cuda":
        if torch.cuda.is_available():
            deformable.choose(device)  # tries the fused kernels now, not inside a compiled graph
        torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = settings.tf32
        for encoder in encoders:
            encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if processes > 1:
            nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if settings.compile != "none":
        for part in (*encoders, model.detail_decoder):
            part.compile(mode=settings.compile)
