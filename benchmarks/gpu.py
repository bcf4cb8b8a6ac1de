"""All measurements on a GPU, in one command of under ten minutes, from a clean checkout and without network.

    python benchmarks/gpu.py                       # on the first CUDA device
    python benchmarks/gpu.py --device cpu --quick  # on a CPU, in minutes: checks that every line runs
    python benchmarks/gpu.py --parts step-graphs,step-compile

It needs only torch and torchvision, numpy, pandas, pyarrow, numba, OpenCV, lightning-fabric and the like; a part names
the package that it lacks and is skipped. ``benchmarks/gpu_parts/__init__.py`` lists the parts in their order, with
their time limits. Each runs in its own process; one that fails or hangs is listed in the table with its error, and the
next one runs. After every part ``gpu-<card>-<date>.json``, ``.md`` and ``.log`` are written into ``--out``, so a kill
at any moment leaves the tables of the finished parts. The status is 1 if a part failed.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

from benchmarks.gpu_parts import PARTS, ROOT, Part
from benchmarks.gpu_parts.driver import FAILED, Plan, run

SECONDS = 560.0
"""Of ten minutes, with room for the start of the interpreter and for what surrounds the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 ..., or cpu")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that every line runs")
    parser.add_argument("--parts", help=f"some of them, by commas: {', '.join(part.name for part in PARTS)}")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the tables")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which no part goes on")
    parser.add_argument("--commit", default="", help="what the table says where git is absent")
    options = parser.parse_args(arguments)
    try:
        parts = selected_parts(options.parts)
    except ValueError as error:
        parser.error(str(error))
    suffix = options.parts.replace(",", "-") if options.parts else ""
    out = options.out.resolve()
    results = run(Plan(parts, options.device, options.quick, out, options.seconds, suffix, options.commit))
    return int(any(result.status == FAILED for result in results))


def selected_parts(names: str | None) -> list[Part]:
    """Return the named parts in their order; the first, which names the card, is always among them.

    Raises:
        ValueError: no such part; the message lists them.
    """
    if names is None:
        return list(PARTS)
    requested = set(names.split(","))
    unknown = sorted(requested - {part.name for part in PARTS})
    if unknown:
        raise ValueError(f"--parts {', '.join(unknown)}: choose from {', '.join(part.name for part in PARTS)}")
    return [
        dataclasses.replace(part, in_quick=True)
        for index, part in enumerate(PARTS)
        if index == 0 or part.name in requested
    ]


if __name__ == "__main__":
    raise SystemExit(main())
