"""Join crops, points and masks, compute the optical flow, split."""


rule dataset_episode:
    input:
        **reads("dataset_episode"),
    output:
        **writes("dataset_episode"),
    log:
        f"{RESULTS}/logs/dataset/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/dataset/{{episode}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=lambda wildcards: stage_settings(
            "dataset", SETTINGS, wildcards.episode
        ),
        code=lambda wildcards: code_of("dataset"),
    message:
        "dataset: join {wildcards.episode}"
    script:
        "../workflow/scripts/dataset.py"


rule dataset:
    input:
        **reads("dataset"),
    output:
        **writes("dataset"),
    log:
        f"{RESULTS}/logs/dataset.log",
    benchmark:
        f"{RESULTS}/benchmarks/dataset.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=stage_settings("dataset", SETTINGS),
        code=lambda wildcards: code_of("dataset"),
    message:
        "dataset: split into training, validation and test"
    script:
        "../workflow/scripts/dataset.py"
