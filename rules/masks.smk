"""Parse every crop into classes and the face mask."""


rule masks:
    input:
        shards(f"{RESULTS}/masks/{{episode}}.parquet"),


rule masks_episode:
    input:
        sequences=rules.sequences_episode.output.manifest,
        crops=rules.sequences_episode.output.crops,
        frames=rules.frames_episode.output.manifest,
        store=rules.frames_episode.output.store,
        assets=required("masks", "{episode}"),
    output:
        manifest=f"{RESULTS}/masks/{{episode}}.parquet",
        labels=f"{RESULTS}/masks/{{episode}}.tar",
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
        code=stage_code("masks", SETTINGS),
    message:
        "masks: parse {wildcards.episode}"
    script:
        "../workflow/scripts/masks.py"
