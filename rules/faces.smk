"""Detect, embed and track the faces of an episode."""


rule faces:
    input:
        every("faces_episode", "manifest"),


rule faces_episode:
    input:
        **reads("faces_episode"),
    output:
        **writes("faces_episode"),
    log:
        f"{RESULTS}/logs/faces/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/faces/{{episode}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=GPU,
    params:
        settings=stage_settings("faces", SETTINGS),
        code=lambda wildcards: code_of("faces"),
    message:
        "faces: detect, embed and track in {wildcards.episode}"
    script:
        "../workflow/scripts/faces.py"
