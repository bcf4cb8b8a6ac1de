"""Mine sequences of one moving, clear, single face; cut the crops."""


rule sequences:
    input:
        every("sequences_episode", "manifest"),


rule sequences_episode:
    input:
        **reads("sequences_episode"),
    output:
        **writes("sequences_episode"),
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
        code=lambda wildcards: code_of("sequences"),
    message:
        "sequences: mine {wildcards.episode}"
    script:
        "../workflow/scripts/sequences.py"
