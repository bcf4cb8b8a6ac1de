"""Join crops, points and masks, compute the optical flow, split."""


rule dataset_episode:
    input:
        sequences=rules.sequences_episode.output.manifest,
        crops=rules.sequences_episode.output.crops,
        landmarks=rules.landmarks_episode.output.manifest,
        masks=rules.masks_episode.output.manifest,
        labels=rules.masks_episode.output.labels,
        assets=required("dataset", "{episode}"),
    output:
        manifest=f"{RESULTS}/dataset/{{episode}}.parquet",
        flow=f"{RESULTS}/dataset/{{episode}}.tar",
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
        code=stage_code("dataset", SETTINGS),
    message:
        "dataset: join {wildcards.episode}"
    script:
        "../workflow/scripts/dataset.py"


rule dataset:
    input:
        manifests=shards(rules.dataset_episode.output.manifest),
    output:
        manifest=f"{RESULTS}/dataset.parquet",
        statistics=f"{RESULTS}/dataset.json",
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
        code=stage_code("dataset", SETTINGS),
    message:
        "dataset: split into training, validation and test"
    script:
        "../workflow/scripts/dataset.py"
