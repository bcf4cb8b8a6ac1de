"""Join one episode; without the wildcard, split all of them. Contract: tvface.stages.dataset."""

import sys

sys.path.insert(0, f"{snakemake.scriptdir}/../../src")

from tvface.dag.job import execute

execute("dataset", snakemake, snakemake.wildcards.get("episode", ""))
