"""Mine the sequences of one episode and cut their crops. Contract: tvface.stages.sequences."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("sequences", snakemake, snakemake.wildcards.episode)
