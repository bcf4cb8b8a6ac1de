"""Sample one episode into a frame store and its manifest. Contract: tvface.stages.frames."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("frames", snakemake, snakemake.wildcards.episode)
