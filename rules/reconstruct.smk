"""Codes, meshes and projected points of the test split by every trained model."""


rule reconstruct:
    input:
        [f"{RESULTS}/reconstruct/{model}.parquet" for model in MODELS],


rule reconstruct_model:
    input:
        dataset=rules.dataset.output.manifest,
        stores=STORES,
        head=rules.head.output.head,
        weights=f"{RESULTS}/train/{{model}}/{PHASES[-1]}/weights.safetensors",
    output:
        manifest=f"{RESULTS}/reconstruct/{{model}}.parquet",
        meshes=f"{RESULTS}/reconstruct/{{model}}.tar",
    log:
        f"{RESULTS}/logs/reconstruct/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/reconstruct/{{model}}.tsv"
    conda:
        "../envs/training.yaml"
    threads: SETTINGS.train.threads
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
        gpu=GPU,
    params:
        settings=stage_settings("reconstruct", SETTINGS),
        code=stage_code("reconstruct", SETTINGS),
    message:
        "reconstruct: {wildcards.model} on the {SETTINGS.reconstruct.split} split"
    script:
        "../workflow/scripts/reconstruct.py"
