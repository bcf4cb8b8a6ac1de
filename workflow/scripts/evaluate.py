"""Write the table of numbers. Contract: tvface.stages.evaluate."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("evaluate", snakemake)
