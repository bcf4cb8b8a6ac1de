"""The tests that need a GPU: all marked ``gpu``, wherever they are; the option is what pytest chooses by."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter

from benchmarks.gpu_parts import ROOT
from benchmarks.gpu_parts.job import Job, PassedOver

MARK = "mark.gpu"


def run(job: Job) -> None:
    """Run them; on a CPU they are skipped one by one, by name.

    Raises:
        AssertionError: one fails, none is found, or on a GPU all are skipped.
    """
    if importlib.util.find_spec("pytest") is None:
        raise PassedOver("the package pytest is not installed")
    # Only the files that hold one: others need packages that are not everywhere.
    files = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if MARK in path.read_text(encoding="utf-8")]
    assert files, "no test is marked gpu"
    (marker,) = job.options
    report = job.work / f"{marker.replace(' ', '-')}.xml"
    names = [str(path.relative_to(ROOT)) for path in files]
    words = ["-m", marker, "-vv", "-ra", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", *words, f"--junitxml={report}", *names]
    status = subprocess.run(command, check=False, cwd=ROOT).returncode
    assert report.is_file(), f"pytest ended with status {status} before it could tell"
    outcomes = []
    for case in ET.parse(report).getroot().iter("testcase"):
        outcome, why = _outcome(case)
        outcomes.append(outcome)
        name, seconds = f"{case.get('classname')}.{case.get('name')}", float(case.get("time", 0))
        job.row(test=name, outcome=outcome, why=why, s=seconds)
    counts = Counter(outcomes)
    job.note(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) + f" in {len(names)} files")
    assert status == 0, f"pytest ended with status {status}: {counts['failed']} failed"
    assert not job.cuda or counts["passed"], "all were skipped, with a GPU at hand"


def _outcome(case: ET.Element) -> tuple[str, str]:
    for tag, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        element = case.find(tag)
        if element is not None:
            return outcome, (element.get("message") or "").partition("\n")[0][:200]
    return "passed", ""
