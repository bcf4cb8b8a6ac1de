"""Neutral heads in the layout of the NoW benchmark (Sanyal et al. 2019), for the authors' evaluation tool.

Read: ``<folder>/<list>`` (a line per picture, ``subject/challenge/image.jpg``), ``<folder>/iphone_pictures/<line>``
and ``<folder>/detected_face/<line, .npy>`` (the face box). Written: ``<out>/<line without .jpg>.obj`` and ``.npy``, the
seven points that the tool aligns by: eye corners, base of the nose, mouth corners. Source: ``evaluate`` in DECA's
``trainer.py``.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.exports.neutral import ExportError, Outcome, Picture, claim, load_model, report, write_neutral
from tvface.head.unpickle import read_object_npy
from tvface.media.images import Image, read_image, warp_crop
from tvface.settings import Settings

POINTS = (36, 39, 42, 45, 33, 48, 54)
"""Outer and inner corner of the right eye, inner and outer of the left, base of the nose, right and left mouth corner.

Right and left are the subject's; numbers of the 68 points.
"""

SCALE = 1.6
"""Crop side / box side: the middle of the 1.4 .. 1.8 that DECA trains with."""


def export_now(
    settings: Settings,
    folder: Path,
    out: Path,
    weights_file: Path,
    *,
    listed: str = "imagepathsvalidation.txt",
    scale: float = SCALE,
    batch: int = 16,
    threads: int = 1,
) -> Outcome:
    """Write the heads of all listed pictures.

    Args:
        settings: of the run, which defines the head.
        folder: of the benchmark.
        out: folder for the results. Files of an interrupted run are kept.
        weights_file: ``weights.safetensors``.
        listed: name of the list in ``folder``.
        scale: crop side / box side.
        batch: pictures per step of the model.
        threads: of torch.

    Raises:
        ExportError: ``folder`` is not a NoW folder, ``out`` holds another export, or pictures could not be used (all
            others are written by then).
    """
    torch.set_num_threads(threads)
    model, head = load_model(settings, weights_file)
    size = model.spec.image_size
    lines = read_list(folder, listed)
    claim(out, weights_file, layout="now", scale=scale)
    pictures = [
        Picture(str(PurePosixPath(line).with_suffix("")), lambda line=line: _crop(folder, line, scale, size))  # type: ignore[misc]
        for line in lines
    ]
    outcome = write_neutral(model, head, pictures, out, POINTS, batch)
    report(outcome, out)
    return outcome


def read_list(folder: Path, listed: str) -> list[str]:
    """Return the lines of the list of pictures.

    Raises:
        ExportError: no such file, no line, or a line that leads out of the folder.
    """
    path = folder / listed
    if not path.is_file() or not (folder / "iphone_pictures").is_dir() or not (folder / "detected_face").is_dir():
        raise ExportError(
            f"{folder} is not a folder of the NoW benchmark: it must hold {listed}, iphone_pictures/ and detected_face/"
        )
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for line in lines:
        if PurePosixPath(line).is_absolute() or ".." in PurePosixPath(line).parts:
            raise ExportError(f"{path}: '{line}' leads out of the folder; paths must be subject/challenge/image.jpg")
    if not lines:
        raise ExportError(f"{path}: the list is empty")
    return list(dict.fromkeys(lines))


def _crop(folder: Path, line: str, scale: float, size: int) -> Image:
    box = read_box(folder / "detected_face" / PurePosixPath(line).with_suffix(".npy"))
    picture = read_image(folder / "iphone_pictures" / line)
    return warp_crop(picture, box_transform(box, scale, size), size)


def read_box(path: Path) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom from a pickled mapping in an .npy, without executing anything in it.

    Raises:
        FileNotFoundError: the file is missing.
        HeadError: the file holds no such mapping.
        ExportError: the values are not a box.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the face box is missing")
    content: dict[str, Any] = read_object_npy(path, "a face box (left, right, top, bottom)")
    names = ("left", "top", "right", "bottom")
    try:
        left, top, right, bottom = (float(np.asarray(content[name]).item()) for name in names)
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{path}: holds {sorted(map(str, content))}, expected numbers {', '.join(names)}") from error
    if not (np.isfinite([left, top, right, bottom]).all() and right > left and bottom > top):
        raise ExportError(f"{path}: {left}, {top}, {right}, {bottom} is no box")
    return left, top, right, bottom


def box_transform(box: tuple[float, float, float, float], scale: float, size: int) -> NDArray[np.float64]:
    """Return the (2,3) map from picture to crop pixels as in DECA's NoW loader.

    The side of the square is ``scale`` times the mean box side, truncated to whole pixels; its centre is that of the
    box. Its corners map to the centres of the crop's corner pixels.

    Convention: pixels, x right, y down, centres at integers.
    """
    left, top, right, bottom = box
    side = int((right - left + bottom - top) / 2 * scale)
    zoom = (size - 1) / side
    corner = np.array([(left + right) / 2 - side / 2, (top + bottom) / 2 - side / 2])
    return np.array([[zoom, 0, -zoom * corner[0]], [0, zoom, -zoom * corner[1]]])
