"""Sample footage into one frame store per episode."""


rule frames:
    input:
        shards(f"{RESULTS}/frames/{{episode}}.parquet"),


rule frames_episode:
    input:
        source=lambda wildcards: footage(EPISODES[wildcards.episode]),
    output:
        manifest=f"{RESULTS}/frames/{{episode}}.parquet",
        store=f"{RESULTS}/frames/{{episode}}.tar",
    log:
        f"{RESULTS}/logs/frames/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/frames/{{episode}}.tsv"
    conda:
        "../envs/footage.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        show=lambda wildcards: EPISODES[wildcards.episode].show,
        clips=lambda wildcards: digest_of(EPISODES[wildcards.episode].clips),
        settings=stage_settings("frames", SETTINGS),
        code=stage_code("frames", SETTINGS),
    message:
        "frames: sample {wildcards.episode}"
    script:
        "../workflow/scripts/frames.py"
