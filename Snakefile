"""From TV footage to a trained temporal 3D face reconstruction model: the table of contents of the workflow."""

from snakemake.utils import min_version, validate

min_version("9.0")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


# Parses the settings first: its message about an unknown key names the nearest valid ones.
include: "rules/common.smk"


validate(config, "workflow/schemas/config.schema.json", set_default=False)


include: "rules/synth.smk"
include: "rules/head.smk"
include: "rules/archive.smk"
include: "rules/frames.smk"
include: "rules/faces.smk"
include: "rules/identities.smk"
include: "rules/sequences.smk"
include: "rules/landmarks.smk"
include: "rules/masks.smk"
include: "rules/fit.smk"
include: "rules/dataset.smk"
include: "rules/train.smk"
include: "rules/reconstruct.smk"
include: "rules/evaluate.smk"
include: "rules/render.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.report.output.page,
