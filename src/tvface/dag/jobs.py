"""The jobs of the workflow and their files: the only place that states what a job reads and writes.

A row of :data:`JOBS` is one rule of ``rules/``, under the rule's name; the rules take their inputs and outputs from
here (``reads`` and ``writes`` of ``rules/common.smk``), and commands without Snakemake do so through
:mod:`tvface.dag.layout`. Paths are Snakemake's patterns, below the folder of results: ``{episode}``, ``{show}``,
``{model}`` and ``{phase}`` are wildcards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from string import Formatter

from tvface.episodes import Episode, list_episodes, synthetic_episodes
from tvface.media.parts import find_parts
from tvface.settings import Settings, SettingsError
from tvface.settings.phases import PHASES

Wildcards = Mapping[str, str]


class Run:
    """The episodes, shows and models of a run, as its settings name them.

    Raises:
        EpisodeError: the footage that the settings name cannot be used (on first use of the episodes).
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def episodes(self) -> dict[str, Episode]:
        """The episodes by name, in order."""
        return {episode.name: episode for episode in list_episodes(self.settings)}

    @cached_property
    def shows(self) -> list[str]:
        """The names of the shows, sorted."""
        return sorted({episode.show for episode in self.episodes.values()})

    def shards(self, job: str) -> list[dict[str, str]]:
        """Return the wildcards of every job of a rule."""
        if job == "synth_episode":
            synthetic = synthetic_episodes(self.settings) if self.settings.synth.enabled else []
            return [{"episode": episode.name} for episode in synthetic]
        values: Mapping[str, Iterable[str]] = {
            "episode": self.episodes,
            "show": self.shows,
            "model": self.settings.train.models,
            "phase": PHASES,
        }
        names = JOBS[job].wildcards
        return [dict(zip(names, row, strict=True)) for row in product(*(values[name] for name in names))]

    def outputs(self, job: str, name: str, shards: Iterable[Wildcards] | None = None) -> list[str]:
        """Return one output of the jobs of a rule: of all of them, or of those with these wildcards."""
        pattern = self.below_results(JOBS[job].writes[name])
        return [pattern.format(**wildcards) for wildcards in (self.shards(job) if shards is None else shards)]

    def below_results(self, pattern: str) -> str:
        """Return a pattern of :data:`JOBS` with the folder of results before it."""
        return f"{self.settings.results}/{pattern}"


# What a job reads under one name: a pattern with the job's own wildcards, or a path (text) or several (a sequence) that
# follow from run and wildcards.
Read = str | Callable[[Run, Wildcards], str | Sequence[str | Path]]


@dataclass(frozen=True)
class Job:
    """The files that the jobs of one rule read and write, by the names that the stage gives them.

    Attributes:
        stage: name in :data:`tvface.dag.stages.STAGES`.
        writes: patterns below the folder of results; the first one defines the wildcards.
        folders: names in ``writes`` that are folders.
        reads: patterns below the folder of results, or functions, which return whole paths.
    """

    stage: str
    writes: Mapping[str, str]
    reads: Mapping[str, Read] = field(default_factory=dict)
    folders: tuple[str, ...] = ()

    @cached_property
    def wildcards(self) -> tuple[str, ...]:
        """Names of the wildcards, in the order of a shard's parts (``model/phase``)."""
        pattern = next(iter(self.writes.values()))
        return tuple(name for _, name, _, _ in Formatter().parse(pattern) if name)


def each(job: str, name: str) -> Read:
    """Return an input of a job of the whole run: one output of every job of a rule."""
    return lambda run, wildcards: run.outputs(job, name)


def archive_parts(run: Run, wildcards: Wildcards) -> list[Path]:
    """Return the files of TVQA's split archive, in order; none if the run has no archive.

    Raises:
        ArchiveError: there is none in the folder, or a part is missing.
    """
    return [part.path for part in find_parts(run.settings.archive)] if run.settings.archive is not None else []


def footage(run: Run, wildcards: Wildcards) -> list[Path]:
    """Return the files that an episode is sampled from."""
    return list(run.episodes[wildcards["episode"]].sources)


def faces_of_show(run: Run, wildcards: Wildcards) -> list[str]:
    """Return the manifests of ``faces`` of a show's episodes.

    Raises:
        SettingsError: no such show.
    """
    show = wildcards["show"]
    members = [{"episode": name} for name, episode in run.episodes.items() if episode.show == show]
    if not members:
        raise SettingsError(f"no show '{show}' in this run; there are: {', '.join(run.shows)}")
    return run.outputs("faces_episode", "manifest", members)


