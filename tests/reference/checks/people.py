"""Detector and embedder: MTCNN's nets, stages and detections, face crops, Inception-ResNet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from facenet_pytorch import InceptionResnetV1
from facenet_pytorch.models import mtcnn as nets
from PIL import Image
from torch.nn import functional as F

from tests.reference.arrays import Reference, filled
from tests.reference.checks.pictures import digest, picture
from tests.reference.checks.sheet import Sheet
from tvface.detectors import cascade
from tvface.detectors.area import AreaSampler
from tvface.detectors.base import Detections
from tvface.detectors.mtcnn import Backend
from tvface.detectors.mtcnn_networks import CropNetwork, ProposalNetwork
from tvface.embedders import inception_resnet
from tvface.embedders.base import SIDE
from tvface.embedders.crops import box_crop, box_window
from tvface.settings.data import Faces

CPU = torch.device("cpu")
PACKAGE_MIN_FACE = 20  # px, the package's default


def records(reference: Reference) -> dict[str, Any]:
    """Return name -> digest and shape of a file's pictures."""
    return {**reference.notes.get("images", {}), **reference.notes.get("images_360", {})}


def detector(config: dict[str, Any]) -> Backend:
    """Return tvface's detector with a configuration written in the package's words."""
    settings = replace(Faces(), min_face=config.get("min_face_size", PACKAGE_MIN_FACE))
    if "thresholds" in config:
        settings = replace(settings, thresholds=tuple(config["thresholds"]))
    return Backend(settings, CPU)


@torch.no_grad()
def mtcnn_nets(sheet: Sheet) -> None:
    """``mtcnn_nets.npz``: the three nets as tvface holds them, and filled."""
    reference = sheet.reference
    held = detector({}).cascade
    own = {"pnet": held.proposal, "rnet": held.refinement, "onet": held.output}
    for stem in dict.fromkeys(key.split(".")[0] for key in reference.outputs):
        name, _, is_filled = stem.partition("_")
        module = own[name]
        if is_filled:
            # A stand-alone net: the detector's own keeps its weights.
            kind = {"pnet": nets.PNet, "rnet": nets.RNet, "onet": nets.ONet}[name]
            plain = filled(kind(pretrained=False), sheet.seed("weights", "fill"))
            module = ProposalNetwork(plain) if name == "pnet" else CropNetwork(plain)
        outputs = module((reference.tensor(f"{name}_image") - 127.5) * 0.0078125)
        if name == "pnet":
            face, offsets = outputs
            outputs = offsets, torch.stack([1 - face, face], 1)
        names = ("reg", "points", "prob") if name == "onet" else ("reg", "prob")
        for what, value in zip(names, outputs, strict=True):
            sheet.tensor(f"{stem}.{what}", value)


def mtcnn_detections(sheet: Sheet) -> None:
    """``mtcnn_detect.npz``."""
    reference = sheet.reference
    known = records(reference)
    pictures = {name: picture(name, known) for name in known}
    detectors = {name: detector(config) for name, config in reference.notes["configs"].items()}
    for key in reference.outputs:
        name, _, rest = key.partition(".")
        config, _, what = rest.partition(".")
        if what != "boxes" or name not in pictures:
            continue
        ours = detectors[config].detect([pictures[name]])[0]
        if not reference.notes["configs"][config].get("select_largest", True):
            order = np.argsort(-ours.scores, kind="stable")
            ours = Detections(ours.boxes[order], ours.scores[order], ours.points[order])
        noise = reference[f"{name}.{config}.noise"]
        # 0.01 px where float32 is quiet; where an integer decision in the pyramid flips between precisions (noise
        # over 1 px) several px: README of the files.
        for what, value, index in (("boxes", ours.boxes, 0), ("probs", ours.scores, 1), ("points", ours.points, 2)):
            floor = 1e-5 if what == "probs" else 0.01
            allowed = max(floor, (5 if noise[0] > 0.5 else 10) * float(noise[index]))
            sheet.compare(f"{name}.{config}.{what}", value, relative=0.0, absolute=allowed)
    first = re.match(r"\w+ of three equal-size images: (\w+)", reference.notes["batch"])
    face = pictures[first[1] if first else next(name for name in pictures if re.search(r"_\d+$", name))]
    images = [face, np.zeros_like(face), np.ascontiguousarray(face[:, ::-1])]
    batch = detectors["default"].detect(images)
    sheet.exact("batch.count", np.array([len(one.boxes) for one in batch]))
    for key in [key for key in reference.outputs if key.startswith("batch.boxes")]:
        # Batched convolutions round differently: 1e-5 of the coordinates, as the other boxes.
        sheet.compare(key, batch[int(key.removeprefix("batch.boxes"))].boxes, relative=0.0, absolute=0.01)


