"""One video through a trained model: ``tvface reconstruct clip.mp4 --model temporal --out DIR``.

The stages ``head``, ``frames`` and ``faces`` run in ``DIR/work`` as in the pipeline; the boxes of every track are then
interpolated to all frames of the video, whose crops go through the model in blocks, so that memory does not grow with
the length of the video.

Written into ``DIR``: ``overlay.mp4`` (the detail shape over every face), ``parameters.npz`` (one row per face and
frame) and ``meshes/`` (OBJ, and GLB with texture, of every sampled frame).
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tvface import assets, flow, layout
from tvface.device import torch_device
from tvface.episodes import list_episodes
from tvface.head.data import HeadData
from tvface.manifests import atomic, read
from tvface.manifests.faces import FACES
from tvface.media import meshes
from tvface.media.images import MediaError, warp_crop
from tvface.media.video import VideoFrame, VideoReader, write_video
from tvface.settings import Settings, SettingsError
from tvface.stages.base import logger, progress
from tvface.training.inference import Reconstruction, reconstruct_images
from tvface.training.model import FaceModel
from tvface.training.published import SUFFIX, deca_spec, load_deca
from tvface.training.weights import load_weights, read_spec

# Frames that go through the model at once.
BLOCK = 32


@dataclass(frozen=True)
class Path2D:
    """The square crop of one track over time.

    ``frames`` (K,) source frames, rising; ``centres`` (K,2) and ``sides`` (K,) in pixels of the sampled frames.
    """

    frames: NDArray[np.int64]
    centres: NDArray[np.float64]
    sides: NDArray[np.float64]

    def covers(self, frame: int) -> bool:
        return bool(self.frames[0] <= frame <= self.frames[-1])

    def transform(self, frame: int, size: int, scale: float = 1.0) -> NDArray[np.float64]:
        """Return the (2,3) map from picture to crop pixels (centres at integers) at a source frame.

        Args:
            size: side of the crop.
            scale: picture pixels per pixel of the sampled frames in which the boxes were found.
        """
        centre = [np.interp(frame, self.frames, self.centres[:, axis]) * scale for axis in range(2)]
        zoom = size / (float(np.interp(frame, self.frames, self.sides)) * scale)
        middle = (size - 1) / 2
        return np.array([[zoom, 0, middle - zoom * centre[0]], [0, zoom, middle - zoom * centre[1]]])


def crop_paths(faces: pd.DataFrame, crop_scale: float, crop_down: float) -> dict[int, Path2D]:
    """Return the crop of every track of the ``faces`` manifest over time.

    The side is ``crop_scale`` times the mean box side, the centre ``crop_down`` box sides below the box's, as DECA
    crops. A track of one face lasts one frame.
    """
    paths = {}
    for track, rows in faces.sort_values("source_frame").groupby("track"):
        boxes = rows[["x0", "y0", "x1", "y1"]].to_numpy(np.float64)
        side = (boxes[:, 2] - boxes[:, 0] + boxes[:, 3] - boxes[:, 1]) / 2
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + np.stack([np.zeros_like(side), crop_down * side], 1)
        paths[int(track)] = Path2D(rows["source_frame"].to_numpy(np.int64), centres, crop_scale * side)
    return paths


@dataclass
class Output:
    """What is gathered while the video goes through: rows of parameters, and the meshes written."""

    folder: Path
    sampled: frozenset[int]
    rows: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    meshes: int = 0

    def add(self, frames: list[VideoFrame], track: int, maps: list[Any], result: Reconstruction) -> None:
        """Take in the codes of one track's part of a block."""
        codes = {name: value.flatten(1).cpu().numpy() for name, value in result.codes.items()}
        projected = result.geometry.landmarks2d.cpu().numpy()
        for position, frame in enumerate(frames):
            for name, value in (("source_frame", frame.source_frame), ("time_s", frame.time_s), ("track", track)):
                self.rows[name].append(value)
            for name, values in codes.items():
                self.rows[name].append(values[position])
            self.rows["landmarks"].append(projected[position])
            self.rows["transform"].append(maps[position])

    @torch.no_grad()
    def add_meshes(
        self, frames: list[VideoFrame], track: int, result: Reconstruction, model: FaceModel, head: HeadData
    ) -> None:
        """Write the meshes of the sampled frames among ``frames``."""
        surface = (np.asarray(head.faces), np.asarray(head.uv), np.asarray(head.uv_faces))
        for position, frame in enumerate(frames):
            if frame.source_frame not in self.sampled:
                continue
            vertices = result.geometry.vertices[position].cpu().numpy()
            albedo = model.albedo(result.codes.texture[position : position + 1])[0].clamp(0, 1).permute(1, 2, 0)
            texture = np.round(255 * albedo.cpu().numpy()).astype(np.uint8)
            stem = self.folder / "meshes" / f"track{track:03d}_frame{frame.source_frame:06d}"
            for suffix, data in (
                (".obj", meshes.obj(vertices, *surface)),
                (".glb", meshes.glb(vertices, *surface, texture)),
            ):
                with atomic(stem.with_suffix(suffix)) as temporary:
                    temporary.write_bytes(data)
            self.meshes += 1

    def save(self) -> Path:
        """Write ``parameters.npz``: codes, landmarks (N,68,2) in normalised crop coordinates, transform (N,2,3)."""
        path = self.folder / "parameters.npz"
        with atomic(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **{name: np.asarray(values) for name, values in self.rows.items()})  # type: ignore[arg-type]
        return path