def cast_pictures(run: Run, wildcards: Wildcards) -> list[Path]:
    """Return the pictures of a show's cast gallery, ``<identities.cast>/<show>/<name>/*``, in order."""
    if run.settings.identities.cast is None:
        return []
    gallery = Path(run.settings.identities.cast) / wildcards["show"]
    return sorted(path for path in gallery.glob("*/*") if path.is_file())


def decisions(run: Run, wildcards: Wildcards) -> list[Path]:
    """Return the file with a human's decisions about the people of a show, if there is one.

    Raises:
        SettingsError: ``identities.decisions`` is not a folder.
    """
    if run.settings.identities.decisions is None:
        return []
    folder = Path(run.settings.identities.decisions)
    if not folder.is_dir():
        raise SettingsError(f"identities.decisions: {folder} is not a folder; make it, with a file <show>.tsv per show")
    return [path for path in [folder / f"{wildcards['show']}.tsv"] if path.is_file()]


def people_of_episode(run: Run, wildcards: Wildcards) -> str:
    """Return the manifest of ``identities`` of an episode's show."""
    (manifest,) = run.outputs("identities_show", "manifest", [{"show": run.episodes[wildcards["episode"]].show}])
    return manifest


def fit_of_episode(run: Run, wildcards: Wildcards) -> list[str]:
    """Return the manifest of ``fit`` of an episode, if the dataset drops by it."""
    return run.outputs("fit_episode", "manifest", [wildcards]) if run.settings.dataset.fitted else []


def stores(run: Run, wildcards: Wildcards) -> list[str]:
    """Return the files that the rows of dataset.parquet point into: crops, label maps and flow of every episode."""
    kinds = (("sequences_episode", "crops"), ("masks_episode", "labels"), ("dataset_episode", "flow"))
    return [path for job, name in kinds for path in run.outputs(job, name)]


def weights_before(run: Run, wildcards: Wildcards) -> list[str]:
    """Return the weights that a phase of training starts from: none for the first, else those of the phase before."""
    earlier = PHASES[: PHASES.index(wildcards["phase"])][-1:]
    return run.outputs("train_phase", "weights", [{"model": wildcards["model"], "phase": phase} for phase in earlier])


def trained_weights(run: Run, wildcards: Wildcards) -> list[str]:
    """Return the weights of the last phase of every model."""
    last = [shard for shard in run.shards("train_phase") if shard["phase"] == PHASES[-1]]
    return run.outputs("train_phase", "weights", last)


def manifests(run: Run, wildcards: Wildcards) -> list[str]:
    """Return every manifest whose rows the page counts, in the order of the data flow."""
    archived = any(episode.kind == "archive" for episode in run.episodes.values())
    listed: list[Read] = [
        *([each("archive", "manifest")] if archived else []),
        *(each(job, "manifest") for job in ("frames_episode", "faces_episode", "identities_show")),
        *(each(job, "manifest") for job in ("sequences_episode", "landmarks_episode", "masks_episode", "fit_episode")),
        *(each(job, "manifest") for job in ("dataset_episode", "dataset", "train_phase", "reconstruct_model")),
        *(each("synth_episode", name) for name in ("frames", "faces")),
    ]
    return [str(path) for read in listed if callable(read) for path in read(run, wildcards)]


_FRAMES: Mapping[str, Read] = {"frames": "frames/{episode}.parquet", "store": "frames/{episode}.tar"}
_CROPS: Mapping[str, Read] = {"sequences": "sequences/{episode}.parquet", "crops": "sequences/{episode}.tar"}
_TRAINING: Mapping[str, Read] = {"dataset": "dataset.parquet", "stores": stores, "head": "head/head.npz"}
_MEASURED: Mapping[str, Read] = {
    "frames": each("frames_episode", "manifest"),
    "faces": each("faces_episode", "manifest"),
    "identities": each("identities_show", "manifest"),
    "sequences": each("sequences_episode", "manifest"),
    "landmarks": each("landmarks_episode", "manifest"),
    "masks": each("masks_episode", "manifest"),
    "fit": each("fit_episode", "manifest"),
    **_TRAINING,
    "curves": each("train_phase", "manifest"),
    "reconstruct": each("reconstruct_model", "manifest"),
}

