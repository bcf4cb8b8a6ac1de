"""One self-contained HTML page."""


rule report:
    input:
        **reads("report"),
    output:
        page=report(
            writes("report")["page"],
            caption="../workflow/report/report.rst",
            category="Report",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=stage_settings("report", SETTINGS),
        code=lambda wildcards: code_of("report"),
    message:
        "report: write {output.page}"
    script:
        "../workflow/scripts/report.py"
