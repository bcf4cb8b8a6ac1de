"""Hours of one GPU for the data half, where no GPU was there to be timed: the work of the networks, counted, over an
assumed rate, beside what the CPU has to do meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import facenet_pytorch
import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tvface import detectors
from tvface.media.images import read_image
from tvface.networks import fan
from tvface.networks.bisenet import BiSeNet
from tvface.settings import Settings, load

FRAME, FACE, CROP = "frame", "face", "crop"


def work(settings: Settings, pictures: Sequence[Path]) -> dict[str, tuple[str, float, int]]:
    """Count the networks of the paper's data half.

    Args:
        settings: ``faces.min_face`` and ``landmarks.refine``, ``check_shift``, ``flip`` count.
        pictures: frames of one size, over whose detection is averaged.

    Returns:
        Per network: what it looks at, GFLOP per look (2 per multiplication and addition), and looks per item.
    """
    detector = detectors.create("mtcnn", settings.faces, torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        detector.detect([read_image(path) for path in pictures])
    work = {"MTCNN": (FRAME, counter.get_total_flops() / 1e9 / len(pictures), 1)}
    own = settings.landmarks
    passes = (1 + own.refine + (own.check_shift is not None)) * (1 + own.flip)
    networks: tuple[tuple[str, str, nn.Module, int, int], ...] = (
        ("FaceNet", FACE, facenet_pytorch.InceptionResnetV1(pretrained=None, classify=False), 160, 1),
        ("2D-FAN", CROP, fan.build(), 256, passes),
        ("BiSeNet", CROP, BiSeNet(), 512, 1),
    )
    for name, item, net, side, looks in networks:
        net.eval()
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            net(torch.zeros(1, 3, side, side))
        work[name] = (item, counter.get_total_flops() / 1e9, looks)
    return work


def items(rates: pd.DataFrame, frames: int) -> dict[str, float]:
    """Return frames, faces and crops of the whole, scaled from the longest episode that was measured."""
    longest = rates[rates["frames"] == rates["frames"].max()].set_index("stage")
    per_frame = longest["items"] / longest["frames"]
    return {FRAME: frames, FACE: frames * per_frame["faces"], CROP: frames * per_frame["landmarks"]}


def print_estimate(
    counted: Mapping[str, tuple[str, float, int]], many: Mapping[str, float], tflops: float, cpu_hours: float
) -> None:
    """Print the arithmetic.

    Args:
        many: frames, faces, crops.
        tflops: assumed rate of the GPU over all of it.
        cpu_hours: of all cores, for the stages with the small bundled networks in them: more than what is left beside
            the GPU.
    """
    print(f"\none GPU: an estimate, not a measurement (--gpu-rates takes measured ones); {tflops:g} TFLOP/s assumed")
    total = 0.0
    for name, (item, gflop, looks) in counted.items():
        hours = gflop * looks * many[item] / (tflops * 1e3) / 3600
        total += hours
        print(
            f"{name:10} {gflop:7.2f} GFLOP x {looks} x {many[item]:12,.0f} {item}s / {tflops:g} TFLOP/s "
            f"= {hours:6.2f} h"
        )
    print(
        f"sum {total:.1f} h of the GPU. Decoding, tracking, cutting and packing go on beside it, within the "
        f"{cpu_hours:.1f} h of the cores above"
    )


def estimate(
    rates: pd.DataFrame, configs: Sequence[Path], pictures: Sequence[Path], frames: int, tflops: float, cpu_hours: float
) -> None:
    """Count, and print the hours for ``frames`` frames under the settings of ``configs``."""
    print_estimate(work(load(list(configs)), pictures), items(rates, frames), tflops, cpu_hours)
