"""Neutral heads of a folder of pictures, for the REALY benchmark (Chai et al. 2022) and the like.

Written: ``<name>.obj``, named as the picture, and ``<name>.npy`` with the 68 points (68,3) in metres.

REALY's own tool reads the OBJ files, all of one topology, and cuts regions out of them by 85 keypoints, which it takes
from a file of barycentric coordinates per topology; its repository ships that of FLAME's 5023 vertices. So with
``head.model: flame`` the OBJ files are all it needs; for the generic head its authors have to make such a file. The 68
points are for other tools that align by landmarks. Assumed here, because the benchmark does not say how to crop: the
largest face that ``faces.detector`` finds, cropped as in training (``sequences.crop_scale``, ``crop_down``), and a
neutral head, although the tool also takes heads with expression.
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
        settings: of the run; its head, ``faces`` and the crop of ``sequences`` count.
        folder: of pictures.
        out: folder for the results. Files of an interrupted run are kept.
        weights_file: ``weights.safetensors``.
        batch: pictures per step of the model.

    Raises:
        ExportError: the folder holds no picture or two of one name, ``out`` holds another export, or pictures could
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
    chosen = settings.sequences
    crop_settings = [chosen.crop_scale, chosen.crop_down]
    claim(out, weights_file, layout="realy", crop=crop_settings, detector=settings.faces.detector)

    def crop(path: Path) -> Image:
        picture = read_image(path)
        (found,) = detector.detect([picture])
        sure = found.boxes[found.scores >= settings.faces.min_score]  # largest first
        if not len(sure):
            raise ExportError(f"{path}: no face was found; lower faces.min_score or faces.min_face")
        ((x, y),), (side,) = crop_squares(sure[:1], chosen.crop_scale, chosen.crop_down)
        size = model.spec.image_size
        return warp_crop(picture, square_transform((x, y), side, size), size)

    pictures = [Picture(name, lambda path=path: crop(path)) for name, path in names.items()]  # type: ignore[misc]
    outcome = write_neutral(model, head, pictures, out, range(68), batch)
    report(outcome, out)
    return outcome
