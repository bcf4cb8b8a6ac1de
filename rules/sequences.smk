"""Mine sequences of one moving, clear, single face; cut the crops."""


rule sequences:
    input:
        shards(f"{RESULTS}/sequences/{{episode}}.parquet"),


rule sequences_episode:
    input:
        frames=rules.frames_episode.output.manifest,
        store=rules.frames_episode.output.store,
        faces=rules.faces_episode.output.manifest,
        identities=lambda wildcards: f"{RESULTS}/identities/{EPISODES[wildcards.episode].show}.parquet",
    output:
        manifest=f"{RESULTS}/sequences/{{episode}}.parquet",
        candidates=f"{RESULTS}/sequences/{{episode}}.candidates.parquet",
        crops=f"{RESULTS}/sequences/{{episode}}.tar",
    log:
        f"{RESULTS}/logs/sequences/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sequences/{{episode}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=stage_settings("sequences", SETTINGS),
        code=stage_code("sequences", SETTINGS),
    message:
        "sequences: mine {wildcards.episode}"
    script:
        "../workflow/scripts/sequences.py"
