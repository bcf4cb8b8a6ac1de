"""Take the episodes of the sample sheet out of TVQA's split archive. Contract: tvface.stages.archive."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("archive", snakemake)
