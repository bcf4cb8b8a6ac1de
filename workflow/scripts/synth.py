"""Render one episode of the embedded show with its ground truth. Contract: tvface.stages.synth."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("synth", snakemake, snakemake.wildcards.episode)
