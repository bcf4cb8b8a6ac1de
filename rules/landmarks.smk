"""Find the 68 points of every crop."""


rule landmarks:
    input:
        every("landmarks_episode", "manifest"),


rule landmarks_episode:
    input:
        **reads("landmarks_episode"),
    output:
        **writes("landmarks_episode"),
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
        code=lambda wildcards: code_of("landmarks"),
    message:
        "landmarks: 68 points in {wildcards.episode}"
    script:
        "../workflow/scripts/landmarks.py"
