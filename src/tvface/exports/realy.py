"""Neutral heads of a folder of pictures, for the REALY benchmark (Chai et al. 2022) and the like.

Written: ``<name>.obj``, named after the picture, and ``<name>.npy`` with the 68 points (68,3) in metres.

REALY's tool reads the OBJ files, all of one topology, and cuts regions out of them by 85 keypoints, which it takes from
a file of barycentric coordinates per topology; its repository ships the file for FLAME's 5023 vertices. With
``head.model: flame`` it needs only the OBJ files; for the human head its authors have to make such a file. The 68
points are for other tools that align by landmarks. The benchmark does not specify the crop. This module takes the
largest face that ``faces.detector`` finds, cropped as in training (``sequences.crop_scale``, ``crop_down``), and writes
a neutral head, although the tool also accepts heads with expression.
"""

from __future__ import annotations

from pathlib import Path

import torch

from tvface import detectors
from tvface.conventions.squares import crop_squares, square_transform
from tvface.exports.neutral import ExportError, Outcome, Picture, claim, load_model, report, write_neutral
from tvface.media.images import Image, read_image, warp_crop
from tvface.runtime.device import torch_device
from tvface.settings import Settings

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def export_realy(
    settings: Settings, folder: Path, out: Path, weights_file: Path, *, batch: int = 16, threads: int = 1
) -> Outcome:
    """Write the heads of all pictures in ``folder`` and its sub-folders.

    Args:
        settings: of the run: its head, ``faces`` and the crop of ``sequences`` are used.
        folder: of pictures.
        out: folder for the results. Files of an interrupted run are kept.
        weights_file: ``weights.safetensors``.
        batch: pictures per step of the model.
        threads: of torch.

    Raises:
        ExportError: ``folder`` holds no picture or two of one name, ``out`` holds another export, or pictures could
            not be used (all others are written by then).
    """
    torch.set_num_threads(threads)
    names: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in names:
                raise ExportError(f"{names[name]} and {path} would give the same file; rename one of them")
            names[name] = path
    if not names:
        raise ExportError(f"{folder}: no picture ({', '.join(SUFFIXES)}) in this folder")
    model, head = load_model(settings, weights_file)
    detector = detectors.create(settings.faces.detector, settings.faces, torch_device(settings.device))
    crop_settings = settings.sequences
    claim(
        out,
        weights_file,
        layout="realy",
        crop=[crop_settings.crop_scale, crop_settings.crop_down],
        detector=settings.faces.detector,
    )

    def crop(path: Path) -> Image:
        picture = read_image(path)
        (detections,) = detector.detect([picture])
        boxes = detections.boxes[detections.scores >= settings.faces.min_score]  # largest first
        if not len(boxes):
            raise ExportError(f"{path}: no face was found; lower faces.min_score or faces.min_face")
        ((x, y),), (side,) = crop_squares(boxes[:1], crop_settings.crop_scale, crop_settings.crop_down)
        size = model.spec.image_size
        return warp_crop(picture, square_transform((x, y), side, size), size)

    pictures = [Picture(name, lambda path=path: crop(path)) for name, path in names.items()]  # type: ignore[misc]
    outcome = write_neutral(model, head, pictures, out, range(68), batch)
    report(outcome, out)
    return outcome
