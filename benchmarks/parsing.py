"""Overlap of parsed photographs with hand-made label maps.

    python benchmarks/parsing.py FOLDER --labels celebamask [--backend compact] [--weights FILE] [--draw sheet.png]

FOLDER holds pictures ``<name>.jpg`` beside label maps ``<name>.png`` (or ``<name>_mask.png``): ``celebamask`` in
CelebAMask-HQ's official order of classes, ``zllrunning`` in BiSeNet's. Each picture goes the pipeline's way: MTCNN's
box, the region of ``masks.context`` around the crop of ``sequences``, the backend; judged inside the crop.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from views import view

from tvface import parsers
from tvface.conventions.face_mask import face_mask
from tvface.evaluation.regions import class_iou, confusion, mask_iou
from tvface.media import drawing
from tvface.networks.bundles import load_bundle
from tvface.parsers.base import Parser
from tvface.parsers.compact import Backend as Compact
from tvface.settings import parse_settings

# CelebAMask-HQ's classes 0..18 in zllrunning's numbers: background, skin, nose, glasses, eyes, brows, ears, mouth,
# lips, hair, hat, earring, necklace, neck, cloth.
CELEBAMASK = np.array([0, 1, 10, 6, 4, 5, 2, 3, 7, 8, 11, 12, 13, 17, 18, 9, 15, 14, 16], np.uint8)


def labelled(folder: Path) -> list[tuple[Path, Path]]:
    """Return (picture, label map) pairs."""
    pairs = []
    for picture in sorted(folder.glob("*.jpg")):
        for name in (f"{picture.stem}.png", f"{picture.stem}_mask.png"):
            if (folder / name).is_file():
                pairs.append((picture, folder / name))
    return pairs


def main() -> None:
    """Print the overlap of every picture and the mean per class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", choices=("celebamask", "zllrunning"), required=True)
    parser.add_argument("--backend", default="compact", choices=parsers.available())
    parser.add_argument("--weights", type=Path, help="weights of a training of the compact network that do not ship")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draw", type=Path, help="write the crops with true and found classes")
    options = parser.parse_args()
    settings = parse_settings({"masks": {"backend": options.backend}})
    own = settings.masks
    if options.weights:
        backend: Parser = Compact(own, torch.device(options.device), load_bundle(options.weights))
    else:
        backend = parsers.create(options.backend, own, options.device)
    overlaps, counts, sheet, captions = [], np.zeros((19, 19), np.int64), [], []
    for path, labels in labelled(options.folder):
        face_view = view(path, settings, own.context)
        if face_view is None:
            raise SystemExit(f"{path}: MTCNN finds no face")
        stored = cv2.imread(str(labels), cv2.IMREAD_GRAYSCALE)
        size = face_view.picture.shape[1::-1]
        truth = cv2.resize(stored, size, interpolation=cv2.INTER_NEAREST)
        truth = CELEBAMASK[truth] if options.labels == "celebamask" else truth
        shape = face_view.region.shape[1::-1]
        truth = cv2.warpAffine(truth, face_view.transform, shape, flags=cv2.INTER_NEAREST)
        pad = round(len(face_view.region) * (1 - 1 / own.context) / 2)
        crop = slice(pad, len(face_view.region) - pad)
        ours, truth = backend.parse(face_view.region[None])[0][crop, crop], truth[crop, crop]
        overlap = mask_iou(face_mask(ours, own.classes), face_mask(truth, own.classes))
        print(f"{path.name} face mask IoU {overlap:.3f}")
        overlaps.append(overlap)
        counts += confusion(ours, truth)
        image = face_view.region[crop, crop]
        sheet += [image, drawing.class_overlay(image, truth, 0.6), drawing.class_overlay(image, ours, 0.6)]
        captions += [path.name, "true", f"found, IoU {overlap:.2f}"]
    if not overlaps:
        raise SystemExit(f"{options.folder}: no picture with a label map beside it")
    print(f"mean face mask IoU {np.mean(overlaps):.3f} of {len(overlaps)}")
    print(" ".join(f"{name} {value:.2f}" for name, value in class_iou(counts).items()))
    if options.draw:
        cv2.imwrite(str(options.draw), drawing.contact_sheet(sheet, captions, 6, (224, 224))[..., ::-1])


if __name__ == "__main__":
    main()
