"""The figures: reconstructions of both models, training curves, pictures of every stage."""


rule render:
    input:
        **reads("render"),
    output:
        **writes("render"),
    log:
        f"{RESULTS}/logs/render.log",
    benchmark:
        f"{RESULTS}/benchmarks/render.tsv"
    conda:
        "../envs/training.yaml"
    threads: SETTINGS.train.threads
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
    params:
        settings=stage_settings("render", SETTINGS),
        code=lambda wildcards: code_of("render"),
    message:
        "render: draw the figures"
    script:
        "../workflow/scripts/render.py"
