"""Albedo for FLAME's UV map: from a licensed file, or a plain one painted from the class labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tvface.head.data import HeadError
from tvface.head.flame_regions import L_BROW, L_EYE, L_LIP, MOUTH, R_BROW, R_EYE, U_LIP
from tvface.head.unpickle import check_file

STORED_SIDE, SIDE = 512, 256  # px, in the licensed files and here
_TONES = {
    (U_LIP, L_LIP): (0.60, 0.34, 0.32),
    (L_BROW, R_BROW): (0.30, 0.22, 0.17),
    (L_EYE, R_EYE): (0.80, 0.76, 0.73),
    (MOUTH,): (0.28, 0.10, 0.12),
}
_SKIN_TONE = (0.72, 0.53, 0.43)


def albedo_from_file(path: Path, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Read FLAME_albedo_from_BFM.npz or FLAME_texture.npz.

    The former holds values of about 0..1, the latter of 0..255; both are BGR at 512 x 512, of which every second pixel
    is kept, as the resize in DECA's ``FLAMETex`` does.

    Returns:
        Mean (256,256,3) f32 and basis (columns,256,256,3) f16, RGB, not clamped.

    Raises:
        HeadError: missing, another layout, or too few columns.
    """
    check_file(path, "FLAME's albedo (FLAME_albedo_from_BFM.npz or FLAME_texture.npz)")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if {"MU", "PC"} <= set(archive.files):
                mean, basis, scale, stored = archive["MU"], archive["PC"], 1.0, 199
            elif {"mean", "tex_dir"} <= set(archive.files):
                mean, basis, scale, stored = archive["mean"], archive["tex_dir"], 1 / 255, 200
            else:
                raise HeadError(f"{path}: holds {archive.files}, expected MU and PC (BFM) or mean and tex_dir (FLAME)")
    except (ValueError, OSError) as error:
        if isinstance(error, HeadError):
            raise
        raise HeadError(f"{path}: not a readable .npz of plain arrays ({error})") from error
    length = STORED_SIDE * STORED_SIDE * 3
    if mean.size != length or basis.size != length * stored:
        raise HeadError(
            f"{path}: mean of {mean.size} and basis of {basis.size} values, expected {length} and x {stored}"
        )
    if columns > stored:
        raise HeadError(f"head.n_texture = {columns}: {path} has {stored} columns; lower the setting")
    basis = basis.reshape(length, stored)[:, :columns]
    return _thin(mean.reshape(length, 1))[0] * np.float32(scale), (_thin(basis) * np.float32(scale)).astype(np.float16)


def _thin(columns: np.ndarray) -> np.ndarray:
    """Return (n,256,256,3) f32 RGB of flattened BGR images (786432, n)."""
    step = STORED_SIDE // SIDE
    images = columns.reshape(STORED_SIDE, STORED_SIDE, 3, -1)[::step, ::step, ::-1]
    return np.ascontiguousarray(np.moveaxis(images, -1, 0), np.float32)


def plain_albedo(labels: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint an albedo from class labels in UV: a tone per class, and tones and smooth patches as basis.

    Args:
        labels: (L,L) uint8 classes in UV.
        columns: columns of the basis.

    Returns:
        Mean (256,256,3) f32 and basis (columns,256,256,3) f16, RGB.
    """
    mean = np.broadcast_to(np.array(_SKIN_TONE, np.float32), (SIDE, SIDE, 3)).copy()
    soft = {}
    for classes, tone in _TONES.items():
        where = np.isin(labels, classes).astype(np.float32)
        weight = cv2.GaussianBlur(cv2.resize(where, (SIDE, SIDE), interpolation=cv2.INTER_AREA), (0, 0), 1.2)
        soft[classes] = weight
        mean += 0.85 * weight[..., None] * (np.array(tone, np.float32) - mean)
    bare = 1 - np.clip(np.sum(list(soft.values()), axis=0), 0, 1)
    lips, brows = soft[U_LIP, L_LIP], soft[L_BROW, R_BROW]
    images = [
        bare[..., None] * np.array((-0.090, -0.095, -0.088), np.float32),
        bare[..., None] * np.array((0.012, -0.018, -0.015), np.float32),
        bare[..., None] * np.array((0.008, 0.006, -0.018), np.float32),
        lips[..., None] * np.array((0.030, -0.025, -0.018), np.float32),
        brows[..., None] * np.array((0.060, 0.050, 0.040), np.float32),
    ]
    place = (np.arange(SIDE) + 0.5) / SIDE
    waves = sorted((i * i + j * j, i, j) for i in range(16) for j in range(16) if i + j)
    tints = ((1.0, 0.92, 0.85), (0.5, -0.25, -0.25), (0.9, 0.95, 1.0))
    for k, (_, i, j) in enumerate(waves):
        wave = np.cos(np.pi * j * place)[:, None] * np.cos(np.pi * i * place)
        images.append(0.014 / (1 + 0.1 * k) * (bare * wave)[..., None] * np.array(tints[k % 3], np.float32))
    return mean, np.stack(images[:columns]).astype(np.float16)