def reconstruct_video(
    settings: Settings, video: Path, model: str, out: Path, weights: Path | None = None, threads: int = 1
) -> list[Path]:
    """Reconstruct every tracked face of a video; return what was written.

    Args:
        settings: of the run; ``faces``, ``frames``, ``head`` and the crop of ``sequences`` count.
        video: any file PyAV opens.
        model: ``deca`` or ``temporal``; must be the one of the weights.
        out: folder for the results.
        weights: ``weights.safetensors``, by default those of the run's last phase, or DECA's ``deca_model.tar``.

    Raises:
        SettingsError: the weights are missing or of another model, or the video does not exist; DECA's weights with
            another head than FLAME.
        MissingAsset: ``deca_model.tar`` is not there.
        CheckpointError: the ``.tar`` is not DECA's released model.
        MediaError: the video cannot be read, or no face is found in it.
    """
    if weights is None:
        found = layout.outputs("train", settings, f"{model}/detail")["weights"]
        assert isinstance(found, Path)
        weights = found
    published = weights.suffix == SUFFIX
    if published and not weights.is_file():
        raise assets.MissingAsset(f"--weights: {assets.describe_missing(assets.asset('deca_model'), weights)}")
    if not weights.is_file():
        raise SettingsError(
            f"{weights}: no trained weights; train first (snakemake --cores all train) or name --weights"
        )
    spec = deca_spec(settings.head, weights) if published else read_spec(weights)
    if spec.model != model:
        raise SettingsError(f"{weights} are weights of '{spec.model}', not of '{model}'")
    work = dataclasses.replace(
        settings,
        results=str(out / "work"),
        synth=dataclasses.replace(settings.synth, enabled=False),
        videos=str(video),
        tvqa=None,
        sheet=None,
    )
    faces = _faces(work, threads)
    if faces.empty:
        raise MediaError(f"{video}: no face was found; try a smaller faces.min_face or a lower faces.min_score")
    torch.set_num_threads(threads)
    head_file = layout.outputs("head", work)["head"]
    assert isinstance(head_file, Path)
    head = HeadData.load(head_file)
    network = FaceModel(spec, head)
    if published:
        for report in load_deca(network, weights):
            logger("reconstruct").info("%s", report)
        if settings.head.albedo is None:
            logger("reconstruct").warning(
                "head.albedo: null: DECA's texture codes belong to FLAME_albedo_from_BFM.npz; the meshes' textures "
                "show a plain albedo in its place"
            )
    else:
        network.load_weights(load_weights(weights, spec))
    network.to(torch_device(settings.device))
    output = Output(out, frozenset(faces["source_frame"].astype(int)))
    paths = crop_paths(faces, settings.sequences.crop_scale, settings.sequences.crop_down)
    overlay = out / "overlay.mp4"
    drawn = _overlaid(work, video, network, head, paths, int(faces["width"].iloc[0]), output)
    write_video(overlay, drawn, _rate(video), threads=threads)
    logger("reconstruct").info("%s: %d faces in %d tracks, %d meshes", video, len(faces), len(paths), output.meshes)
    return [overlay, output.save(), out / "meshes"]


