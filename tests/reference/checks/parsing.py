"""Face parsing: BiSeNet, the yakhyo variant, the rule of the face mask."""

from __future__ import annotations

import json
import re

import numpy as np
import torch
from PIL import Image

from tests.reference import fill
from tests.reference.arrays import filled
from tests.reference.checks.rounding import as_array
from tests.reference.checks.sheet import Sheet
from tvface.conventions.face_mask import PAPER_TOOL
from tvface.conventions.face_mask import face_mask as mask_of
from tvface.networks.bisenet import BiSeNet, from_yakhyo
from tvface.networks.loading import load_strictly
from tvface.networks.normalise import imagenet_normalise

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


@torch.no_grad()
def bisenet(sheet: Sheet) -> None:
    """``bisenet.npz``."""
    reference = sheet.reference
    network = BiSeNet()
    filled(network, sheet.seed("weights", "net"))
    heads = network.heads(imagenet_normalise(reference.tensor("image")))
    for name, value in zip(("out", "out16", "out32"), heads, strict=True):
        sheet.tensor(name, value)
    scores = heads[0][:, :, ::4, ::4]
    best, second = scores.topk(2, dim=1).values.unbind(1)
    noise = sheet.noise("out")
    # Stored in half precision: eleven bits.
    sheet.compare("margin", best - second, absolute=2 * noise, relative=2.0**-11)
    sure = reference["margin"].astype(np.float64) > 2 * noise
    wrong = (as_array(scores.argmax(1)) != reference["argmax"]) & sure
    sheet.add("argmax", float(wrong.sum()), wrong.size, 0, "0 px whose margin exceeds the noise")
    count = torch.bincount(heads[0].argmax(1).flatten(), minlength=19)
    unsure = int((~sure).sum()) * 16
    sheet.compare("argmax.histogram", count, relative=0.0, absolute=unsure)
    small = imagenet_normalise(reference.tensor("image_small"))
    sheet.tensor("out_small", network(small))
    for name, value in zip(("small_feat8", "small_cp8", "small_cp16"), network.cp(small), strict=True):
        sheet.tensor(name, value)


@torch.no_grad()
def yakhyo(sheet: Sheet) -> None:
    """``bisenet_yakhyo.npz``: parameters under the variant's names (``keys/``), renamed and loaded strictly."""
    reference = sheet.reference
    images = imagenet_normalise(reference.tensor("image_small"))
    for backbone in sorted({key.split(".")[0] for key in reference.outputs}):
        keys = sheet.folder.root / "net" / "keys" / f"bisenet_yakhyo_{backbone}.json"
        seed = sheet.seed(f"weights_{backbone}")
        state = {
            name: torch.from_numpy(np.asarray(fill.parameter(name, tuple(shape), seed)))
            for name, shape, _ in json.loads(keys.read_text())["entries"]
        }
        network = BiSeNet(blocks=BLOCKS[backbone]).eval()
        load_strictly(network, from_yakhyo(state), backbone, unused=("cp.resnet.fc.",))
        for index, head in enumerate(network.heads(images)):
            sheet.tensor(f"{backbone}.head{index}", head)


def face_mask(sheet: Sheet) -> None:
    """``face_mask.npz``."""
    reference = sheet.reference
    noise = reference.array("label_noise")
    labels = np.clip(np.floor((noise + 1) / 2 * 19), 0, 18).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    sheet.exact("classes", np.array(PAPER_TOOL))
    for key in [key for key in reference.outputs if key.startswith("mask_")]:
        size = re.fullmatch(r"mask_(\d+)x(\d+)", key)
        assert size is not None
        sheet.exact(key, _resized_face_mask(labels, int(size[1]), int(size[2])))


def _resized_face_mask(labels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the face mask of (H, W) uint8 labels at another size, by the rule of the paper's tool.

    The mask is resized, not the labels: 0/255, Pillow's bilinear filter (which averages where it shrinks), then
    at least one half. tvface keeps masks at the size of their labels.
    """
    mask = Image.fromarray(mask_of(labels).astype(np.uint8) * 255)
    return np.asarray(mask.resize((width, height), Image.Resampling.BILINEAR)) >= 128
