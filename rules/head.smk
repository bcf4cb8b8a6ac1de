"""Build the human head model, or convert FLAME's files."""


rule head:
    input:
        **reads("head"),
    output:
        **writes("head"),
    log:
        f"{RESULTS}/logs/head.log",
    benchmark:
        f"{RESULTS}/benchmarks/head.tsv"
    conda:
        "../envs/footage.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=stage_settings("head", SETTINGS),
        code=lambda wildcards: code_of("head"),
    message:
        "head: make the head model"
    script:
        "../workflow/scripts/head.py"
