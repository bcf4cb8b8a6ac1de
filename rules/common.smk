"""What all rules share: the settings, the shards of the run, the files of a job, resources.

What a job reads and writes stands once, in src/tvface/dag/jobs.py, a row per rule, in Snakemake's patterns. Commands
that work without Snakemake use it too. `reads("faces_episode")` are the named inputs of that row, `writes` its outputs,
and `every` is one output of all jobs of a rule.
"""

import hashlib
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The package is importable from the checkout without being installed, also inside a rule's conda environment.
sys.path.insert(0, str(Path(workflow.basedir, "src")))

from tvface.assets.registry import AssetError
from tvface.dag.jobs import JOBS, Run, archive_parts, footage, trained_weights
from tvface.dag.needs import may_load, require
from tvface.dag.stages import stage_code, stage_settings
from tvface.settings import SettingsError, parse_settings, read_yaml
from tvface.settings.phases import MODELS, PHASES

try:
    # Of two equal keys Snakemake takes the last and says nothing.
    for file in workflow.configfiles:
        read_yaml(Path(file))
    SETTINGS = parse_settings(config)
    RUN = Run(SETTINGS)
    EPISODES = RUN.episodes
    archive_parts(RUN, {})
except SettingsError as error:
    raise WorkflowError(str(error)) from error

ARCHIVED = [name for name, episode in EPISODES.items() if episode.kind == "archive"]
# Their stores are there, of these very clips.
TAKEN = set()
if ARCHIVED:
    from tvface.episodes.archive_stores import finished_episodes

    TAKEN = finished_episodes(SETTINGS, EPISODES.values())
RESULTS = SETTINGS.results
GPU = 1 if SETTINGS.device == "cuda" else 0
TRAINED = trained_weights(RUN, {})


wildcard_constraints:
    episode=r"[A-Za-z0-9_-]+",
    show=r"[A-Za-z0-9_-]+",
    model="|".join(MODELS),
    phase="|".join(PHASES),


def reads(rule):
    """Return the named inputs of a rule, as patterns, and as functions of the wildcards where they follow from the run.

    Where jobs load weights or licensed files, these are inputs as well, named ``assets``.
    """
    job = JOBS[rule]
    named = {
        name: listed(job, read) if callable(read) else RUN.below_results(read)
        for name, read in job.reads.items()
    }
    return named | (
        {"assets": listed(job, assets_of(job))} if may_load(job.stage) else {}
    )


def assets_of(job):
    """Return the weights and licensed files that a job loads, as what a job reads."""
    return lambda run, wildcards: require(
        run.settings, job.stage, "/".join(wildcards.values())
    )


def listed(job, read):
    """Return an input function; what is wrong with footage, people or files stops the run before any job."""

    def paths(wildcards):
        shard = {name: wildcards[name] for name in job.wildcards}
        try:
            found = read(RUN, shard)
            return found if isinstance(found, str) else list(map(str, found))
        except (AssetError, SettingsError) as error:
            raise WorkflowError(f"stage {job.stage}: {error}") from error

    return paths


def writes(rule):
    """Return the outputs of a rule by name, as patterns."""
    job = JOBS[rule]
    named = {name: RUN.below_results(path) for name, path in job.writes.items()}
    return named | {name: directory(named[name]) for name in job.folders}


def every(rule, name):
    """Return one output of all jobs of a rule."""
    return RUN.outputs(rule, name)


@cache
def code_of(stage):
    """Return the digest of a stage's code: of stages that have jobs only, and once for all of their jobs."""
    return stage_code(stage, SETTINGS)


def growing(amount):
    """Return a resource that grows with every retry, so that a job killed for memory or time gets more."""
    return lambda wildcards, attempt: amount * attempt


def digest_of(names):
    """Return a short digest of names in any order, for a list that is too long to be a parameter."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


def footage_of(wildcards):
    """Return what an episode is sampled from."""
    paths = [str(path) for path in footage(RUN, wildcards)]
    # One more clip on the sheet writes the archive's manifest again, but no store that is there already.
    return [ancient(path) for path in paths] if wildcards.episode in TAKEN else paths
