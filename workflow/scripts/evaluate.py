"""Write the table of numbers. Contract: tvface.stages.evaluate."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.workflow import execute

execute("evaluate", snakemake)
