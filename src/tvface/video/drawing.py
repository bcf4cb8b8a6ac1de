"""The second pass over a video: overlay, meshes and parameters of the stored codes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray

from tvface.exports.parameters import write_tracks
from tvface.files.atomic import atomic
from tvface.media import meshes
from tvface.media.images import MediaError, encode_png
from tvface.media.video import write_video
from tvface.model.codes_store import CodesStore
from tvface.model.face_model import Codes, Geometry
from tvface.rendering.overlay import canvas, paste, shape_layer
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.video.job import BLOCK, Job
from tvface.video.steps import Steps


def draw(job: Job, store: CodesStore, steps: Steps, key: str) -> list[Path]:
    """Decode the stored codes and write overlay, meshes and parameters, unless they are up to date."""
    overlay = job.out / ("overlay.png" if job.photograph else "overlay.mp4")
    parameters, folder = job.out / "parameters", job.out / "meshes"
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
        job.decoder,
        job.head,
        fps=fps,
        source=job.video,
        shared_identity=job.settings.reconstruct.shared_identity or job.decoder.name == "fit",
    )
    sampled = frozenset(job.faces["source_frame"].astype(int))
    with job.parts.timed("drawing"):
        pictures = _drawn(job, store, sampled, folder)
        if job.photograph:
            with atomic(overlay) as temporary:
                temporary.write_bytes(encode_png(next(pictures)))
        else:
            write_video(overlay, pictures, fps, threads=job.threads, sound=job.video)
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


def _drawn(job: Job, store: CodesStore, sampled: frozenset[int], folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame of the video with the shape drawn over its faces; write the meshes on the way."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, block in enumerate(progress(job.blocks(), f"drawing blocks of {BLOCK} frames")):
        pictures = {frame.source_frame: frame.image for frame in block}
        for rows in store.tracks(number):
            held = [name for name in store.CODES if name in rows]
            codes = Codes(**{name: torch.from_numpy(rows[name]).to(job.decoder.device) for name in held})
            geometry, normals = job.decoder.heads(codes)
            for i, frame in enumerate(rows["frame"].tolist()):
                matrix, side = canvas(rows["transform"][i], job.size)
                layer = shape_layer(
                    job.decoder.renderer,
                    geometry.vertices[i],
                    geometry.projected[i],
                    None if normals is None else normals[i],
                    side,
                )
                pictures[frame] = paste(pictures[frame], layer, matrix)
                if frame in sampled:
                    _write_mesh(job, folder / f"track{rows['track'][0]:03d}_frame{frame:06d}", geometry, codes, i)
        yield from (pictures[frame.source_frame] for frame in block)


@torch.no_grad()
def _write_mesh(job: Job, stem: Path, geometry: Geometry, codes: Codes, position: int) -> None:
    surface = (np.asarray(job.head.faces), np.asarray(job.head.uv), np.asarray(job.head.uv_faces))
    vertices = geometry.vertices[position].cpu().numpy()
    albedo = job.decoder.albedo(codes.texture[position : position + 1])[0].clamp(0, 1).permute(1, 2, 0)
    texture = np.round(255 * albedo.cpu().numpy()).astype(np.uint8)
    for suffix, data in (
        (".obj", meshes.obj(vertices, *surface)),
        (".glb", meshes.glb(vertices, *surface, texture)),
    ):
        with atomic(stem.with_suffix(suffix)) as temporary:
            temporary.write_bytes(data)
