"""Cluster the tracks of a show into people."""


rule identities:
    input:
        [f"{RESULTS}/identities/{show}.parquet" for show in SHOWS],


rule identities_show:
    input:
        faces=lambda wildcards: shards(
            f"{RESULTS}/faces/{{episode}}.parquet",
            [
                name
                for name, episode in EPISODES.items()
                if episode.show == wildcards.show
            ],
        ),
        decisions=lambda wildcards: decisions(SETTINGS, wildcards.show),
        cast=lambda wildcards: cast_pictures(SETTINGS, wildcards.show),
        assets=required("identities", "{show}"),
    output:
        manifest=f"{RESULTS}/identities/{{show}}.parquet",
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
        code=stage_code("identities", SETTINGS),
    message:
        "identities: cluster the people of {wildcards.show}"
    script:
        "../workflow/scripts/identities.py"
