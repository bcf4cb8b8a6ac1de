"""Run the parts, each in its own process with a time limit, and write the tables after every one.

A part that fails, hangs, or breaks the GPU's context for its process does not touch the others. A kill at any moment
leaves the tables of what was done.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.gpu_parts import ROOT, Part
from benchmarks.gpu_parts.source import source
from benchmarks.gpu_parts.tables import Table, write

OK, FAILED, PASSED_OVER, NOT_RUN = "ok", "failed", "passed over", "not run"
ON_A_CPU = 4
"""Times as long a part may take there."""
LEAST = 15.0
"""Seconds under which a part is not begun."""
GRACE = 5.0
"""Seconds that are kept for what comes after the last part."""


@dataclass
class Result:
    """Result of a part: its status, the reason if it is not ``ok``, and its rows, notes and facts."""

    part: Part
    status: str
    reason: str = ""
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is run, where, and for how long at most (seconds); ``suffix`` ends the files' names."""

    parts: Sequence[Part]
    device: str
    quick: bool
    out: Path
    seconds: float
    suffix: str = ""
    commit: str = ""


def run(plan: Plan) -> list[Result]:
    """Run the parts of a plan in their order; returns what came of them."""
    end = time.monotonic() + plan.seconds - GRACE
    results: list[Result] = []
    written: list[Path] = []
    facts: dict[str, Any] = source(plan.commit)
    plan.out.mkdir(parents=True, exist_ok=True)
    with (
        _leaving_on_sigterm(),
        tempfile.TemporaryDirectory(prefix="tvface-gpu-") as name,
        (Path(name) / "log").open("w+") as log,
    ):
        for part in plan.parts:
            if facts.get("devices") == 0:
                result = Result(part, NOT_RUN, "no CUDA device")
            else:
                result = _one(part, plan, Path(name), end - time.monotonic(), log)
            facts.update(result.facts)
            results.append(result)
            _say(f"{part.name}: {result.status} {result.reason} ({result.seconds:.0f} s)", log)
            table = Table(facts, plan.device, plan.quick, plan.suffix, results)
            before, written = written, write(plan.out, table, log)
            for path in set(before) - set(written):  # the card was not known yet
                path.unlink()
        _say("\n".join(str(path) for path in written), log)
    return results


@contextmanager
def _leaving_on_sigterm() -> Iterator[None]:
    """Turn the signal into an exception, so that the part at work ends too."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _one(part: Part, plan: Plan, work: Path, left: float, log: IO[str]) -> Result:
    """Run one part, unless it has no meaning here or no time."""
    if part.only_cuda and not plan.device.startswith("cuda"):
        return Result(part, PASSED_OVER, part.only_cuda)
    if plan.quick and not part.in_quick:
        return Result(part, PASSED_OVER, f"takes minutes to compile: with --quick only by --parts {part.name}")
    if left < LEAST:
        return Result(part, NOT_RUN, f"no time left: --parts {part.name} runs it alone")
    limit = min(part.limit * (1 if plan.device.startswith("cuda") else ON_A_CPU), left)
    found = work / f"{part.name}.jsonl"
    words = [part.target, *part.options, "--device", plan.device, *["--quick"] * plan.quick]
    words += ["--work", str(work), "--found", str(found), "--limit", f"{limit:.1f}"]
    start = time.monotonic()
    # Sizes of --quick leave nothing to a second thread, and one waits for nobody on a busy machine.
    more = {"OMP_NUM_THREADS": "1"} if plan.quick and not plan.device.startswith("cuda") else {}
    status = _process([sys.executable, "-m", "benchmarks.gpu_parts", *words], part.name, limit, log, more)
    result = _result(part, found, status, limit)
    result.seconds = time.monotonic() - start
    return result


def _process(command: list[str], name: str, limit: float, log: IO[str], more: dict[str, str]) -> int | None:
    """Run a command and show its lines as they come; returns its status, None: it was stopped at its limit.

    Whatever it has started ends with it.
    """
    paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **more}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    reader = threading.Thread(target=_show, args=(process.stdout, name, log), daemon=True)
    reader.start()
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):  # all of its session are gone
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(GRACE)


def _show(lines: IO[str], name: str, log: IO[str]) -> None:
    for line in lines:
        _say(f"[{name}] {line.rstrip()}", log)


def _say(text: str, log: IO[str]) -> None:
    print(text, flush=True)
    log.write(text + "\n")


def _result(part: Part, file: Path, status: int | None, limit: float) -> Result:
    """Judge a part by its lines and the way it ended."""
    lines_by_kind: dict[str, list[Any]] = {kind: [] for kind in ("row", "note", "fact", "passed", "error")}
    lines = file.read_text(encoding="utf-8").split("\n") if file.is_file() else [""]
    for line in lines[:-1]:  # what stands behind the last end of a line was cut off in the writing
        for kind, value in json.loads(line).items():
            lines_by_kind[kind].append(value)
    facts = {name: value for each in lines_by_kind["fact"] for name, value in each.items()}
    result = Result(part, OK, "", 0.0, lines_by_kind["row"], lines_by_kind["note"], facts)
    if status is None:
        result.status, result.reason = FAILED, f"stopped after {limit:.0f} s, its limit"
    elif lines_by_kind["error"]:
        result.status, result.reason = FAILED, "; ".join(lines_by_kind["error"])
    elif status != 0:
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        result.status, result.reason = FAILED, f"the process ended {how}"
    elif lines_by_kind["passed"]:
        result.status, result.reason = PASSED_OVER, "; ".join(lines_by_kind["passed"])
    return result
