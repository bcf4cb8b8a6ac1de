"""The crops of DECA's datasets."""

from __future__ import annotations

import re

import numpy as np

from tests.reference import deca_crops
from tests.reference.checks.sheet import Sheet


def data(sheet: Sheet) -> None:
    """``data.npz``: scales and factors stand in the keys and notes."""
    reference = sheet.reference
    points = [frame.astype(np.float64) for frame in reference.array("landmarks")]
    frames, masks, boxes = (reference.array(name) for name in ("frames_u8", "masks", "detector_boxes_l_t_r_b"))
    height, width = frames.shape[1:3]
    found = re.search(r"scale fixed to ([\d.]+)", reference.notes["train"])
    assert found is not None
    transforms = [deca_crops.square_transform(*deca_crops.landmark_square(p, float(found[1]))) for p in points]
    pictures = [deca_crops.crop(f, t) for f, t in zip(frames, transforms, strict=True)]
    sheet.tensor("train_image", np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32), 8)
    cut = [deca_crops.crop(m.astype(np.float64), t) for m, t in zip(masks, transforms, strict=True)]
    # A step of 1 per pixel, moved by the 5e-6 px to which the original knows its box, in float32.
    sheet.tensor("train_mask", np.stack(cut).astype(np.float32), 8, relative=5e-5)
    moved = [deca_crops.normalised(p, t) for p, t in zip(points, transforms, strict=True)]
    sheet.compare("train_landmark", np.concatenate([np.stack(moved), np.ones((len(points), 68, 1))], -1))
    test: list[np.ndarray] = []
    for key in [key for key in reference.outputs if "_matrix_" in key]:
        numbers = [float(n) for n in re.findall(r"\d+\.\d+", key)]
        if key.startswith("train_matrix_scale"):
            squares = [deca_crops.landmark_square(p, numbers[0]) for p in points]
        elif key.startswith("test_matrix_scale"):
            squares = [deca_crops.landmark_square(p, numbers[0], test=True) for p in points]
        elif "detector" in key:
            squares = [deca_crops.box_square(box, of_landmarks=key.endswith("kpt68")) for box in boxes]
        elif key.endswith("no_face"):
            squares = [deca_crops.no_face_square(height, width)]
        else:
            sheet.compare(key, deca_crops.whole_transform(height, width), relative=1e-6)
            continue
        matrices = np.stack([deca_crops.square_transform(*square) for square in squares])
        if key.startswith("test_matrix_scale"):
            test = list(matrices)
        theirs = reference[key]
        # The original computes the box in float32 (5e-6 px), and stores the test matrices so.
        relative = 1e-6 if theirs.dtype == np.float32 else 1e-7
        sheet.compare(key, matrices if theirs.ndim == 3 else matrices[0], relative=relative)
    pictures = [deca_crops.crop(f, t) for f, t in zip(frames, test, strict=True)]
    sheet.tensor("test_image", np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32), 8)
