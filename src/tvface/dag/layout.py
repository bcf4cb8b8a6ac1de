"""Which files a stage reads and writes for a shard: the rules' inputs and outputs, for commands without Snakemake.

The names are those of the rules in ``rules/``; ``tests/workflow`` compares both for every job of the demo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tvface.dag.needs import require
from tvface.dag.stages import PHASES, STAGES
from tvface.episodes import Episode, find_episode, list_episodes, synthetic_episodes
from tvface.media.parts import find_parts
from tvface.settings import Settings, SettingsError

Files = dict[str, "Path | list[Path]"]

# What one shard of a stage is; stages that are not here have none.
SHARD = {stage.name: stage.shard for stage in STAGES.values() if stage.shard}

# Suffix of each output of a stage whose files are <stage>/<shard><suffix>.
OUTPUTS: Mapping[str, Mapping[str, str]] = {
    "synth": {"video": ".mp4", "frames": ".frames.parquet", "faces": ".faces.parquet", "labels": ".labels.tar"},
    "frames": {"manifest": ".parquet", "store": ".tar"},
    "faces": {"manifest": ".parquet"},
    "identities": {"manifest": ".parquet"},
    "sequences": {"manifest": ".parquet", "candidates": ".candidates.parquet", "crops": ".tar"},
    "landmarks": {"manifest": ".parquet"},
    "masks": {"manifest": ".parquet", "labels": ".tar"},
    "dataset": {"manifest": ".parquet", "flow": ".tar"},
    "train": {"manifest": "/curve.parquet", "weights": "/weights.safetensors"},
    "reconstruct": {"manifest": ".parquet", "meshes": ".tar"},
}

# Outputs of the stages, or parts of stages, that work on the whole run.
WHOLE: Mapping[str, Mapping[str, str]] = {
    "head": {"head": "head/head.npz"},
    "archive": {"manifest": "archive.parquet"},
    "dataset": {"manifest": "dataset.parquet", "statistics": "dataset.json"},
    "evaluate": {"manifest": "evaluate/metrics.parquet", "table": "evaluate/metrics.tsv"},
    "render": {"manifest": "render/manifest.parquet", "pictures": "render/pictures"},
    "report": {"page": "report.html"},
}


def outputs(stage: str, settings: Settings, shard: str = "") -> Files:
    """Return the outputs of a stage for a shard (empty: the whole run) by name."""
    results = Path(settings.results)
    if shard:
        return {name: Path(f"{results}/{stage}/{shard}{suffix}") for name, suffix in OUTPUTS[stage].items()}
    if stage not in WHOLE:
        raise SettingsError(f"{stage} works on one {SHARD[stage]} at a time: name it")
    return {name: results / path for name, path in WHOLE[stage].items()}


def inputs(stage: str, settings: Settings, shard: str = "") -> Files:
    """Return the inputs of a stage for a shard (empty: the whole run) by name.

    Raises:
        EpisodeError: no such episode.
        MissingAsset: the stage needs weights or licensed files that are not there.
    """
    if shard and SHARD[stage] == "episode":
        find_episode(settings, shard)
    return {**_READERS[stage](settings, shard), "assets": require(settings, stage, shard)}


def _one(stage: str, name: str, settings: Settings, shard: str = "") -> Path:
    path = outputs(stage, settings, shard)[name]
    assert isinstance(path, Path)
    return path


def _all(stage: str, name: str, settings: Settings, shards: Iterable[str]) -> list[Path]:
    return [_one(stage, name, settings, shard) for shard in shards]


def _names(settings: Settings) -> list[str]:
    return [episode.name for episode in list_episodes(settings)]


def _shows(settings: Settings) -> list[str]:
    return sorted({episode.show for episode in list_episodes(settings)})


def _synthetic(settings: Settings) -> list[str]:
    return [episode.name for episode in synthetic_episodes(settings)] if settings.synth.enabled else []


def _stores(settings: Settings) -> list[Path]:
    names = _names(settings)
    stores = (("sequences", "crops"), ("masks", "labels"), ("dataset", "flow"))
    return [path for stage, name in stores for path in _all(stage, name, settings, names)]


def _curves(settings: Settings) -> list[Path]:
    return _all(
        "train", "manifest", settings, [f"{model}/{phase}" for model in settings.train.models for phase in PHASES]
    )


def _nothing(settings: Settings, shard: str) -> Files:
    return {}


def _archive(settings: Settings, shard: str) -> Files:
    return {"parts": archive_parts(settings)}


def archive_parts(settings: Settings) -> list[Path]:
    """Return the files of TVQA's split archive, in order; none if the run has no archive.

    Raises:
        ArchiveError: there is none in the folder, or a part is missing.
    """
    return [part.path for part in find_parts(settings.archive)] if settings.archive is not None else []


def _archived(settings: Settings) -> list[Path]:
    taken = any(episode.kind == "archive" for episode in list_episodes(settings))
    return [_one("archive", "manifest", settings)] if taken else []


def _frames(settings: Settings, shard: str) -> Files:
    return {"source": list(find_episode(settings, shard).sources)}


def _faces(settings: Settings, shard: str) -> Files:
    return {"frames": _one("frames", "manifest", settings, shard), "store": _one("frames", "store", settings, shard)}


def face_manifests(settings: Settings, show: str) -> list[Path]:
    """Return the manifests of ``faces`` of a show's episodes.

    Raises:
        SettingsError: no such show.
    """
    members: list[Episode] = [episode for episode in list_episodes(settings) if episode.show == show]
    if not members:
        raise SettingsError(f"no show '{show}' in this run; there are: {', '.join(_shows(settings))}")
    return _all("faces", "manifest", settings, [episode.name for episode in members])


def require_made(paths: Iterable[Path], target: str) -> None:
    """Check that files of the run are there.

    Raises:
        SettingsError: one is not; the message names the target that makes them.
    """
    for path in paths:
        if not path.is_file():
            raise SettingsError(f"{path} is not there yet; run snakemake --cores all {target}")


def _identities(settings: Settings, shard: str) -> Files:
    return {
        "faces": face_manifests(settings, shard),
        "decisions": decisions(settings, shard),
        "cast": cast_pictures(settings, shard),
    }


def cast_pictures(settings: Settings, show: str) -> list[Path]:
    """Return the pictures of a show's cast gallery, ``<identities.cast>/<show>/<name>/*``, in order."""
    if settings.identities.cast is None:
        return []
    return sorted(path for path in (Path(settings.identities.cast) / show).glob("*/*") if path.is_file())


