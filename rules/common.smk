"""What all rules share: the settings, the shards of the run, file names, resources."""

import hashlib
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The package is importable from the checkout without being installed, also inside a rule's conda environment.
sys.path.insert(0, str(Path(workflow.basedir, "src")))

from tvface.assets.registry import AssetError
from tvface.episodes import list_episodes, synthetic_episodes
from tvface.dag.layout import archive_parts, cast_pictures, decisions
from tvface.settings import SettingsError, parse_settings, read_yaml
from tvface.dag.needs import require
from tvface.dag.stages import PHASES, stage_code, stage_settings

try:
    # Of two equal keys Snakemake takes the last and says nothing.
    for file in workflow.configfiles:
        read_yaml(Path(file))
    SETTINGS = parse_settings(config)
    EPISODES = {episode.name: episode for episode in list_episodes(SETTINGS)}
    ARCHIVE = archive_parts(SETTINGS)
except SettingsError as error:
    raise WorkflowError(str(error)) from error

SHOWS = sorted({episode.show for episode in EPISODES.values()})
SYNTHETIC = (
    [episode.name for episode in synthetic_episodes(SETTINGS)]
    if SETTINGS.synth.enabled
    else []
)
ARCHIVED = [name for name, episode in EPISODES.items() if episode.kind == "archive"]
# Their stores are there, of these very clips.
TAKEN = set()
if ARCHIVED:
    from tvface.episodes.archive_stores import finished_episodes

    TAKEN = finished_episodes(SETTINGS, EPISODES.values())
MODELS = list(SETTINGS.train.models)
RESULTS = SETTINGS.results
GPU = 1 if SETTINGS.device == "cuda" else 0


def shards(template, names=None):
    """Return the template's path for every episode, or for the named ones."""
    return [
        template.replace("{episode}", name)
        for name in (EPISODES if names is None else names)
    ]


# The bytes that the rows of dataset.parquet point to: crops, label maps and flow.
STORES = [
    path
    for stage in ("sequences", "masks", "dataset")
    for path in shards(f"{RESULTS}/{stage}/{{episode}}.tar")
]
CURVES = [
    f"{RESULTS}/train/{model}/{phase}/curve.parquet"
    for model in MODELS
    for phase in PHASES
]


wildcard_constraints:
    episode=r"[A-Za-z0-9_-]+",
    show=r"[A-Za-z0-9_-]+",
    model="deca|temporal",
    phase="|".join(PHASES),


def growing(amount):
    """Return a resource that grows with every retry, so that a job killed for memory or time gets more."""
    return lambda wildcards, attempt: amount * attempt


def digest_of(names):
    """Return a short digest of names in any order, for a list that is too long to be a parameter."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


def required(stage, shard=""):
    """Return an input function: the weights and licensed files that a job loads; a missing one stops the run before any.

    ``shard`` is the pattern of the job's shard, e.g. "{episode}".
    """

    def paths(wildcards):
        try:
            named = shard.format(**wildcards)
            return [str(path) for path in require(SETTINGS, stage, named)]
        except (AssetError, SettingsError) as error:
            raise WorkflowError(f"stage {stage}: {error}") from error

    return paths


def weights_before(model, phase):
    """Return the weights that a phase of training starts from: none for the first, else those of the phase before."""
    index = PHASES.index(phase)
    return (
        [f"{RESULTS}/train/{model}/{PHASES[index - 1]}/weights.safetensors"]
        if index
        else []
    )


def footage(episode):
    """Return what an episode is sampled from."""
    paths = [str(path) for path in episode.sources]
    # One more clip on the sheet writes the archive's manifest again, but no store that is there already.
    return [ancient(path) for path in paths] if episode.name in TAKEN else paths
