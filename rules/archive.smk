"""Take the episodes of the sample sheet out of TVQA's split archive: one pass for all, one store per episode."""


rule archive:
    input:
        **reads("archive"),
    output:
        **writes("archive"),
    log:
        f"{RESULTS}/logs/archive.log",
    benchmark:
        f"{RESULTS}/benchmarks/archive.tsv"
    conda:
        "../envs/footage.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(600),
    params:
        # A clip more on the sheet reads the archive again; the episodes that are there stay.
        clips=digest_of(clip for name in ARCHIVED for clip in EPISODES[name].clips),
        settings=stage_settings("archive", SETTINGS),
        code=lambda wildcards: code_of("archive"),
    message:
        "archive: take the episodes out of {SETTINGS.archive}"
    script:
        "../workflow/scripts/archive.py"
