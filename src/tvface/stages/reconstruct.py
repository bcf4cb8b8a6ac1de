"""Stage ``reconstruct``: codes, points and meshes of one split, by a trained model and by the untrained one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from tvface.conventions.pixels import to_pixels
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.files.digests import digest
from tvface.head.data import HeadData
from tvface.manifests import read, write
from tvface.manifests.dataset import DATASET
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.media import meshes
from tvface.media.images import encode_png
from tvface.media.tarstore import TarWriter
from tvface.mining.split import PARTS
from tvface.model.clips import Clip, load_clips
from tvface.model.face_model import Codes, FaceModel
from tvface.model.inference import Reconstruction, decode, encode_clip, share_identity
from tvface.model.weights_files import load_weights, read_spec
from tvface.runtime.device import torch_device
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings, SettingsError
from tvface.settings.output import Reconstruct

_MESHES = ("obj_file", "obj_offset", "obj_length", "glb_file", "glb_offset", "glb_length")


@stage_run("reconstruct")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Reconstruct every frame of ``reconstruct.split``.

    The rows ``weights = initial`` come from the same model before training (same specification, same seed): the
    baseline that training has to beat.

    Args:
        inputs: ``dataset`` (manifest), ``head`` (npz), ``weights`` (of the last phase; they name their model).
        outputs: ``manifest`` and ``meshes`` (tar: per frame OBJ with the head's topology and a GLB with texture; per
            sequence the middle frame's dense detail mesh).
        shard: the model's name; must be the one of the weights.
        threads: threads of the CPU's arithmetic.

    Raises:
        SettingsError: no such split.
        WeightsError: the weights are missing, damaged or of another model.
    """
    torch.set_num_threads(threads)
    footage = _footage(inputs["dataset"], settings.reconstruct.split)
    spec = read_spec(inputs["weights"])
    if shard and shard != spec.model:
        raise SettingsError(f"reconstruct: {inputs['weights']} are weights of '{spec.model}', not of '{shard}'")
    head = HeadData.load(inputs["head"])
    model = FaceModel(spec, head).to(torch_device(settings.device))
    trained = load_weights(inputs["weights"], spec)
    # The baseline before training has the same flow: SPyNet is never random.
    untrained = model.weights() | {name: tensor for name, tensor in trained.items() if name.startswith("flow.")}
    clips = load_clips(footage, spec.image_size, settings.masks.classes, spec.original.half_pixel_landmarks)
    faces = {
        name: _Face(rows["episode"].iloc[0], rows["track"].iloc[0], rows["person"].iloc[0])
        for name, rows in footage.groupby("sequence")
    }
    rows: list[dict[str, Any]] = []
    with TarWriter(outputs["meshes"]) as tar:
        for state, weights in (("initial", untrained), ("trained", trained)):
            model.load_weights(weights)
            codes = _codes(model, clips, faces, settings.reconstruct, state)
            limit = _mesh_limit(settings, len(clips)) if state == "trained" else 0
            for number, clip in enumerate(progress(clips, f"decoding ({state})")):
                result = decode(model, codes[clip.name])
                stored: list[dict[str, Any]] = [dict.fromkeys(_MESHES) for _ in range(len(clip))]
                if number < limit:
                    unmasked = settings.reconstruct.unmasked_displacement
                    stored = _store_meshes(tar, clip.name, result, model, head, unmasked)
                rows += _rows(spec.model, state, clip, faces[clip.name], result, stored)
    recorded = provenance(
        "reconstruct",
        settings,
        inputs,
        backend=spec.model,
        weights={Path(inputs["weights"]).name: digest(inputs["weights"])},
        notes={"spec": spec.as_mapping(), "sequences": len(clips)},
    )
    write(outputs["manifest"], RECONSTRUCT, pd.DataFrame(rows) if rows else RECONSTRUCT.empty(), recorded)


def _footage(dataset: Path, split: str) -> pd.DataFrame:
    """Return the rows of one split, or of ``all``."""
    if split not in (*PARTS, "all"):
        raise SettingsError(f"reconstruct.split: '{split}' is not one of {', '.join((*PARTS, 'all'))}")
    rows = read(dataset, DATASET).rows
    footage = rows if split == "all" else rows[rows["split"] == split]
    if footage.empty:
        logger("reconstruct").warning("the %s split has no sequence: nothing to reconstruct", split)
    return footage


class _Face(NamedTuple):
    """The face that a sequence shows."""

    episode: str
    track: int
    person: str


def _codes(
    model: FaceModel, clips: Sequence[Clip], faces: Mapping[str, _Face], settings: Reconstruct, state: str
) -> dict[str, Codes]:
    """Return the codes of each sequence, with one shape per track if the settings say so."""
    codes = {clip.name: encode_clip(model, clip) for clip in progress(clips, f"encoding ({state})")}
    if settings.shared_identity:
        return share_identity(codes, {name: (face.episode, face.track) for name, face in faces.items()})
    return codes


def _rows(
    model: str,
    weights: str,
    clip: Clip,
    face: _Face,
    result: Reconstruction,
    stored: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    parts = {name: value.flatten(1).cpu().numpy() for name, value in result.codes.items()}
    points = to_pixels(result.geometry.landmarks2d, clip.side, clip.half_pixel).flatten(1).cpu().numpy()
    return [
        {
            "model": model,
            "weights": weights,
            "sequence": clip.name,
            "position": position,
            "episode": face.episode,
            "person": face.person,
            **{name: values[position] for name, values in parts.items()},
            "points68": points[position],
            **stored[position],
        }
        for position in range(len(clip))
    ]


def _mesh_limit(settings: Settings, clips: int) -> int:
    """Return how many sequences get meshes."""
    limit = settings.reconstruct.meshes
    return clips if limit is None else limit


def _store_meshes(
    tar: TarWriter, name: str, result: Reconstruction, model: FaceModel, head: HeadData, unmasked: bool
) -> list[dict[str, Any]]:
    """Append the meshes of a sequence to the tar; return the addresses of each frame's OBJ and GLB."""
    with torch.no_grad():
        albedo = model.albedo(result.codes.texture).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    textures = np.round(255 * albedo).astype(np.uint8)
    vertices = result.geometry.vertices.cpu().numpy()
    layout = (np.asarray(head.faces), np.asarray(head.uv), np.asarray(head.uv_faces))
    stored = []
    for position in range(len(vertices)):
        stem = f"{name}_{position:02d}"
        faces, uv, uv_faces = layout
        member = tar.add(f"{stem}.obj", meshes.obj(vertices[position], faces, uv, uv_faces, stem))
        tar.add(f"{stem}.mtl", meshes.mtl(stem, f"{stem}.png"))
        tar.add(f"{stem}.png", encode_png(textures[position]))
        packed = tar.add(f"{stem}.glb", meshes.glb(vertices[position], faces, uv, uv_faces, textures[position]))
        stored.append(dict(zip(_MESHES, (*member, *packed), strict=True)))
    if result.detail is None:
        return stored
    middle = len(vertices) // 2
    dense = model.renderer.dense_mesh(result.geometry.vertices[middle], result.detail.displacement[middle], unmasked)
    tar.add(f"{name}_{middle:02d}_detail.obj", meshes.plain_obj(dense.vertices, dense.faces))
    return stored
