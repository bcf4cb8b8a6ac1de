"""SPyNet, with filled and with published weights."""

from __future__ import annotations

import re

import torch
from torch.nn import functional as F

from tests.reference.arrays import Reference, filled
from tests.reference.checks.pictures import photograph, verified
from tests.reference.checks.sheet import Missing, Sheet
from tvface.networks.loading import load_spynet
from tvface.networks.normalise import IMAGENET_MEAN, IMAGENET_STD
from tvface.networks.spynet import SPyNet


def pair(reference: Reference, case: str) -> list[torch.Tensor]:
    """Return the two pictures (1, 3, H, W) of a case."""
    if case == "roll":
        shift, axes = re.findall(r"\((-?\d+), ?(-?\d+)\)", reference.notes["supp_roll"])
        first = reference.tensor("ref_roll")
        return [first, torch.roll(first, tuple(map(int, shift)), tuple(map(int, axes)))]
    if f"ref_{case}" in reference.inputs:
        return [reference.tensor(f"ref_{case}"), reference.tensor(f"supp_{case}")]
    name, half = case.removesuffix("_half"), case.endswith("_half")
    note = reference.notes[name]
    image = verified(photograph(name), note["sha256_uint8_hwc"], name)
    whole = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    crops = []
    for which in ("ref", "supp"):
        x0, y0, x1, y1 = note[f"{which}_box_xyxy"]
        crops.append(whole[..., y0:y1, x0:x1])
    return [F.avg_pool2d(crop, 2) for crop in crops] if half else crops


@torch.no_grad()
def spynet(sheet: Sheet) -> None:
    """``spynet_*.npz``: every ``flow_<case>``, in float64 as well where the file has it."""
    reference, note = sheet.reference, str(sheet.reference.notes["weights"])
    network = SPyNet().eval()
    if note.endswith(".safetensors"):
        path = sheet.folder.weights / note
        if not path.is_file():
            raise Missing(f"needs {path} (research licence; --weights names its folder)")
        load_spynet(network, path)
    else:
        filled(network, sheet.seed("weights", "net"))
    # The constants of normalisation are buffers of the original; filling gives them values that are none.
    network.mean.copy_(torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
    network.std.copy_(torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
    for key in [key for key in reference.outputs if re.fullmatch(r"flow_[^.]+", key)]:
        first, second = pair(reference, key.removeprefix("flow_"))
        sheet.tensor(key, network.float()(first, second))
        if f"{key}.f64" in reference:
            sheet.tensor(key, network.double()(first.double(), second.double()))
