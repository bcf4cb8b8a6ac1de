"""Reconstruction of one video with a trained model: ``tvface reconstruct clip.mp4 --model temporal --out DIR``.

The stages ``head``, ``frames`` and ``faces`` run in ``DIR/work`` as in the pipeline; the boxes of every track are then
interpolated to all frames of the video. The video is read twice, in blocks: the first pass encodes its crops (the codes
go to ``DIR/work/codes``), the second decodes and draws the heads. Two passes bound the memory, allow one shape per
track, and let an interrupted run continue after its last block.

Written into ``DIR``: ``overlay.mp4`` (the detail shape over every face, with the video's sound), ``parameters/`` (one
npz per track, see :mod:`tvface.exports.parameters`) and ``meshes/`` (OBJ, and GLB with texture, of every sampled
frame of every track).
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tvface import flow
from tvface.assets import registry as assets
from tvface.dag import layout
from tvface.dag.code import code_digest
from tvface.dag.provenance import stage_code, stage_settings
from tvface.episodes import list_episodes
from tvface.exports.parameters import write_tracks
from tvface.files.atomic import atomic
from tvface.files.digests import digest
from tvface.flow.base import FlowBackend, sequence_flow
from tvface.head.data import HeadData
from tvface.manifests import read
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.media import meshes
from tvface.media.images import MediaError, warp_crop
from tvface.media.video import VideoFrame, VideoReader, write_video
from tvface.mining.crop_paths import CropPath, crop_paths
from tvface.model.codes_store import CodesStore
from tvface.model.face_model import Codes, FaceModel
from tvface.model.inference import Reconstruction, decode, encode_images
from tvface.model.published import SUFFIX, trained_model, trained_spec
from tvface.rendering.overlay import canvas, paste, shape_layer
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings, SettingsError, as_mapping
from tvface.settings.phases import PHASES
from tvface.video.steps import Steps, key_of

# Frames that go through the model at once.
BLOCK = 32


@dataclass(frozen=True)
class _Job:
    """The state that both passes over the video share."""

    settings: Settings
    video: Path
    model: FaceModel
    head: HeadData
    faces: pd.DataFrame
    paths: dict[int, CropPath]
    out: Path
    threads: int

    @property
    def size(self) -> int:
        return self.model.spec.image_size

    def blocks(self) -> Iterator[list[VideoFrame]]:
        frames = VideoReader(self.video, self.threads).frames()
        while block := list(itertools.islice(frames, BLOCK)):
            yield block


def reconstruct_video(
    settings: Settings, video: Path, model: str, out: Path, weights_file: Path | None = None, threads: int = 1
) -> list[Path]:
    """Reconstruct every tracked face of a video; return the paths written.

    Args:
        settings: of the run: ``faces``, ``frames``, ``head``, ``dataset.flow``, the crop of ``sequences`` and
            ``reconstruct.shared_identity`` are used.
        video: any file PyAV opens.
        model: ``deca`` or ``temporal``, as in the weights.
        out: folder for the results. Results of an earlier run with the same video, weights, settings and code are
            reused.
        weights_file: ``weights.safetensors``, by default those of the run's last phase, or DECA's ``deca_model.tar``.
        threads: of decoder, encoder and torch.

    Raises:
        SettingsError: the weights are missing or of another model, the video does not exist, or the head of DECA's
            weights is not FLAME.
        MissingAsset: ``deca_model.tar`` is missing.
        CheckpointError: the ``.tar`` is not DECA's released model.
        MediaError: the video cannot be read, or no face is found in it.
    """
    weights_file = trained_weights_file(settings, model, weights_file)
    work = dataclasses.replace(
        settings,
        results=str(out / "work"),
        synth=dataclasses.replace(settings.synth, enabled=False),
        videos=str(video),
        tvqa=None,
        sheet=None,
    )
    steps = Steps(out / "work")
    stage_files = _run_stages(work, steps, threads)
    faces = read(stage_files["faces"], FACES).rows
    if faces.empty:
        raise MediaError(f"{video}: no face was found; try a smaller faces.min_face or a lower faces.min_score")
    torch.set_num_threads(threads)
    head = HeadData.load(stage_files["head"])
    network = trained_model(settings, weights_file, head)
    crop = (settings.sequences.crop_scale, settings.sequences.crop_down)
    sampled = int(read(stage_files["frames"], FRAMES).rows["source_frame"].max())
    job = _Job(work, video, network, head, faces, crop_paths(faces, *crop, sampled), out, threads)
    key_parts = {
        "files": [digest(path) for path in (video, stage_files["faces"], weights_file, stage_files["head"])],
        "settings": [*crop, as_mapping(settings.dataset.flow), BLOCK],
        "code": code_digest("tvface.video.reconstruct", {"flow": settings.dataset.flow.backend}),
    }
    store = CodesStore(out / "work" / "codes")
    _encode(job, store, steps, key_of(key_parts))
    if settings.reconstruct.shared_identity:
        store.share_identity()
    return _draw(job, store, steps, key_of({**key_parts, "shared": settings.reconstruct.shared_identity}))


def trained_weights_file(settings: Settings, model: str, weights_file: Path | None) -> Path:
    """Return the weights file to use: ``weights_file``, or by default that of the run's last phase.

    Raises:
        SettingsError: the file is missing or of another model.
        MissingAsset: the file is DECA's ``deca_model.tar`` and is missing.
    """
    if weights_file is None:
        path = layout.outputs("train", settings, f"{model}/{PHASES[-1]}")["weights"]
        assert isinstance(path, Path)
        weights_file = path
    published = weights_file.suffix == SUFFIX
    if published and not weights_file.is_file():
        raise assets.MissingAsset(f"--weights: {assets.describe_missing(assets.asset('deca_model'), weights_file)}")
    if not weights_file.is_file():
        raise SettingsError(
            f"{weights_file}: no trained weights; train first (snakemake --cores all train) or name --weights"
        )
    spec = trained_spec(settings.head, weights_file)
    if spec.model != model:
        raise SettingsError(f"{weights_file} are weights of '{spec.model}', not of '{model}'")
    return weights_file


def _run_stages(settings: Settings, steps: Steps, threads: int) -> dict[str, Path]:
    """Run the stages without up-to-date results; return the first output of each, its manifest or head."""
    (episode,) = list_episodes(settings)
    result = {}
    for stage, shard in (("head", ""), ("frames", episode.name), ("faces", episode.name)):
        inputs, outputs = layout.inputs(stage, settings, shard), layout.outputs(stage, settings, shard)
        files = [path for value in inputs.values() for path in (value if isinstance(value, list) else [value])]
        key_parts = {
            "settings": stage_settings(stage, settings, shard),
            "code": stage_code(stage, settings),
            "files": [digest(path) for path in files],
        }
        stage_files = [path for path in outputs.values() if isinstance(path, Path)]
        key = key_of(key_parts)
        if steps.holds(stage, key) and all(path.exists() for path in stage_files):
            logger("reconstruct").info("%s: taken from the run before", stage)
        else:
            module = importlib.import_module(f"tvface.stages.{stage}")
            module.run(settings, inputs, outputs, shard=shard, threads=threads)
            steps.mark(stage, key)
        result[stage] = stage_files[0]
    return result


def _encode(job: _Job, store: CodesStore, steps: Steps, key: str) -> None:
    """Encode every block that the store does not hold yet."""
    if not steps.holds("codes", key):
        store.clear()
        steps.mark("codes", key)
    elif store.complete:
        logger("reconstruct").info("codes: taken from the run before")
        return
    elif len(store):
        logger("reconstruct").info("codes: %d blocks are there, going on behind them", len(store))
    backend = flow.create(job.settings.dataset.flow.backend, job.settings.dataset.flow)
    count = 0
    for count, block in enumerate(progress(job.blocks(), f"encoding blocks of {BLOCK} frames"), 1):
        if not store.has(count - 1):
            store.add(count - 1, _encode_block(job, block, backend))
    store.finish(count)


def _encode_block(job: _Job, block: list[VideoFrame], backend: FlowBackend) -> dict[str, NDArray[Any]]:
    """Return the rows of all tracks in a block: ``track``, ``frame``, ``time_s``, ``transform`` and the codes."""
    scale = block[0].image.shape[1] / int(job.faces["width"].iloc[0])
    parts = []
    for track, path in job.paths.items():
        frames = [frame for frame in block if path.covers(frame.source_frame)]
        if not frames:
            continue
        maps = [path.transform(frame.source_frame, job.size, scale) for frame in frames]
        crops = [warp_crop(frame.image, matrix, job.size) for frame, matrix in zip(frames, maps, strict=True)]
        flows = sequence_flow(backend, crops, job.settings.dataset.flow.size, np.zeros(len(crops), bool))
        codes = encode_images(job.model, crops, flows, longest=BLOCK)
        parts.append(
            {
                "track": np.full(len(frames), track, np.int64),
                "frame": np.array([frame.source_frame for frame in frames], np.int64),
                "time_s": np.array([frame.time_s for frame in frames], np.float64),
                "transform": np.stack(maps),
                **{name: value.cpu().numpy() for name, value in codes.items()},
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _draw(job: _Job, store: CodesStore, steps: Steps, key: str) -> list[Path]:
    """Decode the stored codes and write overlay, meshes and parameters, unless they are up to date."""
    overlay, parameters, folder = job.out / "overlay.mp4", job.out / "parameters", job.out / "meshes"
    written = [overlay, parameters, folder]
    if steps.holds("drawing", key) and all(path.exists() for path in written):
        logger("reconstruct").info("overlay, parameters and meshes: taken from the run before")
        return written
    # Tracks of another run must not stay; nothing else is deleted, since the folder is the user's.
    for path in [*parameters.glob("track*.npz"), *folder.glob("track*_frame*.obj"), *folder.glob("track*_frame*.glb")]:
        path.unlink()
    for path in parameters.glob(".track*.npz.*"):  # left by a killed run
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    fps = _rate(job.video)
    write_tracks(
        parameters,
        store,
        job.model,
        job.head,
        fps=fps,
        source=job.video,
        shared_identity=job.settings.reconstruct.shared_identity,
    )
    sampled = frozenset(job.faces["source_frame"].astype(int))
    write_video(overlay, _drawn(job, store, sampled, folder), fps, threads=job.threads, sound=job.video)
    steps.mark("drawing", key)
    logger("reconstruct").info(
        "%s: %d faces in %d tracks: %s",
        job.video,
        len(job.faces),
        len(job.paths),
        ", ".join(f"track {track} frames {p.frames[0]}-{p.frames[-1]}" for track, p in job.paths.items()),
    )
    return written


def _rate(video: Path) -> float:
    with av.open(str(video)) as container:
        rate = container.streams.video[0].average_rate
    if rate is None:
        raise MediaError(f"{video}: the file does not say its frame rate; convert it with a constant one")
    return float(rate)


def _drawn(job: _Job, store: CodesStore, sampled: frozenset[int], folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame of the video with the shape drawn over its faces; write the meshes on the way."""
    folder.mkdir(parents=True, exist_ok=True)
    device = next(job.model.parameters()).device
    for number, block in enumerate(progress(job.blocks(), f"drawing blocks of {BLOCK} frames")):
        pictures = {frame.source_frame: frame.image for frame in block}
        for rows in store.tracks(number):
            codes = Codes(**{name: torch.from_numpy(rows[name]).to(device) for name in store.CODES})
            result = decode(job.model, codes)
            for i, frame in enumerate(rows["frame"].tolist()):
                matrix, side = canvas(rows["transform"][i], job.size)
                geometry = result.geometry
                layer = shape_layer(
                    job.model.renderer,
                    geometry.vertices[i],
                    geometry.projected[i],
                    result.detail.normals[i],
                    side,
                )
                pictures[frame] = paste(pictures[frame], layer, matrix)
                if frame in sampled:
                    _write_mesh(job, folder / f"track{rows['track'][0]:03d}_frame{frame:06d}", result, i)
        yield from (pictures[frame.source_frame] for frame in block)


@torch.no_grad()
def _write_mesh(job: _Job, stem: Path, result: Reconstruction, position: int) -> None:
    surface = (np.asarray(job.head.faces), np.asarray(job.head.uv), np.asarray(job.head.uv_faces))
    vertices = result.geometry.vertices[position].cpu().numpy()
    albedo = job.model.albedo(result.codes.texture[position : position + 1])[0].clamp(0, 1).permute(1, 2, 0)
    texture = np.round(255 * albedo.cpu().numpy()).astype(np.uint8)
    for suffix, data in (
        (".obj", meshes.obj(vertices, *surface)),
        (".glb", meshes.glb(vertices, *surface, texture)),
    ):
        with atomic(stem.with_suffix(suffix)) as temporary:
            temporary.write_bytes(data)
