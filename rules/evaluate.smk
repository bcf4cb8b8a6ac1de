"""Numbers for every stage: against ground truth where the footage is the embedded show, else against the pipeline."""


rule evaluate:
    input:
        frames=shards(rules.frames_episode.output.manifest),
        faces=shards(rules.faces_episode.output.manifest),
        identities=rules.identities.input,
        sequences=shards(rules.sequences_episode.output.manifest),
        landmarks=shards(rules.landmarks_episode.output.manifest),
        masks=shards(rules.masks_episode.output.manifest),
        stores=STORES,
        dataset=rules.dataset.output.manifest,
        head=rules.head.output.head,
        curves=CURVES,
        reconstruct=rules.reconstruct.input,
        truth_frames=shards(rules.synth_episode.output.frames, SYNTHETIC),
        truth_faces=shards(rules.synth_episode.output.faces, SYNTHETIC),
        truth_labels=shards(rules.synth_episode.output.labels, SYNTHETIC),
    output:
        manifest=f"{RESULTS}/evaluate/metrics.parquet",
        table=f"{RESULTS}/evaluate/metrics.tsv",
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=stage_settings("evaluate", SETTINGS),
        code=stage_code("evaluate", SETTINGS),
    message:
        "evaluate: numbers for every stage"
    script:
        "../workflow/scripts/evaluate.py"
