"""Make the moving picture of the README from a finished demo.

    python docs/result.py --results results --out docs/result.webp

People of the embedded show: the crop, the fitted head over it, and the head in its skin and light. Each chosen episode
goes through ``tvface reconstruct`` (results in ``--work``, kept for a second run); the picture takes its codes from
``parameters``. With ``--model deca`` or ``temporal`` it shows people of the test part, whom training never saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from tvface.files.atomic import atomic
from tvface.head.data import HeadData
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.media.images import warp_crop
from tvface.media.video import VideoReader
from tvface.model.decoders import Decoder, NetworkDecoder
from tvface.model.face_model import Codes
from tvface.model.published import trained_model
from tvface.settings import Settings, load
from tvface.video.reconstruct import fit_decoder, reconstruct_video, trained_weights_file

LIMIT = 2_000_000  # bytes
GAP = 4  # px between people


@dataclass(frozen=True)
class Scene:
    """One face for a while: ``first`` .. ``last`` are frames of the episode's video."""

    episode: str
    track: int
    first: int
    last: int


def scenes(rows: pd.DataFrame, split: str, count: int) -> list[Scene]:
    """Return the longest sequence of each track of a part of the dataset, spread over its people.

    Args:
        rows: DATASET rows.
        count: most scenes; everybody has one before anybody has two.
    """
    selected = []
    spans = rows[rows["split"] == split].groupby(["person", "episode", "track"])["source_frame"].agg(["min", "max"])
    spans = spans.assign(length=spans["max"] - spans["min"]).sort_values("length", ascending=False, kind="stable")
    turn = spans.groupby(level="person").cumcount()
    for (_, episode, track), span in spans.loc[turn.sort_values(kind="stable").index].iterrows():
        selected.append(Scene(episode, int(track), int(span["min"]), int(span["max"])))
    return selected[:count]


def panels(decoder: Decoder, scene: Scene, video: Path, parameters: Path, frames: int, tile: int) -> NDArray[np.uint8]:
    """Return (frames, tile, 3 tile, 3) pictures of one scene, evenly spaced in time.

    Args:
        video: of the episode.
        parameters: the track's npz.
    """
    stored = np.load(parameters, allow_pickle=False)
    inside = (scene.first <= stored["frame"]) & (stored["frame"] <= scene.last)
    taken = np.flatnonzero(inside)[np.linspace(0, inside.sum() - 1, frames).round().astype(int)]
    wanted = set(stored["frame"][taken].tolist())
    decoded = VideoReader(video).frames()
    pictures = {frame.source_frame: frame.image for frame in decoded if frame.source_frame in wanted}
    scale = tile / float(stored["crop_size"])
    crops = []
    for row in taken:
        transform = stored["crop_transform"][row] * scale
        transform[:, 2] += (scale - 1) / 2  # pixel centres are integers
        crops.append(warp_crop(pictures[int(stored["frame"][row])], transform, tile))
    crop = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    shapes = []
    codes = _codes(stored, taken)
    geometry, normals = decoder.heads(codes)
    shapes.append(decoder.renderer.render_shape(geometry.vertices, geometry.projected, normals, crop))
    size = (tile, tile)
    lit = decoder.renderer.render(
        geometry.vertices, geometry.projected, decoder.albedo(codes.texture), codes.light, size
    )
    inside = lit.alpha * lit.face_eye_mask
    shapes.append(lit.images * inside + crop * (1 - inside))
    joined = torch.cat([crop, *shapes], 3).clamp(0, 1).permute(0, 2, 3, 1)
    return np.round(255 * joined.numpy()).astype(np.uint8)


def _codes(stored: np.lib.npyio.NpzFile, rows: NDArray[np.int64]) -> Codes:
    names = [n for n in ("expression", "camera", "texture", "light", "detail") if n in stored.files]
    parts = {name: torch.from_numpy(stored[name][rows]) for name in names}
    parts["eyes"] = torch.from_numpy(np.concatenate([stored["leye_pose"], stored["reye_pose"]], 1)[rows])
    pose = np.concatenate([stored["global_orient"], stored["jaw_pose"]], 1)[rows]
    return Codes(shape=torch.from_numpy(stored["betas"][rows]), pose=torch.from_numpy(pose), **parts)


def sheet(people: Sequence[NDArray[np.uint8]], columns: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of the picture: people side by side, ``columns`` to a line, on white."""
    count, side, width = people[0].shape[:3]
    lines = -(-len(people) // columns)
    for index in range(count):
        frame = np.full((lines * (side + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
        for place, pictures in enumerate(people):
            top, left = place // columns * (side + GAP), place % columns * (width + GAP)
            frame[top : top + side, left : left + width] = pictures[index]
        yield frame


def save(frames: Iterator[NDArray[np.uint8]], path: Path, rate: float, quality: int) -> None:
    """Write an animated WebP that goes there and back for ever.

    Raises:
        SystemExit: the file would be larger than 2 MB.
    """
    pictures = [Image.fromarray(frame) for frame in frames]
    loop = pictures + pictures[-2:0:-1]
    with atomic(path) as temporary:
        loop[0].save(
            temporary,
            "WEBP",
            save_all=True,
            append_images=loop[1:],
            duration=round(1000 / rate),
            loop=0,
            quality=quality,
            method=6,
        )
        size = temporary.stat().st_size
        if size >= LIMIT:
            raise SystemExit(f"{path}: {size:,} bytes, over {LIMIT:,}; fewer --frames, a smaller --tile or --quality")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="of a finished demo")
    parser.add_argument("--model", choices=("fit", "deca", "temporal"), default="fit")
    parser.add_argument("--work", type=Path, default=Path("results/picture"), help="folder for what is made on the way")
    parser.add_argument("--out", type=Path, default=Path("docs/result.webp"))
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--columns", type=int, default=2, help="people in a line")
    parser.add_argument("--frames", type=int, default=36)
    parser.add_argument("--rate", type=float, default=12.5, help="frames per second")
    parser.add_argument("--tile", type=int, default=148, help="side of one picture in pixels")
    parser.add_argument("--quality", type=int, default=70, help="of WebP, 0 to 100")
    options = parser.parse_args()
    settings: Settings = load(["config.yaml"], {"results": str(options.results)})
    rows = read(options.results / "dataset.parquet", DATASET).rows
    head = HeadData.load(options.results / "head" / "head.npz")
    decoder: Decoder
    if options.model == "fit":
        decoder = fit_decoder(settings, head)
    else:
        decoder = NetworkDecoder(trained_model(settings, trained_weights_file(settings, options.model, None), head))
    people = []
    for scene in scenes(rows, "test", options.people):
        video = options.results / "synth" / f"{scene.episode}.mp4"
        folder = options.work / scene.episode
        reconstruct_video(settings, video, options.model, folder)
        parameters = folder / "parameters" / f"track{scene.track:03d}.npz"
        people.append(panels(decoder, scene, video, parameters, options.frames, options.tile))
        print(f"{scene.episode}, track {scene.track}, frames {scene.first} to {scene.last}")
    save(sheet(people, options.columns), options.out, options.rate, options.quality)
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
