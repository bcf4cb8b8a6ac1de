"""The figures: reconstructions of both models, training curves, pictures of every stage."""


rule render:
    input:
        frames=shards(rules.frames_episode.output.manifest),
        frame_stores=shards(rules.frames_episode.output.store),
        faces=shards(rules.faces_episode.output.manifest),
        identities=rules.identities.input,
        sequences=shards(rules.sequences_episode.output.manifest),
        candidates=shards(rules.sequences_episode.output.candidates),
        landmarks=shards(rules.landmarks_episode.output.manifest),
        masks=shards(rules.masks_episode.output.manifest),
        stores=STORES,
        dataset=rules.dataset.output.manifest,
        head=rules.head.output.head,
        curves=CURVES,
        weights=rules.train.input,
        reconstruct=rules.reconstruct.input,
        meshes=[f"{RESULTS}/reconstruct/{model}.tar" for model in MODELS],
    output:
        manifest=f"{RESULTS}/render/manifest.parquet",
        pictures=directory(f"{RESULTS}/render/pictures"),
    log:
        f"{RESULTS}/logs/render.log",
    benchmark:
        f"{RESULTS}/benchmarks/render.tsv"
    conda:
        "../envs/training.yaml"
    threads: SETTINGS.train.threads
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
    params:
        settings=stage_settings("render", SETTINGS),
        code=stage_code("render", SETTINGS),
    message:
        "render: draw the figures"
    script:
        "../workflow/scripts/render.py"
