"""Cluster the tracks of one show into people. Contract: tvface.stages.identities."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("identities", snakemake, snakemake.wildcards.show)