@contextmanager
def _boxes_entering_the_nets() -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """Record the boxes and integer rectangles that the detector cuts out, before the second and the third net."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    original = cascade._inside

    def recording(sampler: AreaSampler, found: cascade.Boxes) -> Any:
        inside, windows = original(sampler, found)
        boxes = torch.cat([inside.box, inside.score[:, None]], 1)
        # The file counts pixels from 1 and the last one in.
        seen.append((boxes.numpy().copy(), (windows + torch.tensor([1, 1, 0, 0])).numpy()))
        return inside, windows

    cascade._inside = recording
    try:
        yield seen
    finally:
        cascade._inside = original


def mtcnn_stages(sheet: Sheet) -> None:
    """``mtcnn_stages.npz``. The configurations are those of ``mtcnn_detect.npz``."""
    reference = sheet.reference
    configs = sheet.folder.open("net", "mtcnn_detect").notes["configs"]
    known = records(reference)
    for stem in dict.fromkeys(".".join(key.split(".")[:2]) for key in reference.outputs):
        name, config = stem.split(".")
        with _boxes_entering_the_nets() as seen:
            detector(configs[config]).detect([picture(name, known)])
        for stage, (boxes, rectangles) in zip(("after_p", "after_r"), seen, strict=True):
            theirs = reference[f"{stem}.{stage}.boxes"]
            # A whole pixel where the float box ends within 1e-3 of one; otherwise none.
            near = np.abs(theirs[:, :4] - np.rint(theirs[:, :4])) < 1e-3
            sheet.compare(f"{stem}.{stage}.boxes", boxes, relative=0.0, absolute=2e-3)
            rect = reference[f"{stem}.{stage}.rect"]
            if rect.shape != rectangles.shape:
                sheet.exact(f"{stem}.{stage}.rect", rectangles)
                continue
            error = (np.abs(rectangles - rect) - near).clip(0)
            sheet.add(f"{stem}.{stage}.rect", float(error.max()), float(rect.max()), 0, "0 px but at whole numbers")


def face_crops(sheet: Sheet) -> None:
    """``extract_face.npz``: tvface's crop, and Pillow's and torch's resize of the same window."""
    reference = sheet.reference
    name = reference.notes["image"].split()[0]
    image = picture(name, records(sheet.folder.open("net", "mtcnn_detect")))
    boxes = {"face": reference["box"], "edge": reference["edge_box"]}
    detected = detector({}).detect([image])[0].boxes[0]
    sheet.compare("box", detected, relative=0.0, absolute=0.01, label="box (detected)")
    for key in [key for key in reference.outputs if key.count(".") == 2]:
        which, margin_text, kind = key.split(".")
        margin = int(margin_text.removeprefix("m"))
        left, top, right, bottom = box_window(boxes[which], image.shape, margin)
        window = image[top:bottom, left:right]
        if kind == "ndarray":
            crop = box_crop(image, boxes[which], margin)
        elif kind == "pil":
            crop = np.asarray(Image.fromarray(window).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        else:
            tensor = torch.from_numpy(window.copy()).permute(2, 0, 1)[None].float()
            crop = F.interpolate(tensor, (SIDE, SIDE), mode="area")[0].permute(1, 2, 0).byte().numpy()
        chw = np.ascontiguousarray(crop.transpose(2, 0, 1))
        # Fixed-point resizes may round the other way on another machine: one grey level and no more.
        grey = 0 if digest(chw) == reference.notes[f"{key}.sha256_uint8_chw"] else 1
        sheet.compare(key, chw[:, ::4, ::4], relative=0.0, absolute=grey)
    sheet.reference.read.add("edge_box")  # an input


@torch.no_grad()
def inception(sheet: Sheet) -> None:
    """``inception_resnet_v1.npz``."""
    reference = sheet.reference
    net = InceptionResnetV1(pretrained=None)
    filled(net, sheet.seed("weights", "net"))
    kept: dict[str, torch.Tensor] = {}
    for name in ["last_bn", *(key.split(".")[1] for key in reference.outputs if re.fullmatch(r"mid\.\w+", key))]:
        net.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: kept.update({name: out}))
    embedded = {}
    for name, key in (("image_small", "embedding_small"), ("image", "embedding")):
        pixels = reference.tensor(name).permute(0, 2, 3, 1).numpy()
        embedded[key] = inception_resnet.forward(net, pixels, CPU)
        sheet.tensor(key, embedded[key])
    for name, value in kept.items():
        sheet.tensor(name if name in reference else f"mid.{name}", value)
    distance = np.linalg.norm(embedded["embedding"][0] - embedded["embedding"][1])
    # A small difference of two unit vectors: the error is that of the vectors.
    sheet.compare("distance", distance.reshape(1), absolute=2 * 512**0.5 * sheet.noise("embedding"))