def _faces(settings: Settings, threads: int) -> pd.DataFrame:
    (episode,) = list_episodes(settings)
    shard = episode.name
    for stage, name in (("head", ""), ("frames", shard), ("faces", shard)):
        module = importlib.import_module(f"tvface.stages.{stage}")
        read_, written = layout.inputs(stage, settings, name), layout.outputs(stage, settings, name)
        module.run(settings, read_, written, shard=name, threads=threads)
    path = layout.outputs("faces", settings, shard)["manifest"]
    assert isinstance(path, Path)
    return read(path, FACES).rows


def _rate(video: Path) -> float:
    with av.open(str(video)) as container:
        rate = container.streams.video[0].average_rate
    if rate is None:
        raise MediaError(f"{video}: the file does not say its frame rate; convert it with a constant one")
    return float(rate)


def _overlaid(
    settings: Settings,
    video: Path,
    model: FaceModel,
    head: HeadData,
    paths: dict[int, Path2D],
    sampled_width: int,
    output: Output,
) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame of the video with the shape drawn over its faces; fill ``output`` on the way."""
    backend = flow.create(settings.dataset.flow.backend, settings.dataset.flow)
    size = model.spec.image_size
    for block in progress(_blocks(VideoReader(video).frames()), f"blocks of {BLOCK} frames"):
        pictures = [frame.image.copy() for frame in block]
        for track, path in paths.items():
            chosen = [i for i, frame in enumerate(block) if path.covers(frame.source_frame)]
            if not chosen:
                continue
            scale = block[0].image.shape[1] / sampled_width
            maps = [path.transform(block[i].source_frame, size, scale) for i in chosen]
            crops = [warp_crop(block[i].image, matrix, size) for i, matrix in zip(chosen, maps, strict=True)]
            still = np.zeros(len(crops), bool)
            moving = flow.sequence_flow(backend, crops, settings.dataset.flow.size, still)
            result = reconstruct_images(model, crops, moving, longest=BLOCK)
            output.add([block[i] for i in chosen], track, maps, result)
            output.add_meshes([block[i] for i in chosen], track, result, model, head)
            for i, matrix, shape in zip(chosen, maps, _shapes(model, result, size), strict=True):
                pictures[i] = paste(pictures[i], shape, matrix)
        yield from pictures


def _blocks(frames: Iterator[VideoFrame]) -> Iterator[list[VideoFrame]]:
    while block := list(itertools.islice(frames, BLOCK)):
        yield block


@torch.no_grad()
def _shapes(model: FaceModel, result: Reconstruction, size: int) -> NDArray[np.float32]:
    """Return pictures (N,S,S,4) of the detail shape in crop pixels: grey RGB in [0,1] and coverage."""
    geometry, renderer = result.geometry, model.renderer
    black = torch.zeros(len(geometry.vertices), 3, size, size, device=geometry.vertices.device)
    shape = renderer.render_shape(geometry.vertices, geometry.projected, result.detail.normals, black)
    alpha = renderer.rasterize(geometry.projected, (size, size)).alpha
    return torch.cat([shape, alpha.to(shape)], 1).permute(0, 2, 3, 1).cpu().numpy().astype(np.float32)


def paste(picture: NDArray[np.uint8], shape: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Lay a crop (S,S,4), RGB in [0,1] on black and coverage, over a picture (H,W,3) uint8.

    ``matrix`` (2,3) maps picture to crop pixels.
    """
    height, width = picture.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = np.asarray(cv2.warpAffine(shape, matrix, (width, height), flags=flags))
    coverage = laid[..., 3:]
    return np.round(picture * (1 - coverage) + 255 * laid[..., :3]).clip(0, 255).astype(np.uint8)
