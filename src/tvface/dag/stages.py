"""The table of stages: the settings and the source that decide the results of each.

The rules' parameters, the digest of the code, the provenance in the manifests and the settings that a running stage can
read (:func:`only`) all come from :data:`STAGES`. Snakemake reads this module while it builds the DAG, so it imports
nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tvface.assets.backends import REGISTRIES
from tvface.dag.code import code_digest
from tvface.settings import Settings, SettingsError, as_mapping
from tvface.settings.phases import MODELS, PHASES
from tvface.settings.view import matching, view

# Settings that change how fast or where a job runs, or which jobs there are, but not the results of a job. A stage that
# lists one under `free` may read it; a change of it reruns nothing.
FREE: Mapping[str, str] = {
    "device": "where the networks run; the results agree up to rounding",
    "results": "where files go; each job gets its own paths",
    "videos": "which episodes there are; a job's inputs say what its own is made of",
    "tvqa": "as videos",
    "archive": "as videos",
    "shows": "as videos",
    "sheet": "as videos; the clips of an episode are a parameter of its rules",
    "synth.enabled": "as videos",
    "synth.episodes": "as videos; an episode of the embedded show does not depend on how many there are",
    "faces.batch": "pictures per call of the network; the results agree up to rounding",
    "landmarks.batch": "as faces.batch",
    "masks.batch": "as faces.batch",
    "train.models": "which trainings there are; each runs by itself",
    "train.threads": "processor threads; the results agree up to rounding",
    "train.checkpoint_every": "how often a training saves itself, not what it learns",
    "train.keep_checkpoints": "as train.checkpoint_every",
    "train.pictures_every": "what is drawn of a training, not what it learns",
    "train.pictures": "as train.pictures_every",
}
_EPISODES = ("results", "videos", "tvqa", "archive", "shows", "sheet", "synth.enabled", "synth.episodes")


@dataclass(frozen=True)
class Stage:
    """One stage: its name, the settings that decide its results, and its registries of backends.

    ``reads`` are dotted names in :class:`Settings`: of single settings, of blocks, or ``block.*`` for the settings
    directly in a block; ``{model}`` and ``{phase}`` stand for those of the shard. ``where`` maps patterns of shards to
    more such names. ``free`` are settings of :data:`FREE` that the stage reads too; they do not decide results, even
    inside a block of ``reads``. A change of another setting does not rerun the stage, which cannot read it.

    ``shard`` is the kind of shard that one job works on (empty: the whole run). ``backends`` are the registries whose
    backend the stage uses; ``loads`` returns whether a job loads their weights, from the settings and the shard (None:
    whether any job does). ``data`` are packages whose files (templates) the stage reads without importing them.
    """

    name: str
    about: str
    reads: tuple[str, ...]
    shard: str = ""
    free: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    backends: tuple[str, ...] = ()
    loads: Callable[[Settings, str | None], bool] = lambda settings, shard: True
    data: tuple[str, ...] = ()


STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "synth",
            "render the embedded show",
            ("synth", "seed"),
            shard="episode",
            free=("synth.enabled", "synth.episodes"),
        ),
        Stage("head", "build or convert the head model", ("head",)),
        Stage(
            "archive",
            "take the episodes of the sample sheet out of TVQA's split archive",
            ("archive",),
            free=tuple(name for name in _EPISODES if name != "archive"),
        ),
        Stage("frames", "sample footage into frame stores", ("frames",), shard="episode", free=_EPISODES),
        Stage(
            "faces",
            "detect, embed and track faces",
            ("faces",),
            shard="episode",
            free=("device", "faces.batch"),
            backends=("detectors", "embedders"),
        ),
        Stage(
            "identities",
            "cluster tracks into people",
            # Pictures of a cast go through detector and embedder as the footage did.
            ("identities.threshold", "identities.min_faces", "identities.cast", "faces"),
            shard="show",
            free=("faces.batch",),
            backends=("detectors", "embedders"),
            loads=lambda settings, shard: settings.identities.cast is not None,
        ),
        Stage(
            "sequences",
            "mine sequences of one moving, clear face",
            ("sequences", "faces.embedder", "faces.tracks.distance"),
            shard="episode",
            backends=("embedders",),
            loads=lambda settings, shard: False,  # the embedder's calibrated distances do
        ),
        Stage(
            "landmarks",
            "find 68 points per crop",
            ("landmarks",),
            shard="episode",
            free=("device", "landmarks.batch"),
            backends=("landmarkers",),
        ),
        Stage(
            "masks",
            "parse crops into classes",
            ("masks",),
            shard="episode",
            free=("device", "masks.batch"),
            backends=("parsers",),
        ),
        Stage(
            "fit",
            "fit the head to the points",
            (
                *("fit", "sequences.image_size"),
                *("head.n_shape", "head.n_texture", "head.n_expression"),
            ),
            shard="episode",
        ),
        Stage(
            "dataset",
            "join, flow, split",
            (),
            shard="episode",
            free=("device",),
            where={
                "": ("dataset.split", "dataset.recap_distance", "dataset.flow.backend", "dataset.flow.size"),
                "?*": (
                    "dataset.flow",
                    "dataset.min_confidence",
                    "dataset.max_instability",
                    "dataset.min_face",
                    "dataset.fitted",
                ),
            },
            backends=("flow",),
            loads=lambda settings, shard: shard != "",
        ),
        Stage(
            "train",
            "train one model through one phase",
            (
                *("train.*", "train.original", "train.{model}", "train.{phase}", "masks.classes", "seed"),
                *("head.n_shape", "head.n_texture", "head.n_expression"),
            ),
            shard="model/phase",
            free=(
                *("device", "train.models", "train.threads", "train.checkpoint_every", "train.keep_checkpoints"),
                *("train.pictures_every", "train.pictures"),
            ),
            # Later phases start from the weights of the phase before.
            where={
                "*/pretrain": tuple(f"train.warm_start.{name}" for name in ("features", "deca", "resnet50")),
                "temporal/pretrain": ("train.warm_start.basicvsr", "dataset.flow.weights_file"),
                "residual/pretrain": ("dataset.flow.weights_file",),
            },
        ),
        Stage("reconstruct", "codes and meshes", ("reconstruct", "masks.classes"), shard="model", free=("device",)),
        Stage(
            "evaluate",
            "numbers",
            (
                *("evaluate", "faces.detector", "faces.embedder", "sequences.image_size", "landmarks.backend"),
                *("masks.backend", "masks.classes"),
            ),
        ),
        # The histograms show the thresholds of `sequences` and `dataset`.
        Stage("render", "figures", ("render", "report.pictures", "sequences", "dataset")),
        Stage(
            "report",
            "one HTML page",
            (
                *("report.title", "head.model", "faces.embedder", "landmarks.backend", "masks.backend"),
                *("dataset.flow.backend", "train.coarse.loss_weights", "train.detail.loss_weights"),
            ),
            data=("tvface.reporting",),
        ),
    )
}


def lookup(settings: Any, dotted: str) -> Any:
    """Return the setting with this dotted name."""
    for part in dotted.split("."):
        settings = getattr(settings, part)
    return settings


def keys(name: str, shard: str = "") -> tuple[str, ...]:
    """Return the settings that the table declares for a job, without ``free``: dotted names, blocks and ``block.*``.

    Raises:
        SettingsError: ``shard`` is not a shard of the stage.
    """
    stage = STAGES[name]
    words = _words(stage, shard)
    more = [key for pattern, names in stage.where.items() if fnmatchcase(shard, pattern) for key in names]
    return tuple(key.format(**words) for key in (*stage.reads, *more))


def _words(stage: Stage, shard: str) -> dict[str, str]:
    """Return model and phase of a training's shard; empty for other stages, whose shards name no setting."""
    if stage.shard != "model/phase":
        return {}
    model, _, phase = shard.partition("/")
    if model not in MODELS or phase not in PHASES:
        raise SettingsError(
            f"{stage.name}: '{shard}' is not <model>/<phase> with a model of {', '.join(MODELS)} and a phase of "
            f"{', '.join(PHASES)}"
        )
    return {"model": model, "phase": phase}


