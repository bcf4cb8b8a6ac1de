"""Parse every crop of one episode. Contract: tvface.stages.masks."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("masks", snakemake, snakemake.wildcards.episode)
