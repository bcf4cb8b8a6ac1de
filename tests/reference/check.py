"""Recompute a folder of reference outputs of the original implementations with tvface, and print every comparison.

    python tests/reference/check.py FOLDER [--only 'net/*'] [--licensed DIR] [--weights DIR]

FOLDER has the sub-folders ``deca`` and ``net`` (layout: their README.md). One line per quantity: verdict, file and
name, largest absolute error, that error over the quantity's largest value, tolerance. The exit status is 1 if one
fails, if a known file is missing or cannot be read, or if a file holds a quantity that was not checked. How the
tolerances come about: README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A plain script: this checkout's own package and tests, whatever is installed.
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.reference.checks import Skipped, check_folder, unknown  # noqa: E402
from tests.reference.checks.sheet import Folder  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="has the sub-folders deca and net")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="check only files such as 'net/fan*'")
    parser.add_argument(
        "--licensed",
        type=Path,
        default=os.environ.get("TVFACE_LICENSED"),
        metavar="DIR",
        help="DECA's data files (default: $TVFACE_LICENSED or FOLDER/../licensed/deca)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        default=os.environ.get("TVFACE_WEIGHTS"),
        metavar="DIR",
        help="published weights (default: $TVFACE_WEIGHTS or FOLDER/../weights)",
    )
    options = parser.parse_args(arguments)
    root = options.folder.resolve()
    if not root.is_dir():
        print(f"{root}: no such folder", file=sys.stderr)
        return 1
    licensed = Path(options.licensed or root.parent / "licensed" / "deca")
    folder = Folder(root, licensed, Path(options.weights or root.parent / "weights"))
    passed, failed, skipped = 0, [], []
    for result in check_folder(folder, options.only):
        if isinstance(result, Skipped):
            skipped.append(result)
            print(f"skip {result.name}: {result.reason}", flush=True)
            continue
        passed += result.passed
        if not result.passed:
            failed.append(result.name)
        print(result, flush=True)
    if not passed and not failed and not skipped:
        print(f"no known file fits {options.only!r}", file=sys.stderr)
        return 1
    for name in unknown(folder):
        print(f"not checked: {name} (no check knows this file)")
    print(f"\n{passed} passed, {len(failed)} failed, {len(skipped)} files skipped")
    for result in skipped:
        print(f"  skipped {result.name}")
    for name in failed:
        print(f"  failed  {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
