"""One self-contained HTML page."""


rule report:
    input:
        manifests=[
            *([rules.archive.output.manifest] if ARCHIVED else []),
            *rules.evaluate.input.frames,
            *rules.evaluate.input.faces,
            *rules.evaluate.input.identities,
            *rules.evaluate.input.sequences,
            *rules.evaluate.input.landmarks,
            *rules.evaluate.input.masks,
            *rules.dataset.input.manifests,
            rules.dataset.output.manifest,
            *CURVES,
            *rules.reconstruct.input,
            *rules.evaluate.input.truth_frames,
            *rules.evaluate.input.truth_faces,
        ],
        metrics=rules.evaluate.output.manifest,
        figures=rules.render.output.manifest,
        pictures=rules.render.output.pictures,
        statistics=rules.dataset.output.statistics,
    output:
        page=report(
            f"{RESULTS}/report.html",
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
        code=stage_code("report", SETTINGS),
    message:
        "report: write {output.page}"
    script:
        "../workflow/scripts/report.py"