def decisive(name: str, shard: str = "") -> frozenset[str]:
    """Return the dotted names of the single settings that decide the results of a job of a stage."""
    declared = {setting for key in keys(name, shard) for setting in matching(Settings, key)}
    return frozenset(declared.difference(STAGES[name].free))


def only(settings: Settings, name: str, shard: str = "") -> Settings:
    """Return a view of the settings for one job of a stage: the declared ones and the free ones.

    Reading anything else raises :class:`tvface.settings.view.UndeclaredSetting`.
    """
    return _view(settings, decisive(name, shard) | set(STAGES[name].free), name)


def stage_settings(name: str, settings: Settings, shard: str = "") -> dict[str, Any]:
    """Return the settings that decide the results of a job of a stage, as nested plain values."""
    return dict(as_mapping(_view(settings, decisive(name, shard), name)))


def _view(settings: Settings, names: frozenset[str], name: str) -> Settings:
    remedy = (
        f"add it to `reads` of '{name}' in STAGES, in tvface/dag/stages.py (or, if it changes nothing that the stage "
        "makes, to its `free`)"
    )
    return view(settings, names, f"stage {name}", remedy)


def stage_code(name: str, settings: Settings) -> str:
    """Return the digest of the source that makes a stage's results, with the configured backends only."""
    backends = {package: lookup(settings, REGISTRIES[package]) for package in STAGES[name].backends}
    return code_digest(f"tvface.stages.{name}", backends, STAGES[name].data)
