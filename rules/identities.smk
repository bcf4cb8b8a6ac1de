"""Cluster the tracks of a show into people."""


rule identities:
    input:
        every("identities_show", "manifest"),


rule identities_show:
    input:
        **reads("identities_show"),
    output:
        **writes("identities_show"),
    log:
        f"{RESULTS}/logs/identities/{{show}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/identities/{{show}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=stage_settings("identities", SETTINGS),
        code=lambda wildcards: code_of("identities"),
    message:
        "identities: cluster the people of {wildcards.show}"
    script:
        "../workflow/scripts/identities.py"
