"""Run one part in this process: ``python -m benchmarks.gpu_parts TARGET ...``, called by the driver."""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import importlib.util
import math
import signal
from pathlib import Path

from benchmarks.gpu_parts.job import Job, PassedOver

BEFORE_THE_END = 3
"""Seconds before the limit at which the stacks of all threads are printed: where a part hangs."""
LONGER = 10
"""Seconds after the limit at which the part ends by itself, where the driver was killed."""


def main() -> int:
    """Run the part; 1 if it fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="module:function")
    parser.add_argument("options", nargs="*")
    parser.add_argument("--device", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--found", type=Path, required=True)
    parser.add_argument("--limit", type=float, required=True)
    options = parser.parse_args()
    signal.alarm(math.ceil(options.limit) + LONGER)
    faulthandler.enable()
    faulthandler.dump_traceback_later(max(options.limit - BEFORE_THE_END, 1), exit=False)
    job = Job(options.device, options.quick, options.work, options.found, tuple(options.options))
    module, _, function = options.target.partition(":")
    try:
        getattr(importlib.import_module(module), function)(job)
    except PassedOver as reason:
        job.tell("passed", str(reason))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or importlib.util.find_spec(package) is not None:  # a module that a package there should hold
            job.tell("error", _line(error))
            raise
        job.tell("passed", f"the package {package} is not installed")
    except BaseException as error:
        job.tell("error", _line(error))
        raise
    faulthandler.cancel_dump_traceback_later()
    return 0


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:400]}" if text else type(error).__name__


if __name__ == "__main__":
    raise SystemExit(main())
