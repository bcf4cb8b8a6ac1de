"""FAN: heat maps, window, decoding, the whole call."""

from __future__ import annotations

import re

import numpy as np
import torch

from tests.reference.arrays import Reference, filled
from tests.reference.checks.pictures import digest, photograph, verified
from tests.reference.checks.rounding import as_array
from tests.reference.checks.sheet import Sheet
from tests.reference.expressions import subscript
from tvface.conventions.points68 import MIRROR
from tvface.landmarkers.fan import S3FD_SCALE, Backend, cut, peaks, to_picture, window, window_corners
from tvface.networks import fan
from tvface.settings.labels import Landmarks

NEAR_INTEGER = 1e-3  # px: where truncation may go either way (README of the files)


@torch.no_grad()
def network(sheet: Sheet) -> None:
    """``fan.npz``: the network class is the package's, held by tvface under its own loader."""
    reference = sheet.reference
    net = filled(fan.build(), sheet.seed("weights", "net"))
    image = reference.tensor("image")
    stacks = net(image)
    for index, stack in enumerate(stacks):
        sheet.tensor(f"stack{index}", stack)
    noise = sheet.noise("stack3")
    best = stacks[-1][0].flatten(1).topk(2).values
    sheet.compare("score", best[:, 0], absolute=noise)
    sheet.compare("margin", best[:, 0] - best[:, 1], absolute=2 * noise)
    sure = reference["margin"] > 2 * noise
    wrong = (as_array(stacks[-1][0].flatten(1).argmax(1)) != reference["argmax"]) & sure
    sheet.add("argmax", float(wrong.sum()), wrong.size, 0, "0 maps whose margin exceeds the noise")
    mirrored = net(image.flip(-1))[-1][:, torch.from_numpy(MIRROR)].flip(-1)
    sheet.tensor("flip_sum", stacks[-1] + mirrored)


def crops(sheet: Sheet) -> None:
    """``fan_crop.npz``."""
    reference = sheet.reference
    picture = source(reference)
    for key in [key for key in reference.notes if key.startswith("crop_")]:
        name, note = key.removeprefix("crop_"), reference.notes[key]
        centre, scale = window(np.array(note["box_xyxy"]))
        expected = np.array([*note["center"], note["scale"]])
        error = float(np.abs(np.array([*centre, scale]) - expected).max())
        sheet.add(f"window_{name} (in the notes)", error, float(np.abs(expected).max()), 1e-9)
        sheet.exact(f"corner_{name}", window_corners(centre, scale))
        found = cut(picture, centre, scale)
        # OpenCV's fixed-point resize may round the other way on another machine, one grey level and no more.
        grey = 0 if digest(found) == note["sha256_uint8_hwc"] else 1
        sheet.compare(key, found[subscript(note["slices"])], relative=0.0, absolute=grey)
        sheet.compare(f"{key}.channel_mean", found.mean((0, 1)), relative=1e-12, absolute=0.05 * grey)
        sheet.compare(
            f"{key}.zero_fraction", np.array([(found == 0).all(-1).mean()]), relative=1e-12, absolute=0.01 * grey
        )


def source(reference: Reference) -> np.ndarray:
    """Return the photograph that ``fan_crop.npz`` names, verified."""
    note = reference.notes["source"]
    named = re.match(r"(?:skimage|matplotlib) (\w+)", note["image"])
    name = named[1] if named else note["image"].split()[0]
    return verified(photograph(name), note["sha256_uint8_hwc"], name)


def edited(reference: Reference) -> np.ndarray:
    """Return the heat maps with the changes that the notes write as ``[0,0,5,7]=[0,1,2,3]=1``."""
    maps = reference.array("heatmaps").copy()
    text = reference.notes["edits"]
    for sample, first, last in re.findall(r"\[(\d+),(\d+)\.\.(\d+)\] are zeroed", text):
        maps[int(sample), int(first) : int(last) + 1] = 0
    for places, value in re.findall(r"((?:\[\d+(?:,\d+){3}\]=)+)([\d.]*\d)", text):
        for place in re.findall(r"\[([\d,]+)\]", places):
            maps[tuple(map(int, place.split(",")))] = float(value)
    return maps


