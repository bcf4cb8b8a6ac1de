"""Numbers for every stage: against ground truth where the footage is the embedded show, else against the pipeline."""


rule evaluate:
    input:
        **reads("evaluate"),
    output:
        **writes("evaluate"),
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=stage_settings("evaluate", SETTINGS),
        code=lambda wildcards: code_of("evaluate"),
    message:
        "evaluate: numbers for every stage"
    script:
        "../workflow/scripts/evaluate.py"
