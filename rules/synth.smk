"""Render the embedded show with its exact ground truth."""


rule synth:
    input:
        every("synth_episode", "video"),


rule synth_episode:
    output:
        **writes("synth_episode"),
    log:
        f"{RESULTS}/logs/synth/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/synth/{{episode}}.tsv"
    conda:
        "../envs/footage.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=stage_settings("synth", SETTINGS),
        code=lambda wildcards: code_of("synth"),
    message:
        "synth: render {wildcards.episode}"
    script:
        "../workflow/scripts/synth.py"
