"""Landmark and mask error by the turn of the head, and calibration of the confidence, on renders.

    python benchmarks/renders.py [--count 400] [--seed 0] [--boxes ideal] [--weights FILE] [--draw sheet.png]

Crops of the training generator (``tvface.bundled.crops``) from a separate random stream: no seed gives crops that any
training used. Their faces are framed as in ``sequences`` and the label stages, around MTCNN's box or around its ideal
one (``box_of_points`` of the true points). Landmark error is the mean distance of the 68 points to the truth, over

* the eyes: the outer eye distance that this head has in pixels from the front (true 3D points turned back, at the same
  distance from the camera). It does not shrink as the head turns;
* the box: the square root of the area of the true points' box.

Yaw is relative to the line of sight. A point is right if it lies within 5 % of the eye distance; the confidence is
judged with the eye distance from the front and with the one in the picture, which it was fitted for.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from views import View, framed

from tvface import detectors
from tvface.bundled.renders import Render, renders
from tvface.conventions.boxes import box_of_points
from tvface.conventions.face_mask import face_mask
from tvface.conventions.points68 import PARTS, eye_distance
from tvface.evaluation.points import calibration_error, reliability
from tvface.evaluation.pose import head_angles
from tvface.evaluation.regions import mask_iou
from tvface.head import human
from tvface.landmarkers import compact as landmarks
from tvface.media import drawing
from tvface.media.images import Image
from tvface.networks.bundles import FOLDER, LANDMARKS, PARSER, load_bundle
from tvface.parsers import compact as parsing
from tvface.settings import Settings, parse_settings
from tvface.settings.model import Head

EDGES = (0, 15, 30, 45, 60, 90)
RIGHT = 0.05  # frontal eye distances


@dataclass
class Figures:
    """One row per crop: |yaw|, point errors over the frontal eye distance, that in the picture, the box, confidence,
    overlap, and how much more the found points are turned than the head."""

    yaw: list[float] = field(default_factory=list)
    eyes: list[np.ndarray] = field(default_factory=list)
    seen: list[np.ndarray] = field(default_factory=list)
    box: list[np.ndarray] = field(default_factory=list)
    confidence: list[np.ndarray] = field(default_factory=list)
    overlap: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)


def find_box(render: Render, detector: detectors.base.Detector | None) -> np.ndarray | None:
    """Return the box to frame the face by; None if the detector does not find it."""
    if detector is None:
        return box_of_points(render.points[None])[0]
    boxes = detector.detect([render.image])[0].boxes
    centre = render.points.mean(0)
    around = [box for box in boxes if (box[:2] < centre).all() and (centre < box[2:]).all()]
    return np.asarray(around[0], np.float64) if around else None


def overlap(render: Render, view: View, parser: parsing.Backend, settings: Settings) -> float:
    """Return the IoU of the face mask inside the crop."""
    crop = slice(view.pad, view.pad + settings.sequences.image_size)
    size = view.region.shape[1::-1]
    truth = cv2.warpAffine(render.labels, view.transform, size, flags=cv2.INTER_NEAREST)[crop, crop]
    labels = parser.parse(view.region[None])[0][crop, crop]
    classes = settings.masks.classes
    return mask_iou(face_mask(labels, classes), face_mask(truth, classes))


def measure(options: argparse.Namespace, settings: Settings) -> tuple[Figures, int, list[tuple[Image, str]]]:
    """Return the figures of all crops, how many faces the detector missed, and pictures of the first ones."""
    cpu = torch.device(options.device)
    landmarker = landmarks.Backend(settings.landmarks, cpu, load_bundle(options.weights))
    parser = parsing.Backend(settings.masks, cpu, load_bundle(options.parser_weights))
    detector = detectors.create("mtcnn", settings.faces, cpu) if options.boxes == "mtcnn" else None
    figures, missed, shown = Figures(), 0, []
    for render in renders(human.build(Head()), options.count, options.seed):
        box = find_box(render, detector)
        if box is None:
            missed += 1
            continue
        view = framed(render.image, box, settings, settings.landmarks.context)
        local, confidence = landmarker.locate(view.region[None], view.region_box[None])
        points = view.to_picture(local[0])
        distance = np.linalg.norm(points - render.points, axis=1)
        yaw, drawn = float(render.angles[0]), float(head_angles(points[None])[0, 0])
        figures.yaw.append(abs(yaw))
        figures.eyes.append(distance / render.frontal_eyes)
        figures.seen.append(distance / float(eye_distance(render.points[None])[0]))
        figures.box.append(distance / np.sqrt(np.ptp(render.points, axis=0).prod()))
        figures.confidence.append(confidence[0])
        region = framed(render.image, box, settings, settings.masks.context)
        figures.overlap.append(overlap(render, region, parser, settings))
        figures.drawn.append((drawn - yaw) * np.sign(yaw))
        if options.draw and len(shown) < options.cells:
            true = render.points * view.transform[0, 0] + view.transform[:, 2]
            image = drawing.points(drawing.points(view.region, true, (255, 60, 60), 2), local[0], (60, 255, 90), 2)
            caption = f"yaw {yaw:.0f} drawn {drawn:.0f}\n{100 * figures.eyes[-1].mean():.1f} %"
            shown.append((image, caption))
    if not figures.yaw:
        raise SystemExit(f"no face found in {options.count} renders")
    return figures, missed, shown


def report(figures: Figures) -> None:
    """Print the tables."""
    yaw, eyes, box = np.array(figures.yaw), 100 * np.stack(figures.eyes), 100 * np.stack(figures.box)
    confidence, overlaps = np.stack(figures.confidence), np.array(figures.overlap)
    drawn = np.array(figures.drawn)

    def row(name: str, selection: np.ndarray) -> None:
        if not selection.any():
            print(f"{name}\t0")
            return
        row_errors = eyes[selection]
        numbers = [
            row_errors.mean(),
            np.median(row_errors.mean(1)),
            box[selection].mean(),
            *(row_errors[:, s].mean() for s in PARTS.values()),
        ]
        numbers += [
            100 * overlaps[selection].mean(),
            100 * confidence[selection].mean(),
            100 * (row_errors < 100 * RIGHT).mean(),
        ]
        turned = [f"{drawn[selection].mean():+.1f}", f"{np.abs(drawn[selection]).mean():.1f}"]
        print("\t".join([name, str(int(selection.sum())), *(f"{number:.2f}" for number in numbers), *turned]))

    heads = ["|yaw|", "crops", "NME eyes %", "median", "NME box %", *PARTS, "mask IoU %", "confidence %", "right %"]
    print("\t".join([*heads, "yaw drawn - true", "mean error"]))
    for low, high in itertools.pairwise(EDGES):
        row(f"{low}-{high}", (yaw >= low) & (yaw < high))
    turned = yaw > 30
    row("<=30", ~turned)
    row(">30", turned)
    row("all", np.ones(len(yaw), bool))
    if turned.any() and not turned.all():
        for name, error in (("eyes", eyes), ("box", box)):
            wide, front, frontal = error[turned].mean(), error[~turned].mean(), error[yaw < 15].mean()
            print(f"over 30 degrees / up to 30, {name}: {wide / front:.2f}; / under 15: {wide / frontal:.2f}")
    for name, error in (("from the front", eyes), ("in the picture", 100 * np.stack(figures.seen))):
        rows = reliability(confidence, error < 100 * RIGHT)
        print(f"confidence\texpected\tright by the eye distance {name}\tpoints")
        for index, (mean, part, count) in enumerate(rows):
            print(f"{index / len(rows):.1f}-{(index + 1) / len(rows):.1f}\t{mean:.3f}\t{part:.3f}\t{count}")
        print(f"expected calibration error {calibration_error(rows):.3f}")
    alike = np.corrcoef(confidence.mean(1), eyes.mean(1))[0, 1]
    print(f"correlation of a face's mean confidence with its error {alike:.2f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--boxes", choices=("ideal", "mtcnn"), default="ideal")
    parser.add_argument("--weights", type=Path, default=FOLDER / LANDMARKS, help="of the landmark network")
    parser.add_argument("--parser-weights", type=Path, default=FOLDER / PARSER)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draw", type=Path, help="write crops with true (red) and found (green) points")
    parser.add_argument("--cells", type=int, default=40, help="crops on the sheet")
    options = parser.parse_args()
    figures, missed, shown = measure(options, parse_settings({}))
    print(
        f"{options.count} renders of seed {options.seed}, {options.boxes} boxes, {missed} not found, "
        f"weights {options.weights}"
    )
    report(figures)
    if options.draw:
        images, captions = zip(*shown, strict=True)
        cv2.imwrite(str(options.draw), drawing.contact_sheet(images, captions, 8, (224, 224))[..., ::-1])


if __name__ == "__main__":
    main()
