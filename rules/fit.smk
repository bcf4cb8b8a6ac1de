"""Fit the head to the points of every crop."""


rule fit:
    input:
        every("fit_episode", "manifest"),


rule fit_episode:
    input:
        **reads("fit_episode"),
    output:
        **writes("fit_episode"),
    log:
        f"{RESULTS}/logs/fit/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit/{{episode}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        settings=stage_settings("fit", SETTINGS),
        code=lambda wildcards: code_of("fit"),
    message:
        "fit: {wildcards.episode}"
    script:
        "../workflow/scripts/fit.py"
