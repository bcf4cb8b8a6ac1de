"""One face over time as SMPL-X-style parameters in an npz, which opens without pickle.

Rows (N frames, in order of time; float32 unless stated otherwise):

    betas (N,S), expression (N,E)      coefficients of the head's bases, unit normal
    global_orient, neck_pose, jaw_pose, leye_pose, reye_pose (N,3)   axis-angle, rad; neck zero, eyes too but for fits
    transl (N,3)                       zero: the camera holds the position
    camera (N,3)                       s, tx, ty; see below
    texture (N,A), light (N,9,3), detail (N,128)     albedo, spherical harmonics x RGB, detail code (not of fits)
    landmarks2d (N,68,2)               projected, pixels of the picture, centres at integers
    crop_transform (N,2,3) float64     map from picture to crop pixels, pixel centres at integers
    residual (N,), fitted (N,) bool    of fits: mean distance to the found points in % of the eye distance; whether the
                                       fit can be trusted (codes of other frames are bridged from those around)
    frame (N,) int64, time_s (N,) float64    number and time [s] of the frame in the source

Single values: model_type (``flame``: the coefficients are FLAME's; ``human``: those of tvface's human head,
``expression`` holds weights of Apple's 52 face units, that of jawOpen from the jaw's joint; tvface's own head has no
movement in that column), model (fit, deca or temporal), crop_size [px], fps and the same as mocap_frame_rate [Hz] (0:
not constant), gender (neutral), shared_identity (one shape for all frames), source, track, tvface_version.

Convention: a vertex of the head (metres, x to the subject's left, y up, z to the viewer) is at n = (s (x + tx),
-s (y + ty)) in the crop, -1 .. 1, x right, y down, which is pixel (n + 1) / 2 * crop_size - 1/2. This is DECA's camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tvface import __version__
from tvface.conventions.pixels import to_pixels
from tvface.head.data import HeadData
from tvface.media.npz import NpzWriter
from tvface.model.codes_store import CodesStore
from tvface.model.decoders import Decoder
from tvface.model.face_model import Codes

Array = NDArray[Any]


def rows_of(codes: Mapping[str, Array], head: HeadData) -> dict[str, Array]:
    """Return the parameters of codes, float32 arrays (N, ...) by the names in this module's docstring.

    Args:
        codes: arrays (N, ...) by the names of :class:`tvface.model.face_model.Codes`.
        head: that they belong to.
    """
    pose = np.asarray(codes["pose"], np.float32)
    zero = np.zeros((len(pose), 3), np.float32)
    eyes = codes.get("eyes", np.zeros((len(pose), 6), np.float32))
    named = {
        "betas": codes["shape"],
        "expression": _with_jaw(np.array(codes["expression"], np.float32), pose[:, 3], head),
        "global_orient": pose[:, :3],
        "jaw_pose": pose[:, 3:],
        **dict.fromkeys(("neck_pose", "transl"), zero),
        "leye_pose": eyes[:, :3],
        "reye_pose": eyes[:, 3:],
        "camera": codes["camera"],
        "texture": codes["texture"],
        "light": np.asarray(codes["light"]).reshape(-1, 9, 3),
        **({"detail": codes["detail"]} if "detail" in codes else {}),
    }
    return {name: np.asarray(value, np.float32) for name, value in named.items()}


def _with_jaw(expression: Array, jaw: Array, head: HeadData) -> Array:
    """Return weights (N,E) with that of jawOpen, which the head makes with its joint, at ``jaw`` (N,) rad."""
    names = list(head.notes.get("expression_names", ()))[: expression.shape[1]]
    if "jawOpen" in names:
        expression[:, names.index("jawOpen")] = np.clip(jaw / head.notes["jaw_open_angle"], 0, 1)
    return expression


def put_description(
    writer: NpzWriter,
    head: HeadData,
    *,
    model: str,
    crop_size: int,
    fps: float,
    shared_identity: bool,
    source: str | Path,
    track: int,
) -> None:
    """Store the single values of a file; see this module's docstring.

    Args:
        writer: of the file.
        head: whose bases the coefficients belong to.
        model: fit, deca or temporal.
        crop_size: side of the crops in pixels.
        fps: frames per second; 0: not constant.
        shared_identity: one shape for all frames.
        source: video or clip; only its name is stored.
        track: number of the track.
    """
    writer.put(
        model_type=head.notes["source"],
        model=model,
        crop_size=crop_size,
        fps=fps,
        mocap_frame_rate=fps,
        gender="neutral",
        shared_identity=shared_identity,
        source=Path(source).name,
        track=track,
        tvface_version=__version__,
    )


def write_tracks(
    folder: Path,
    store: CodesStore,
    model: Decoder,
    head: HeadData,
    *,
    fps: float,
    source: Path,
    shared_identity: bool,
) -> list[Path]:
    """Write ``<folder>/track<number>.npz`` for every track of a video; return the paths.

    Args:
        folder: of the files.
        store: codes of all tracks.
        model: decodes them.
        head, fps, source, shared_identity: see :func:`put_description`.

    The tracks are written side by side, block by block. A track has no gaps, so its file is closed at the first block
    without it.
    """
    opened: dict[int, ExitStack] = {}
    writers: dict[int, NpzWriter] = {}
    paths = []
    with ExitStack() as whole:
        for number in range(len(store)):
            present = {int(rows["track"][0]): rows for rows in store.tracks(number)}
            for track in [track for track in opened if track not in present]:
                opened.pop(track).close()
                del writers[track]
            for track, rows in present.items():
                if track not in writers:
                    path = folder / f"track{track:03d}.npz"
                    paths.append(path)
                    opened[track] = whole.enter_context(ExitStack())
                    writers[track] = opened[track].enter_context(NpzWriter(path))
                    put_description(
                        writers[track],
                        head,
                        model=model.name,
                        crop_size=model.size,
                        fps=fps,
                        shared_identity=shared_identity,
                        source=source,
                        track=track,
                    )
                codes = {name: rows[name] for name in store.CODES if name in rows}
                writers[track].append(
                    {
                        **rows_of(codes, head),
                        "landmarks2d": picture_landmarks(model, codes, rows["transform"]),
                        "crop_transform": rows["transform"],
                        "frame": rows["frame"],
                        "time_s": rows["time_s"],
                        **{name: rows[name] for name in ("residual", "fitted") if name in rows},
                    }
                )
    return sorted(paths)


@torch.no_grad()
def picture_landmarks(model: Decoder, codes: Mapping[str, Array], transforms: Array) -> Array:
    """Return the 68 projected points (N,68,2) float32 in pixels of the picture, centres at integers.

    Args:
        model: defines crop size and convention.
        codes: arrays (N, ...) by name.
        transforms: (N,2,3) from picture to crop pixels.
    """
    device = model.device
    tensors = Codes(
        **{name: torch.from_numpy(np.asarray(value, np.float32)).to(device) for name, value in codes.items()}
    )
    points = to_pixels(model.geometry(tensors).landmarks2d, model.size, model.half_pixel)
    inside = points.cpu().numpy().astype(np.float64) - transforms[:, None, :, 2]
    return (inside @ np.linalg.inv(transforms[:, :, :2]).transpose(0, 2, 1)).astype(np.float32)
