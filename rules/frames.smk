"""Sample footage into one frame store per episode."""


rule frames:
    input:
        every("frames_episode", "manifest"),


rule frames_episode:
    input:
        source=footage_of,
    output:
        **writes("frames_episode"),
    log:
        f"{RESULTS}/logs/frames/{{episode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/frames/{{episode}}.tsv"
    conda:
        "../envs/footage.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        show=lambda wildcards: EPISODES[wildcards.episode].show,
        clips=lambda wildcards: digest_of(EPISODES[wildcards.episode].clips),
        settings=stage_settings("frames", SETTINGS),
        code=lambda wildcards: code_of("frames"),
    message:
        "frames: sample {wildcards.episode}"
    script:
        "../workflow/scripts/frames.py"
