"""Draw the figures. Contract: tvface.stages.render."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("render", snakemake)
