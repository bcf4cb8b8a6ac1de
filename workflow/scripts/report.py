"""Write the HTML report. Contract: tvface.stages.report."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("report", snakemake)
