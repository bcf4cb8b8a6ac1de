"""Parse every crop into classes and the face mask."""


rule masks:
    input:
        every("masks_episode", "manifest"),


rule masks_episode:
    input:
        **reads("masks_episode"),
    output:
        **writes("masks_episode"),
    log:
        f"{RESULTS}/logs/masks/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/masks/{{episode}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=GPU,
    params:
        settings=stage_settings("masks", SETTINGS),
        code=lambda wildcards: code_of("masks"),
    message:
        "masks: parse {wildcards.episode}"
    script:
        "../workflow/scripts/masks.py"