def decisions(settings: Settings, show: str) -> list[Path]:
    """Return the file of what a human decided about the people of a show, if there is one.

    Raises:
        SettingsError: ``identities.decisions`` is no folder.
    """
    if settings.identities.decisions is None:
        return []
    folder = Path(settings.identities.decisions)
    if not folder.is_dir():
        raise SettingsError(f"identities.decisions: {folder} is not a folder; make it, with a file <show>.tsv per show")
    return [path for path in [folder / f"{show}.tsv"] if path.is_file()]


def _sequences(settings: Settings, shard: str) -> Files:
    return {
        **_faces(settings, shard),
        "faces": _one("faces", "manifest", settings, shard),
        "identities": _one("identities", "manifest", settings, find_episode(settings, shard).show),
    }


def _crops(settings: Settings, shard: str) -> Files:
    return {
        "sequences": _one("sequences", "manifest", settings, shard),
        "crops": _one("sequences", "crops", settings, shard),
    }


def _labels(settings: Settings, shard: str) -> Files:
    return {**_crops(settings, shard), **_faces(settings, shard)}


def _dataset(settings: Settings, shard: str) -> Files:
    if not shard:
        return {"manifests": _all("dataset", "manifest", settings, _names(settings))}
    return {
        **_crops(settings, shard),
        "landmarks": _one("landmarks", "manifest", settings, shard),
        "masks": _one("masks", "manifest", settings, shard),
        "labels": _one("masks", "labels", settings, shard),
    }


def _training(settings: Settings) -> Files:
    return {
        "dataset": _one("dataset", "manifest", settings),
        "stores": _stores(settings),
        "head": _one("head", "head", settings),
    }


def _train(settings: Settings, shard: str) -> Files:
    model, phase = shard.split("/")
    earlier = PHASES[: PHASES.index(phase)][-1:]
    initial = _all("train", "weights", settings, [f"{model}/{name}" for name in earlier])
    return {**_training(settings), "initial": initial}


def _reconstruct(settings: Settings, shard: str) -> Files:
    return {**_training(settings), "weights": _one("train", "weights", settings, f"{shard}/{PHASES[-1]}")}


def _evaluate(settings: Settings, shard: str) -> Files:
    synthetic = _synthetic(settings)
    return {
        **_shared(settings),
        "truth_frames": _all("synth", "frames", settings, synthetic),
        "truth_faces": _all("synth", "faces", settings, synthetic),
        "truth_labels": _all("synth", "labels", settings, synthetic),
    }


def _shared(settings: Settings) -> Files:
    names = _names(settings)
    stages = ("frames", "faces", "sequences", "landmarks", "masks")
    return {
        **{stage: _all(stage, "manifest", settings, names) for stage in stages},
        **_training(settings),
        "identities": _all("identities", "manifest", settings, _shows(settings)),
        "curves": _curves(settings),
        "reconstruct": _all("reconstruct", "manifest", settings, settings.train.models),
    }


def _render(settings: Settings, shard: str) -> Files:
    names, models = _names(settings), settings.train.models
    return {
        **_shared(settings),
        "frame_stores": _all("frames", "store", settings, names),
        "candidates": _all("sequences", "candidates", settings, names),
        "weights": _all("train", "weights", settings, [f"{model}/{PHASES[-1]}" for model in models]),
        "meshes": _all("reconstruct", "meshes", settings, models),
    }


def _report(settings: Settings, shard: str) -> Files:
    evaluated = _evaluate(settings, "")
    read = (*_MANIFESTS, "curves", "reconstruct", "truth_frames", "truth_faces")
    manifests = [path for name in read for path in evaluated[name]]  # type: ignore[union-attr]
    return {
        "manifests": [
            *_archived(settings),
            *manifests,
            *_all("dataset", "manifest", settings, _names(settings)),
            _one("dataset", "manifest", settings),
        ],
        "metrics": _one("evaluate", "manifest", settings),
        "figures": _one("render", "manifest", settings),
        "pictures": _one("render", "pictures", settings),
        "statistics": _one("dataset", "statistics", settings),
    }


_MANIFESTS = ("frames", "faces", "identities", "sequences", "landmarks", "masks")

_READERS = {
    "synth": _nothing,
    "head": _nothing,
    "archive": _archive,
    "frames": _frames,
    "faces": _faces,
    "identities": _identities,
    "sequences": _sequences,
    "landmarks": _labels,
    "masks": _labels,
    "dataset": _dataset,
    "train": _train,
    "reconstruct": _reconstruct,
    "evaluate": _evaluate,
    "render": _render,
    "report": _report,
}
