"""Codes, meshes and projected points of the test split by every trained model."""


rule reconstruct:
    input:
        every("reconstruct_model", "manifest"),


rule reconstruct_model:
    input:
        **reads("reconstruct_model"),
    output:
        **writes("reconstruct_model"),
    log:
        f"{RESULTS}/logs/reconstruct/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/reconstruct/{{model}}.tsv"
    conda:
        "../envs/training.yaml"
    threads: SETTINGS.train.threads
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
        gpu=GPU,
    params:
        settings=stage_settings("reconstruct", SETTINGS),
        code=lambda wildcards: code_of("reconstruct"),
    message:
        "reconstruct: {wildcards.model} on the {SETTINGS.reconstruct.split} split"
    script:
        "../workflow/scripts/reconstruct.py"
