"""Train one model through one phase. Contract: tvface.stages.train."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("train", snakemake, f"{snakemake.wildcards.model}/{snakemake.wildcards.phase}")
