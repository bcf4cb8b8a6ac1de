"""Parts for the tests of the GPU benchmark's driver: each goes wrong in its own way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gpu_parts.job import Job, PassedOver


def good(job: Job) -> None:
    """Goes well, and names the card."""
    job.fact(card="Fake 9000, PCIe")
    job.row(case="a", ms=1.5, flops=float("nan"))
    job.row(case="b|c", ms=12345.6)
    job.note(f"device {job.device}, quick {job.quick}, options {', '.join(job.options)}")


def failing(job: Job) -> None:
    """Fails after its first row."""
    job.row(case="before")
    raise ValueError("an illegal memory access\nwas encountered")


def hanging(job: Job) -> None:
    """Never ends."""
    job.row(pid=os.getpid())
    while True:
        time.sleep(60)


def crashing(job: Job) -> None:
    """Takes its process down."""
    job.row(case="before")
    os.kill(os.getpid(), signal.SIGABRT)


def cut_off(job: Job) -> None:
    """Is ended in the middle of a line."""
    job.row(case="whole")
    with job.found.open("a") as file:
        file.write('{"row": {"case": "ha')
    os._exit(3)


def absent(job: Job) -> None:
    """Needs a package that is not there."""
    import a_package_that_nobody_has  # noqa: F401


def own_fault(job: Job) -> None:
    """Needs a module that this project should hold."""
    import benchmarks.no_such_module  # noqa: F401


def unwilling(job: Job) -> None:
    """Says itself that it cannot run."""
    raise PassedOver("no compiler")


def leaving(job: Job) -> None:
    """Ends, and leaves a process behind."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    job.row(pid=child.pid)


def looking(job: Job) -> None:
    """Tells what is written of the parts before it; the option is the folder."""
    (written,) = Path(job.options[0]).glob("*.json")
    job.row(before=" ".join(part["name"] for part in json.loads(written.read_text())["parts"]))
