"""The table of jobs: every file that is read is written by a job, and the shards agree with the table of stages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tvface.dag.jobs import JOBS, Run, job_name
from tvface.dag.layout import inputs, outputs
from tvface.dag.stages import STAGES
from tvface.settings import SettingsError, load

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = load([ROOT / "config.yaml"], {"results": "r", "synth": {"episodes": 3}})


@pytest.mark.parametrize("name", JOBS)
def test_what_a_job_reads_is_written_by_one_job(name: str) -> None:
    run = Run(SETTINGS)
    written = {path for job in JOBS for output in JOBS[job].writes for path in run.outputs(job, output)}
    for shard in run.shards(name):
        for read in JOBS[name].reads.values():
            paths = read(run, shard) if callable(read) else run.below_results(read).format(**shard)
            assert {str(path) for path in ([paths] if isinstance(paths, str) else paths)} <= written


def test_no_file_is_written_twice() -> None:
    patterns = [pattern for job in JOBS.values() for pattern in job.writes.values()]
    assert len(patterns) == len(set(patterns))


def test_a_job_works_on_what_the_stage_says() -> None:
    for stage in STAGES.values():
        shards = {"/".join(job.wildcards) for job in JOBS.values() if job.stage == stage.name}
        assert shards - {""} == {stage.shard} - {""}
        assert shards if stage.shard else shards == {""}


def test_every_row_is_a_rule_that_takes_its_files_from_it() -> None:
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    for name in JOBS:
        (body,) = re.findall(rf"^rule {name}:\n(.*?)(?=^rule |\Z)", rules, re.DOTALL | re.MULTILINE)
        assert f'writes("{name}")' in body
        assert not JOBS[name].reads or f'reads("{name}")' in body or name == "frames_episode"


def test_files_of_one_shard() -> None:
    assert outputs("faces", SETTINGS, "demo_s01e02") == {"manifest": Path("r/faces/demo_s01e02.parquet")}
    read = inputs("sequences", SETTINGS, "demo_s01e02")
    assert read["identities"] == Path("r/identities/demo.parquet")
    assert inputs("train", SETTINGS, "deca/coarse")["initial"] == [Path("r/train/deca/pretrain/weights.safetensors")]
    assert outputs("dataset", SETTINGS)["manifest"] == Path("r/dataset.parquet")
    assert outputs("dataset", SETTINGS, "demo_s01e01")["manifest"] == Path("r/dataset/demo_s01e01.parquet")
    with pytest.raises(SettingsError, match="faces works on one episode at a time"):
        outputs("faces", SETTINGS)
    with pytest.raises(SettingsError, match="train works on one model/phase at a time"):
        job_name("train")
    with pytest.raises(SettingsError, match="no episode 'demo_s01e09' in this run; there are: demo_s01e01"):
        inputs("faces", SETTINGS, "demo_s01e09")
    with pytest.raises(SettingsError, match="no show 'friends' in this run; there are: demo"):
        inputs("identities", SETTINGS, "friends")


def test_the_page_names_every_file() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for job in JOBS.values():
        shard = ", ".join(job.wildcards) or r"(?:all|-)"
        (row,) = re.findall(rf"^\| {job.stage} \| {shard} \|.*$", page, re.MULTILINE)
        assert all(f"[{name}" in row for name in job.writes), row