JOBS: Mapping[str, Job] = {
    "synth_episode": Job(
        "synth",
        writes={
            "video": "synth/{episode}.mp4",
            "frames": "synth/{episode}.frames.parquet",
            "faces": "synth/{episode}.faces.parquet",
            "labels": "synth/{episode}.labels.tar",
        },
    ),
    "head": Job("head", writes={"head": "head/head.npz"}),
    "archive": Job("archive", reads={"parts": archive_parts}, writes={"manifest": "archive.parquet"}),
    "frames_episode": Job(
        "frames",
        reads={"source": footage},
        writes={"manifest": "frames/{episode}.parquet", "store": "frames/{episode}.tar"},
    ),
    "faces_episode": Job("faces", reads=_FRAMES, writes={"manifest": "faces/{episode}.parquet"}),
    "identities_show": Job(
        "identities",
        reads={"faces": faces_of_show, "decisions": decisions, "cast": cast_pictures},
        writes={"manifest": "identities/{show}.parquet"},
    ),
    "sequences_episode": Job(
        "sequences",
        reads={**_FRAMES, "faces": "faces/{episode}.parquet", "identities": people_of_episode},
        writes={
            "manifest": "sequences/{episode}.parquet",
            "candidates": "sequences/{episode}.candidates.parquet",
            "crops": "sequences/{episode}.tar",
        },
    ),
    "landmarks_episode": Job(
        "landmarks", reads={**_CROPS, **_FRAMES}, writes={"manifest": "landmarks/{episode}.parquet"}
    ),
    "masks_episode": Job(
        "masks",
        reads={**_CROPS, **_FRAMES},
        writes={"manifest": "masks/{episode}.parquet", "labels": "masks/{episode}.tar"},
    ),
    "fit_episode": Job(
        "fit",
        reads={
            "sequences": "sequences/{episode}.parquet",
            "crops": "sequences/{episode}.tar",
            "landmarks": "landmarks/{episode}.parquet",
            "masks": "masks/{episode}.parquet",
            "labels": "masks/{episode}.tar",
            "head": "head/head.npz",
        },
        writes={"manifest": "fit/{episode}.parquet"},
    ),
    "dataset_episode": Job(
        "dataset",
        reads={
            **_CROPS,
            "landmarks": "landmarks/{episode}.parquet",
            "masks": "masks/{episode}.parquet",
            "labels": "masks/{episode}.tar",
            "fit": fit_of_episode,
        },
        writes={"manifest": "dataset/{episode}.parquet", "flow": "dataset/{episode}.tar"},
    ),
    "dataset": Job(
        "dataset",
        reads={"manifests": each("dataset_episode", "manifest")},
        writes={"manifest": "dataset.parquet", "statistics": "dataset.json"},
    ),
    "train_phase": Job(
        "train",
        reads={**_TRAINING, "initial": weights_before},
        writes={
            "manifest": "train/{model}/{phase}/curve.parquet",
            "weights": "train/{model}/{phase}/weights.safetensors",
        },
    ),
    "reconstruct_model": Job(
        "reconstruct",
        reads={**_TRAINING, "weights": f"train/{{model}}/{PHASES[-1]}/weights.safetensors"},
        writes={"manifest": "reconstruct/{model}.parquet", "meshes": "reconstruct/{model}.tar"},
    ),
    "evaluate": Job(
        "evaluate",
        reads={**_MEASURED, **{f"truth_{name}": each("synth_episode", name) for name in ("frames", "faces", "labels")}},
        writes={"manifest": "evaluate/metrics.parquet", "table": "evaluate/metrics.tsv"},
    ),
    "render": Job(
        "render",
        reads={
            **_MEASURED,
            "frame_stores": each("frames_episode", "store"),
            "candidates": each("sequences_episode", "candidates"),
            "weights": trained_weights,
            "meshes": each("reconstruct_model", "meshes"),
        },
        writes={"manifest": "render/manifest.parquet", "pictures": "render/pictures"},
        folders=("pictures",),
    ),
    "report": Job(
        "report",
        reads={
            "manifests": manifests,
            "metrics": "evaluate/metrics.parquet",
            "figures": "render/manifest.parquet",
            "pictures": "render/pictures",
            "statistics": "dataset.json",
        },
        writes={"page": "report.html"},
    ),
}


def job_name(stage: str, shard: str = "") -> str:
    """Return the rule that writes a stage's files for a shard (empty: the whole run).

    Raises:
        SettingsError: the stage works on one shard at a time and ``shard`` is empty.
    """
    rules = {bool(job.wildcards): name for name, job in JOBS.items() if job.stage == stage}
    if bool(shard) in rules:
        return rules[bool(shard)]
    raise SettingsError(f"{stage} works on one {'/'.join(JOBS[rules[True]].wildcards)} at a time: name it")
