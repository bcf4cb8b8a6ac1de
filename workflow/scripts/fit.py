"""Fit the head to the crops of one episode. Contract: tvface.stages.fit."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("fit", snakemake, snakemake.wildcards.episode)
