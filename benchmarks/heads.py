"""Sheets of what ``tvface reconstruct`` made of a clip, to look at, and how far the heads lie from the found points.

    python benchmarks/heads.py CLIP RESULT_FOLDER --out sheet.png [--frames 12] [--track 0]

RESULT_FOLDER is the command's ``--out``. Rows: the picture with the found points, the overlay. Below: the neutral heads
of all tracks. Prints the mean and the 95th percentile of the distance to the found points (% of the distance of the
outer eye corners), by part of the face, and the frames without a fit to trust.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from tvface.conventions.points68 import PARTS, eye_distance
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.media import drawing
from tvface.media.images import Image, encode_png
from tvface.media.video import VideoReader
from tvface.model.codes_store import CodesStore
from tvface.rendering.renderer import Renderer

TILE = 256


def points_of(folder: Path, track: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frames (N,) and found points (N,68,2) in picture pixels of a track."""
    store = CodesStore(folder / "work" / "points")
    parts = [rows for k in range(len(store)) for rows in store.tracks(k) if rows["track"][0] == track]
    frame = np.concatenate([rows["frame"] for rows in parts])
    points = np.concatenate([rows["points"] for rows in parts]).astype(float)
    transform = np.concatenate([rows["transform"] for rows in parts])
    return frame, (points - transform[:, None, :, 2]) / transform[:, 0, 0][:, None, None]


def tile(picture: Image, points: np.ndarray, mark: bool) -> Image:
    """Return the square around a face, with its points or without."""
    centre, side = points.mean(0), 1.7 * np.ptp(points, axis=0).max()
    matrix = np.array([[TILE / side, 0, TILE / 2 - centre[0] * TILE / side], [0, TILE / side, 0]])
    matrix[1, 2] = TILE * 0.55 - centre[1] * TILE / side
    cut = cv2.warpAffine(picture, matrix, (TILE, TILE), flags=cv2.INTER_AREA)
    return drawing.points(cut, points @ matrix[:, :2].T + matrix[:, 2], (90, 255, 90), 1) if mark else cut


def neutral_heads(folder: Path, columns: int) -> Image:
    """Return the neutral head of every track, from the front and turned by 45 degrees, ``columns`` pictures a row."""
    data = HeadData.load(folder / "work" / "head" / "head.npz")
    tiles = []
    for path in sorted((folder / "parameters").glob("track*.npz")):
        held = np.load(path)
        shape = torch.from_numpy(held["betas"][:1])
        model = HeadModel(data, shape.shape[1], held["expression"].shape[1])
        renderer = Renderer(data, TILE, 64)
        for yaw in (0.0, 45.0):
            pose = torch.tensor([[0, np.radians(yaw), 0, 0, 0, 0]], dtype=torch.float32)
            with torch.no_grad():
                vertices = model(shape, torch.zeros(1, model.n_expression), pose).vertices
                seen = project(vertices, torch.tensor([[6.5, 0.0, 0.01]]))
                grey = renderer.render_shape(vertices, seen, images=torch.ones(1, 3, TILE, TILE))[0]
            tiles.append((255 * grey.permute(1, 2, 0).clamp(0, 1).numpy()).astype(np.uint8))
    tiles += [np.full((TILE, TILE, 3), 255, np.uint8)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)])


def main() -> None:
    """Write the sheet, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--track", type=int, default=0)
    options = parser.parse_args()
    frame, found = points_of(options.folder, options.track)
    held = np.load(options.folder / "parameters" / f"track{options.track:03d}.npz")
    assert (held["frame"] == frame).all()
    error = 100 * np.linalg.norm(held["landmarks2d"] - found, axis=-1) / np.median(eye_distance(found))
    parts = ", ".join(f"{name} {error[:, part].mean():.2f}" for name, part in PARTS.items())
    whole = error.mean(1)
    print(
        f"{options.clip.name} track {options.track}: {len(frame)} frames, NME to the points {whole.mean():.2f} %, "
        f"95th percentile {np.percentile(whole, 95):.2f} ({parts})"
    )
    print(f"frames without a fit to trust: {int((~held['fitted']).sum())}" if "fitted" in held else "a network's codes")
    shown = frame[np.unique(np.linspace(0, len(frame) - 1, options.frames).round().astype(int))]
    place = {int(number): row for row, number in enumerate(frame)}
    pictures, overlays = [], []
    readers = (VideoReader(options.clip).frames(), VideoReader(options.folder / "overlay.mp4").frames())
    for before, after in zip(*readers, strict=False):
        if before.source_frame in shown:
            points = found[place[before.source_frame]]
            pictures.append(tile(before.image, points, True))
            overlays.append(tile(after.image, points, False))
    half = -(-len(pictures) // 2)
    rows = [np.hstack(row[start:][:half]) for start in (0, half) for row in (pictures, overlays) if row[start:]]
    rows.append(neutral_heads(options.folder, max(2, half)))
    width = max(row.shape[1] for row in rows)
    sheet = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])
    options.out.write_bytes(encode_png(sheet))
    print(options.out)


if __name__ == "__main__":
    main()
