"""Find 68 points in every crop of one episode. Contract: tvface.stages.landmarks."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("landmarks", snakemake, snakemake.wildcards.episode)
