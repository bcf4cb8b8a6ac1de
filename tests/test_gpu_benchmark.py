"""The GPU benchmark's driver: whatever a part does, the others run and the tables are written."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu_parts import PARTS, ROOT, Part, card
from benchmarks.gpu_parts.driver import FAILED, NOT_RUN, OK, PASSED_OVER, Plan, run
from benchmarks.gpu_parts.job import Job
from benchmarks.gpu_parts.tables import Table

LONG = 300.0


def fake(name: str, limit: float = LONG, **more) -> Part:
    return Part(name, f"The {name} one", f"tests.fake_parts:{name}", limit, **more)


def outcome(folder: Path, *parts: Part, device: str = "cpu", seconds: float = LONG) -> tuple[dict, dict, str]:
    """Run parts; return them by name as the JSON file has them, the whole file, and the Markdown file."""
    results = run(Plan(parts, device, True, folder, seconds, commit="abc"))
    (written,) = folder.glob("*.json")
    content = json.loads(written.read_text())
    named = {part["name"]: part for part in content["parts"]}
    assert [(r.part.name, r.status) for r in results] == [(name, part["status"]) for name, part in named.items()]
    return named, content, written.with_suffix(".md").read_text()


def test_a_part_that_goes_wrong_does_not_stop_the_others(tmp_path, capfd):
    names = ("good", "failing", "crashing", "cut_off", "absent", "own_fault", "unwilling")
    last = fake("looking", options=(str(tmp_path),))
    parts, content, text = outcome(tmp_path, *map(fake, names), last)
    assert {name: (part["status"], part["reason"]) for name, part in parts.items()} == {
        "good": (OK, ""),
        "failing": (FAILED, "ValueError: an illegal memory access"),
        "crashing": (FAILED, "the process ended by SIGABRT"),
        "cut_off": (FAILED, "the process ended with status 3"),
        "absent": (PASSED_OVER, "the package a_package_that_nobody_has is not installed"),
        "own_fault": (FAILED, "ModuleNotFoundError: No module named 'benchmarks.no_such_module'"),
        "unwilling": (PASSED_OVER, "no compiler"),
        "looking": (OK, ""),
    }
    assert parts["good"]["rows"] == [{"case": "a", "ms": 1.5, "flops": "nan"}, {"case": "b|c", "ms": 12345.6}]
    assert parts["failing"]["rows"] == parts["crashing"]["rows"] == [{"case": "before"}]
    assert parts["cut_off"]["rows"] == [{"case": "whole"}]
    assert parts["looking"]["rows"] == [{"before": " ".join(names)}], "the tables are written after every part"
    assert (
        content["card"] == "Fake 9000, PCIe" and content["commit"] and re.fullmatch("[0-9a-f]{16}", content["sources"])
    )
    assert "| a | 1.5 | nan |" in text and "| b\\|c | 12346 |  |" in text
    assert (
        "## The failing one (failed: ValueError: an illegal memory access)" in text and "## The absent one" not in text
    )
    assert re.search(r"\| absent \| passed over \| the package a_package_that_nobody_has is not installed \|", text)
    names = sorted(path.name for path in tmp_path.iterdir())
    stem = f"gpu-fake-9000-pcie-quick-{content['date']}"
    assert names == [f"{stem}.json", f"{stem}.log", f"{stem}.md"]
    shown = capfd.readouterr().out
    assert "[failing] Traceback" in shown and "[failing] Traceback" in (tmp_path / f"{stem}.log").read_text()


def test_a_part_that_hangs_is_stopped(tmp_path):
    parts, content, _ = outcome(tmp_path, fake("hanging", limit=1.0), fake("good"), device="cuda")
    assert parts["hanging"]["status"] == FAILED and parts["hanging"]["reason"] == "stopped after 1 s, its limit"
    assert parts["good"]["status"] == OK and content["card"] == "Fake 9000, PCIe"


def test_nothing_is_begun_when_the_time_is_up(tmp_path):
    parts, _, _ = outcome(tmp_path, fake("good"), seconds=10.0)
    assert parts["good"]["status"] == NOT_RUN and "--parts good" in parts["good"]["reason"]


def ended(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet collected by whoever inherited it."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_driver_that_is_told_to_end_leaves_the_tables_and_no_process(tmp_path):
    code = (
        "from pathlib import Path; from tests.test_gpu_benchmark import *;"
        f"run(Plan([fake('good'), fake('hanging')], 'cpu', False, Path({str(tmp_path)!r}), {LONG}))"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    command = [sys.executable, "-u", "-c", code]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths})
    assert driver.stdout is not None
    pid = next(int(line.split()[-1]) for line in driver.stdout if line.startswith("[hanging] pid"))
    driver.terminate()
    assert driver.wait(60) == 128 + signal.SIGTERM
    driver.stdout.close()
    assert ended(pid)
    (written,) = tmp_path.glob("*.json")
    assert [part["name"] for part in json.loads(written.read_text())["parts"]] == ["good"]


def test_what_a_part_leaves_behind_ends_with_it(tmp_path):
    parts, _, _ = outcome(tmp_path, fake("leaving"))
    assert ended(parts["leaving"]["rows"][0]["pid"])


def test_what_has_no_meaning_on_a_cpu_is_passed_over(tmp_path):
    only, long = fake("good", only_cuda="graphs need a GPU"), fake("failing", in_quick=False)
    parts, _, _ = outcome(tmp_path, only, long)
    assert parts["good"]["status"] == PASSED_OVER and parts["good"]["reason"] == "graphs need a GPU"
    assert parts["failing"]["status"] == PASSED_OVER and "only by --parts failing" in parts["failing"]["reason"]


def test_the_card_is_described(tmp_path, monkeypatch):
    properties = SimpleNamespace(name="NVIDIA H100 80GB HBM3", multi_processor_count=132, major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (70 * 2**30, 80 * 2**30))
    monkeypatch.setattr(card, "_driver", lambda: "580.1")
    job = Job("cuda", False, tmp_path, tmp_path / "found")
    card.run(job)
    facts: dict[str, object] = {}
    for line in job.found.read_text().splitlines():
        facts |= json.loads(line)["fact"]
    assert facts["card"] == "NVIDIA H100 80GB HBM3" and facts["capability"] == "9.0" and facts["memory_GiB"] == 80.0
    assert Table({**facts, "date": "2026-11-27"}, "cuda", False, "", []).stem == "gpu-nvidia-h100-80gb-hbm3-2026-11-27"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="finds no CUDA device; `--device cpu --quick`"):
        card.run(job)


def test_parts_are_chosen_by_name_and_the_card_always():
    assert gpu.selected_parts(None) == list(PARTS)
    assert [part.name for part in gpu.selected_parts("tests,step")] == ["card", "step", "tests"]
    with pytest.raises(ValueError, match=r"--parts stepp: choose from card, matrix, deformable"):
        gpu.selected_parts("step,stepp")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_is_there(part):
    module, _, function = part.target.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
