"""Reconstruct the chosen split with one trained model. Contract: tvface.stages.reconstruct."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("reconstruct", snakemake, snakemake.wildcards.model)
