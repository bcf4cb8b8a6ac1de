"""Reconstruction of one video or photograph: ``tvface reconstruct clip.mp4 --out DIR``.

The stages ``head``, ``frames`` and ``faces`` run in ``DIR/work`` as in the pipeline; the boxes of every track are then
interpolated to all frames of the video. The video is read twice, in blocks: the first pass finds the codes of its faces
(they go to ``DIR/work``), by the fit to the found points or by a trained network; the second draws the heads. Two
passes bound the memory, allow one shape per track, and let an interrupted run continue after its last block.

Written into ``DIR``: ``overlay.mp4`` (the shape over every face, with the video's sound; of a photograph
``overlay.png``), ``parameters/`` (one npz per track, see :mod:`tvface.exports.parameters`) and ``meshes/`` (OBJ, and
GLB with texture, of every sampled frame of every track).
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import torch

from tvface.assets import registry as assets
from tvface.dag import layout
from tvface.dag.code import code_digest
from tvface.dag.provenance import stage_code, stage_settings
from tvface.episodes import list_episodes
from tvface.files.digests import digest
from tvface.head.data import HeadData
from tvface.manifests import read
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.media.images import MediaError, read_image
from tvface.media.video import write_video
from tvface.mining.crop_paths import crop_paths
from tvface.model.codes_store import CodesStore
from tvface.model.decoders import Decoder, FitDecoder, NetworkDecoder
from tvface.model.published import SUFFIX, trained_model, trained_spec
from tvface.runtime.logging import logger
from tvface.settings import Settings, SettingsError, as_mapping
from tvface.settings.phases import PHASES
from tvface.video.drawing import draw
from tvface.video.fitted_codes import Found, find, fit_tracks
from tvface.video.job import BLOCK, Job, Parts
from tvface.video.network_codes import encode
from tvface.video.steps import Steps, key_of

PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
FIT = "fit"  # the model that needs no weights


def reconstruct_video(
    settings: Settings,
    video: Path,
    model: str,
    out: Path,
    weights_file: Path | None = None,
    threads: int = 1,
    refine: bool = False,
) -> list[Path]:
    """Reconstruct every tracked face of a video; return the paths written.

    Args:
        settings: of the run: ``faces``, ``frames``, ``head``, ``landmarks``, ``fit``, ``dataset.flow``, the crop of
            ``sequences`` and ``reconstruct.shared_identity`` are used.
        video: any file PyAV opens, or a photograph.
        model: ``fit``, or ``deca``, ``temporal`` or ``residual`` as in the weights.
        out: folder for the results. Results of an earlier run with the same video, weights, settings and code are
            reused.
        weights_file: ``weights.safetensors`` or DECA's ``deca_model.tar``; by default those of the run's last phase, or
            where there are none the bundled model.
        threads: of decoder, encoder and torch.
        refine: fit the codes of the network to the points.

    Raises:
        SettingsError: the weights are missing or of another model, the video does not exist, or the head of DECA's
            weights is not FLAME.
        MissingAsset: ``deca_model.tar`` is missing.
        CheckpointError: the ``.tar`` is not DECA's released model.
        MediaError: the video cannot be read, or no face is found in it.
    """
    if model == FIT and (weights_file is not None or refine):
        raise SettingsError("reconstruct: --weights and --refine belong to a network's model, e.g. --model deca")
    photograph = video.suffix.lower() in PHOTOGRAPHS
    if photograph:
        video = _one_frame(video, out / "work" / f"{video.stem}.mkv")
    files = [] if model == FIT else [trained_weights_file(settings, model, weights_file)]
    work = dataclasses.replace(
        settings,
        results=str(out / "work"),
        synth=dataclasses.replace(settings.synth, enabled=False),
        videos=str(video),
        tvqa=None,
        sheet=None,
    )
    steps, parts = Steps(out / "work"), Parts()
    stage_files = _run_stages(work, steps, threads, parts)
    faces = read(stage_files["faces"], FACES).rows
    if faces.empty:
        raise MediaError(f"{video}: no face was found; try a smaller faces.min_face or a lower faces.min_score")
    torch.set_num_threads(threads)
    head = HeadData.load(stage_files["head"])
    network = trained_model(settings, files[0], head) if files else None
    frames = read(stage_files["frames"], FRAMES).rows
    crop = (settings.sequences.crop_scale, settings.sequences.crop_down)
    paths = crop_paths(faces, *crop, int(frames["source_frame"].max()))

    def job(decoder: Decoder) -> Job:
        return Job(work, video, decoder, head, faces, paths, out, threads, parts, photograph)

    def key(stage_settings: object, code: str, backends: dict[str, str]) -> str:
        files_read = [video, stage_files["faces"], *files, stage_files["head"]]
        return key_of(
            {
                "files": [digest(path) for path in files_read],
                "settings": [*crop, stage_settings, BLOCK],
                "code": code_digest(code, backends),
            }
        )

    store = CodesStore(out / "work" / "codes")
    drawn_by, drawn_key = None, ""
    if network is not None:
        drawn_by = job(NetworkDecoder(network))
        flow = settings.dataset.flow
        encoded = key(as_mapping(flow), "tvface.video.network_codes", {"flow": flow.backend})
        with parts.timed("codes"):
            encode(drawn_by, network, store, steps, encoded)
        if settings.reconstruct.shared_identity:
            store.share_identity()
        drawn_key = f"{encoded} {settings.reconstruct.shared_identity}"
    if network is None or refine:
        drawn_by = job(fit_decoder(settings, head))
        found = Found(out / "work")
        labels = (settings.landmarks, settings.masks)
        read_settings = [*map(as_mapping, labels), settings.sequences.image_size, settings.fit.guess > 0]
        searched = key(
            read_settings,
            "tvface.video.fitted_codes",
            {"landmarkers": settings.landmarks.backend, "parsers": settings.masks.backend},
        )
        find(drawn_by, found, steps, searched)
        fitted = CodesStore(out / "work" / "fitted")
        drawn_key = key_of({"points": searched, "fit": as_mapping(settings.fit), "start": drawn_key})
        fit_tracks(drawn_by, found, fitted, steps, drawn_key, store if refine else None)
        store = fitted
    assert drawn_by is not None
    written = draw(drawn_by, store, steps, key_of({"codes": drawn_key}))
    length = float(frames["time_s"].max()) + 1 / settings.frames.fps
    logger("reconstruct").info("seconds per second of video: %s", parts.text(length))
    return written


def _one_frame(photograph: Path, path: Path) -> Path:
    """Write a photograph as a video of one frame, unless it is there already; return its path.

    Raises:
        MediaError: the picture is damaged.
    """
    if not photograph.is_file():
        raise SettingsError(f"{photograph}: no such file")
    picture = read_image(photograph)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, [picture], 1.0, crf=0)
    return path


def fit_decoder(settings: Settings, head: HeadData) -> FitDecoder:
    """Return what makes heads of fitted codes, with the sizes of the settings."""
    sizes = settings.head
    return FitDecoder(
        head, sizes.n_shape, sizes.n_expression, sizes.n_texture, settings.sequences.image_size, sizes.uv_size
    )


def trained_weights_file(settings: Settings, model: str, weights_file: Path | None) -> Path:
    """Return the weights file to use: ``weights_file``, or by default that of the run's last phase, or the bundled one.

    Raises:
        SettingsError: the file is missing or of another model.
        MissingAsset: the file is DECA's ``deca_model.tar`` and is missing.
    """
    if weights_file is None:
        path = layout.outputs("train", settings, f"{model}/{PHASES[-1]}")["weights"]
        assert isinstance(path, Path)
        weights_file = path if path.is_file() else _bundled(model, path)
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


def _bundled(model: str, trained: Path) -> Path:
    """Return the file of the bundled model of this kind, or ``trained``, which is missing, if none ships."""
    name = f"model_{model}"
    if name not in assets.registry():
        return trained
    row, path = assets.located(name)[0]
    if not path.is_file():
        raise assets.MissingAsset(f"--model {model}: {assets.describe_missing(row, path)}")
    logger("reconstruct").info("%s is not there; the bundled model %s is used", trained, path)
    return path


def _run_stages(settings: Settings, steps: Steps, threads: int, parts: Parts) -> dict[str, Path]:
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
            with parts.timed(stage):
                module.run(settings, inputs, outputs, shard=shard, threads=threads)
            steps.mark(stage, key)
        result[stage] = stage_files[0]
    return result
