"""Landmark error on photographs with hand-made points.

    python benchmarks/landmarks.py FOLDER [--backend compact] [--weights FILE] [--draw sheet.png]

FOLDER holds pictures beside 300-W annotations of the same name (``.pts``, 68 points, 1-based). Each picture goes the
pipeline's way: MTCNN's box, the crop of ``sequences`` with the context of ``landmarks``, the backend. The error is the
mean point distance over the distance of the true outer eye corners (300-W's NME); over 8 % counts as a failure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from views import pictures, view

from tvface import landmarkers
from tvface.conventions.points68 import PARTS
from tvface.evaluation.points import normalised_mean_error
from tvface.landmarkers.base import Landmarker
from tvface.landmarkers.compact import Backend as Compact
from tvface.media import drawing
from tvface.networks.bundles import load_bundle
from tvface.settings import parse_settings


def read_pts(path: Path) -> np.ndarray:
    """Return the (68, 2) points of a 300-W file, moved to pixel centres at 0-based integers."""
    inside = path.read_text().partition("{")[2].partition("}")[0]
    points = np.array(inside.split(), float).reshape(-1, 2) - 1
    if points.shape != (68, 2):
        raise SystemExit(f"{path}: {len(points)} points, expected 68")
    return points


def main() -> None:
    """Print the error of every picture and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", default="compact", choices=landmarkers.available())
    parser.add_argument("--weights", type=Path, help="weights of a training of the compact network that do not ship")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draw", type=Path, help="write the crops with true (red) and found (green) points")
    options = parser.parse_args()
    settings = parse_settings({"landmarks": {"backend": options.backend}})
    own = settings.landmarks
    if options.weights:
        landmarker: Landmarker = Compact(own, torch.device(options.device), load_bundle(options.weights))
    else:
        landmarker = landmarkers.create(options.backend, own, options.device)
    errors, sheet, captions = [], [], []
    print("picture NME % " + " ".join(PARTS) + " confidence box/points-side box-up")
    for path in pictures(options.folder):
        if not path.with_suffix(".pts").is_file():
            continue
        face_view = view(path, settings, own.context)
        if face_view is None:
            raise SystemExit(f"{path}: MTCNN finds no face")
        truth = read_pts(path.with_suffix(".pts"))
        local, confidence = landmarker.locate(face_view.region[None], face_view.region_box[None])
        points = (local[0] - face_view.transform[:, 2]) / face_view.transform[0, 0]
        error = 100 * float(normalised_mean_error(points[None], truth[None])[0])
        eye = np.linalg.norm(truth[36] - truth[45])
        parts = [100 * np.linalg.norm(points[s] - truth[s], axis=1).mean() / eye for s in PARTS.values()]
        low, high = truth.min(0), truth.max(0)
        side = (high - low).mean()
        box = face_view.box.reshape(2, 2)
        shape = [(box[1] - box[0]).mean() / side, ((low + high)[1] / 2 - box[:, 1].mean()) / side]
        print(path.name, *(f"{v:.2f}" for v in [error, *parts, confidence.mean(), *shape]))
        errors.append(error)
        image = drawing.points(
            face_view.region, truth * face_view.transform[0, 0] + face_view.transform[:, 2], (255, 60, 60), 2.0
        )
        sheet.append(drawing.points(image, local[0], (60, 255, 90), 1.5))
        captions.append(f"{path.name}\n{error:.1f} %")
    if not errors:
        raise SystemExit(f"{options.folder}: no picture with a .pts file beside it")
    print(f"mean {np.mean(errors):.2f} % of {len(errors)}, failures over 8 %: {int((np.array(errors) > 8).sum())}")
    if options.draw:
        cv2.imwrite(str(options.draw), drawing.contact_sheet(sheet, captions, 3, (448, 448))[..., ::-1])


if __name__ == "__main__":
    main()