def decoding(sheet: Sheet) -> None:
    """``fan_decode.npz``."""
    reference = sheet.reference
    heatmaps = edited(reference)
    samples = sorted(key.removeprefix("sample_") for key in reference.notes if key.startswith("sample_"))
    for sample in samples:
        note = reference.notes[f"sample_{sample}"]
        cells, score = peaks(heatmaps[int(sample)], "quarter")
        sheet.exact(f"cell_{sample}", cells)
        sheet.compare(f"score_{sample}", score, relative=1e-6)
        points = to_picture(cells, np.array(note["center"]), note["scale"])
        # The original inverts its matrix numerically, in float32.
        sheet.compare(f"image_float_{sample}", points, relative=0.0, absolute=2e-4)
        whole, theirs = np.trunc(points), reference[f"image_int_{sample}"]
        near = np.abs(points - np.rint(points)) < NEAR_INTEGER
        error = np.abs(whole - theirs)
        allowed = "0 px, 1 px where the exact value is within 1e-3 of a whole number"
        sheet.add(f"image_int_{sample}", float((error - near).clip(0).max()), float(np.abs(theirs).max()), 0, allowed)
    _whole_call(sheet)


def _decided(heat: np.ndarray, noise: float) -> np.ndarray:
    """Return which of the maps (68, H, W) keep their highest cell and its higher neighbours under this noise."""
    two = np.sort(heat.reshape(len(heat), -1), 1)[:, -2:]
    rows, columns = np.divmod(heat.reshape(len(heat), -1).argmax(1), heat.shape[2])
    padded, index = np.pad(heat, ((0, 0), (1, 1), (1, 1)), mode="edge"), np.arange(len(heat))
    across = np.abs(padded[index, rows + 1, columns + 2] - padded[index, rows + 1, columns])
    down = np.abs(padded[index, rows + 2, columns + 1] - padded[index, rows, columns + 1])
    return (two[:, 1] - two[:, 0] > noise) & (across > noise) & (down > noise)


class _Keeping(Backend):
    """A backend that keeps the heat maps of its last look."""

    kept: np.ndarray

    def heatmaps(self, windows: np.ndarray) -> np.ndarray:
        self.kept = super().heatmaps(windows)
        return self.kept


def _whole_call(sheet: Sheet) -> None:
    """The complete call with a filled network, without and with the mirrored pass.

    A filled network gives flat heat maps, so points are compared only where its float32 noise reaches neither the
    difference between the two highest cells nor the one which decides the quarter of a cell.
    """
    reference = sheet.reference
    weights = sheet.folder.open("net", "fan")
    net = filled(fan.build(), int(re.findall(r"(\d+)\)", weights.notes["weights"]["net"])[-1]))
    noise = float(weights["stack3.noise"].max()) * 20
    picture = source(sheet.folder.open("net", "fan_crop"))
    for flip in (False, True):
        settings = Landmarks(decode="quarter", flip=flip, refine=0, batch=2)
        backend = _Keeping(settings, torch.device("cpu"), net)
        stem = f"whole_flip{int(flip)}"
        for sample in sorted(key.rsplit("_", 1)[1] for key in reference.outputs if key.startswith(f"{stem}_score_")):
            box = np.array([reference.notes[f"sample_{sample}"]["box_xyxy"]])
            points, score = backend.find(picture[None], box, S3FD_SCALE)
            # The original adds the two passes, here they are averaged.
            heat = backend.kept[0] * (1 + flip)
            sure = _decided(heat, noise)
            near = np.abs(points[0] - np.rint(points[0])) < NEAR_INTEGER
            error = (np.abs(np.trunc(points[0]) - reference[f"{stem}_{sample}"]) - near).clip(0).max(1) * sure
            scale = float(np.abs(reference[f"{stem}_{sample}"]).max())
            words = f"0 px, 1 px at whole numbers, for {sure.sum()} of 68 points that the noise cannot move"
            sheet.add(f"{stem}_{sample}", float(error.max()), scale, 0, words)
            theirs = np.maximum(reference[f"{stem}_score_{sample}"], 0)
            # Scores are heights of the last stack, whose noise fan.npz states; negative ones are cut to 0 here.
            ours = score[0] * (1 + flip)
            largest = float(np.abs(reference[f"{stem}_score_{sample}"]).max())
            sheet.add(f"{stem}_score_{sample}", float(np.abs(ours - theirs).max()), largest, noise * (1 + flip))
