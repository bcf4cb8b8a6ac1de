"""Find the 68 points of every crop."""


rule landmarks:
    input:
        shards(f"{RESULTS}/landmarks/{{episode}}.parquet"),


rule landmarks_episode:
    input:
        sequences=rules.sequences_episode.output.manifest,
        crops=rules.sequences_episode.output.crops,
        frames=rules.frames_episode.output.manifest,
        store=rules.frames_episode.output.store,
        assets=required("landmarks", "{episode}"),
    output:
        manifest=f"{RESULTS}/landmarks/{{episode}}.parquet",
    log:
        f"{RESULTS}/logs/landmarks/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/landmarks/{{episode}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=GPU,
    params:
        settings=stage_settings("landmarks", SETTINGS),
        code=stage_code("landmarks", SETTINGS),
    message:
        "landmarks: 68 points in {wildcards.episode}"
    script:
        "../workflow/scripts/landmarks.py"
