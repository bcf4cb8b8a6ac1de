"""Make head.npz: the generic head, or FLAME's files converted. Contract: tvface.stages.head."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("head", snakemake)
