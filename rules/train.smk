"""Train each model through its three phases; a phase starts from the weights of the one before."""


rule train:
    input:
        TRAINED,


rule train_phase:
    input:
        **reads("train_phase"),
    output:
        **writes("train_phase"),
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
        code=lambda wildcards: code_of("train"),
    message:
        "train: {wildcards.model}, {wildcards.phase}"
    script:
        "../workflow/scripts/train.py"
