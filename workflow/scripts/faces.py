"""Detect, embed and track the faces of one episode. Contract: tvface.stages.faces."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("faces", snakemake, snakemake.wildcards.episode)
