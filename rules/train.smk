"""Train each model through its three phases; a phase starts from the weights of the one before."""


rule train:
    input:
        [
            f"{RESULTS}/train/{model}/{PHASES[-1]}/weights.safetensors"
            for model in MODELS
        ],


rule train_phase:
    input:
        dataset=rules.dataset.output.manifest,
        stores=STORES,
        head=rules.head.output.head,
        initial=lambda wildcards: weights_before(wildcards.model, wildcards.phase),
        assets=required("train", "{model}/{phase}"),
    output:
        manifest=f"{RESULTS}/train/{{model}}/{{phase}}/curve.parquet",
        weights=f"{RESULTS}/train/{{model}}/{{phase}}/weights.safetensors",
    log:
        f"{RESULTS}/logs/train/{{model}}/{{phase}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{model}}/{{phase}}.tsv"
    conda:
        "../envs/training.yaml"
    threads: SETTINGS.train.threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(2880),
        gpu=GPU,
    params:
        settings=lambda wildcards: stage_settings(
            "train", SETTINGS, f"{wildcards.model}/{wildcards.phase}"
        ),
        code=stage_code("train", SETTINGS),
    message:
        "train: {wildcards.model}, {wildcards.phase}"
    script:
        "../workflow/scripts/train.py"
