"""Peak memory of every data stage for a whole episode, and whether it grows with the number of frames.

    python benchmarks/episode_memory.py [--frames 900 5400] [--results FOLDER] [--set NAME=VALUE] [--out FILE]

An episode in TVQA's form (clips of 240 JPEGs, 640 x 360) is linked from frames of the embedded show. No cap on
sequences is set, so that crops grow with the frames. Each stage runs in a process of its own, as in the workflow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

from benchmarks.data_stages import Measured, measure_episode, show_pictures, table

LIMIT_MB = 4000
UNCAPPED = {f"sequences.{name}": "null" for name in ("per_track", "per_person", "recap_distance")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the episodes, print a line per stage, and fail if a stage needs more than 4 GB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[900, 5400], help="lengths of the episodes")
    parser.add_argument("--results", type=Path, help="results of an earlier demo, whose frames serve")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="setting, as in `tvface`")
    parser.add_argument("--out", type=Path, help="write the numbers as TSV, for benchmarks/tvqa_scale.py --rates")
    options = parser.parse_args(arguments)
    extra = UNCAPPED | dict(assignment.split("=", 1) for assignment in options.set)
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="tvface-episode-") as name:
        folder = Path(name)
        pictures = show_pictures(folder / "pictures", options.results)
        for frames in sorted(options.frames):
            place = folder / str(frames)
            place.mkdir()
            for row in measure_episode(place, pictures, frames, extra):
                rows.append(row)
                print(
                    f"{row.stage:10} {row.frames:6} frames {row.items:6} rows {row.wall_s:8.1f} s wall "
                    f"{row.cpu_s:8.1f} s processor {row.peak_mb:7.0f} MB",
                    flush=True,
                )
                if options.out is not None:
                    table(rows).to_csv(options.out, sep="\t", index=False)
    print("\n".join(growth(rows)))
    above = [f"{row.stage} ({row.peak_mb:.0f} MB)" for row in rows if row.peak_mb > LIMIT_MB]
    if above:
        raise SystemExit(f"more than {LIMIT_MB} MB: {', '.join(above)}")


def growth(rows: Sequence[Measured]) -> list[str]:
    """Return per stage how much memory a frame more costs between the shortest and the longest episode."""
    lines = []
    for stage in dict.fromkeys(row.stage for row in rows):
        runs = sorted((row for row in rows if row.stage == stage), key=lambda row: row.frames)
        first, last = runs[0], runs[-1]
        if last.frames > first.frames:
            kilobytes = 1024 * (last.peak_mb - first.peak_mb) / (last.frames - first.frames)
            lines.append(
                f"{stage:10} {first.peak_mb:6.0f} MB for {first.frames}, {last.peak_mb:6.0f} MB for {last.frames} "
                f"frames: {kilobytes:6.1f} kB per frame"
            )
    return lines


if __name__ == "__main__":
    main()
