"""A simulated TVQA of the size of the paper's two shows: can it be planned, how many files, how long would it take?

    python benchmarks/tvqa_scale.py [--results FOLDER] [--rates FILE] [--gpu-rates FILE]

Castle and Friends as TVQA's README counts them: 173 + 226 episodes, 4,698 + 5,337 clips, 2.3 million frames, in
TVQA's folders and names, double episodes included. Every frame is a real JPEG of the embedded show, hard-linked. Then:

* how long listing takes, and `snakemake -n` over the folders and over the sample sheet (wall, processor, peak memory);
* how fast `tvface archive` takes episodes out of a split archive, and so how long the published 147 GB take;
* how many files each stage would write;
* the hours on 8 cores and on one GPU, with the arithmetic, from the rates in FILE: what ``benchmarks/episode_memory.py
  --out FILE`` wrote on such a machine, for two lengths of an episode, which separates start-up from work per frame.
  Without a file of a GPU's rates a GPU's hours are estimated: FLOPs of the paper's networks over --tflops.

It needs 1 GB in --folder (default: the temporary folder), all of it folders, and removes it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

from benchmarks.data_stages import STAGES, link_clip, measured, show_pictures, tvface
from tvface.assets.registry import ROOT
from tvface.dag.jobs import JOBS, job_name
from tvface.dag.stages import STAGES as STAGE_TABLE
from tvface.episodes import Episode, list_episodes
from tvface.episodes.sheet import sheet_text
from tvface.settings import parse_settings

SHOWS = {"castle": (173, 4698, 8), "friends": (226, 5337, 10)}  # episodes, clips, seasons
FRAMES = 2_300_000
ARCHIVE, ARCHIVE_BYTES = "tvqa_video_frames_fps3_hq.tar.gz", 146_790_095_862
SECONDS_LIMIT, MEMORY_LIMIT_MB = 20, 400
CORES = 8
PER_EPISODE = tuple(stage for stage in STAGES if stage != "identities")

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the tree, measure, print, clean up; fail if the dry run is slower or larger than promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="results of an earlier demo, whose frames serve")
    parser.add_argument("--folder", type=Path, help="where the tree is made")
    parser.add_argument("--frames", type=int, default=FRAMES, help="frames in all clips together")
    parser.add_argument("--archive-frames", type=int, default=9600, help="frames in the split archive that is timed")
    parser.add_argument("--rates", type=Path, help="TSV of benchmarks/episode_memory.py on a CPU")
    parser.add_argument("--gpu-rates", type=Path, help="TSV of benchmarks/episode_memory.py on a machine with a GPU")
    parser.add_argument("--tflops", type=float, default=50.0, help="rate assumed of a GPU that was not measured")
    options = parser.parse_args(arguments)
    made = Path(tempfile.mkdtemp(prefix="tvface-tvqa-", dir=options.folder))
    try:
        episodes = build(made, options.results, options.frames)
        seconds, megabytes = plan(made, episodes)
        take_archive(made, options.archive_frames)
        print_files(episodes)
        if options.rates is not None:
            rates = pd.read_csv(options.rates, sep="\t")
            hours = print_hours(f"{CORES} cores", rates, len(episodes), options.frames, True)
            if options.gpu_rates is None:
                # Only now: a command started from a process that holds torch would be charged with its memory.
                from benchmarks.gpu_hours import estimate

                pictures = sorted((made / "pictures").iterdir())[:8]
                configs = [ROOT / "config.yaml", ROOT / "workflow" / "configs" / "tvqa.yaml"]
                estimate(rates, configs, pictures, options.frames, options.tflops, hours)
        if options.gpu_rates is not None:
            print_hours("one GPU", pd.read_csv(options.gpu_rates, sep="\t"), len(episodes), options.frames, False)
    finally:
        shutil.rmtree(made)
    if seconds > SECONDS_LIMIT or megabytes > MEMORY_LIMIT_MB:
        raise SystemExit(
            f"dry run: {seconds:.1f} s, {megabytes:.0f} MB; {SECONDS_LIMIT} s, {MEMORY_LIMIT_MB} MB promised"
        )


def build(folder: Path, results: Path | None, frames: int) -> list[Episode]:
    """Make the tree and return its episodes."""
    pictures = show_pictures(folder / "pictures", results)
    names = clip_names()
    counts = clip_lengths(len(names), frames)
    start = time.perf_counter()
    for number, (name, count) in enumerate(zip(names, counts, strict=True)):
        show = name.partition("_")[0]
        link_clip(folder / "frames_hq" / f"{show}_frames" / name, pictures, number * 97, int(count))
    print(f"built {len(names):,} clips, {counts.sum():,} frames in {time.perf_counter() - start:.0f} s")
    settings = parse_settings({"synth": {"enabled": False}, "tvqa": str(folder), "shows": list(SHOWS)})
    episodes = timed("list the clips", lambda: list_episodes(settings))
    listed = timed("list every frame", lambda: sum(1 for e in episodes for s in e.sources for _ in s.iterdir()))
    assert listed == counts.sum() and sum(len(episode.clips) for episode in episodes) == len(names)
    return episodes


def clip_names() -> list[str]:
    """Return the names of the clips of both shows; every 40th episode is a double one (``s06e24-25``)."""
    names = []
    for show, (episodes, clips, seasons) in SHOWS.items():
        for number in range(episodes):
            season, within = number % seasons + 1, number // seasons + 1
            second = f"-{within + 1:02d}" if number % 40 == 39 else ""
            size = clips // episodes + (number < clips % episodes)
            names += [
                f"{show}_s{season:02d}e{within:02d}{second}_seg{1 + (clip > 2):02d}_clip_{clip:02d}"
                for clip in range(size)
            ]
    return names


def clip_lengths(count: int, frames: int) -> np.ndarray:
    """Return how many frames each clip has: 60 to 90 seconds at 3 frames/s (TVQA's README), scaled to the sum."""
    drawn = np.random.default_rng(0).integers(180, 271, count).astype(np.float64)
    scaled = np.floor(np.cumsum(drawn) / drawn.sum() * frames + 0.5).astype(np.int64)
    return np.diff(scaled, prepend=0)


def plan(folder: Path, episodes: Sequence[Episode]) -> tuple[float, float]:
    """Plan the whole run from the folders and from a sheet; return processor seconds and peak memory of the larger.

    Snakemake plans on one thread, so on a quiet machine these seconds are the time one waits.
    """
    sheet = folder / "sheet.tsv"
    sheet.write_text(sheet_text(episodes), encoding="utf-8")
    read = parse_settings({"synth": {"enabled": False}, "sheet": str(sheet)})
    assert timed(f"read the sheet of {sheet.stat().st_size:,} B", lambda: list_episodes(read)) == list(episodes)
    seconds = megabytes = 0.0
    for what, footage in (("folders", f"tvqa={folder}"), ("the sheet", f"sheet={sheet}")):
        command = [sys.executable, "-m", "snakemake", "--dry-run"]
        command += ["--config", footage, f"results={folder / 'results'}", "synth={enabled: false}"]
        wall, cpu, peak = measured(command, ROOT, folder / "output.log")
        print(f"snakemake -n from {what}: {wall:.1f} s wall, {cpu:.1f} s processor, {peak:.0f} MB")
        seconds, megabytes = max(seconds, cpu), max(megabytes, peak)
    return seconds, megabytes


def take_archive(folder: Path, frames: int) -> None:
    """Make a split archive of some clips of the tree, half of them on the sheet, and time the archive stage."""
    clips = sorted((folder / "frames_hq").glob("*_frames/*"))
    clips = clips[:: max(1, len(clips) * len(list(clips[0].iterdir())) // frames)]
    np.random.default_rng(0).shuffle(clips)  # type: ignore[arg-type]
    parts = folder / "parts"
    parts.mkdir()
    # The pictures are hard links to a few; an archive of links would hold no pictures.
    with (
        gzip.open(parts / "whole", "wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|", dereference=True) as tar,
    ):
        for clip in clips:
            tar.add(clip, clip.relative_to(folder).as_posix())
    size, sums = (parts / "whole").stat().st_size, []
    with open(parts / "whole", "rb") as whole:
        for letter in "abcdefgh":
            part = parts / f"{ARCHIVE}.a{letter}"
            part.write_bytes(whole.read(-(-size // 8)))
            sums.append(f"{hashlib.md5(part.read_bytes(), usedforsecurity=False).hexdigest()}  {part.name}\n")
    (parts / "whole").unlink()
    (parts / "archive.checksum.txt").write_text("".join(sums))
    selected_clips = [clip.name for clip in clips if clip.name.startswith("castle")]
    rows = [f"castle\t{name.partition('_seg')[0]}\tarchive:{name}\n" for name in selected_clips]
    (folder / "clips.tsv").write_text("show\tepisode\tsource\n" + "".join(rows))
    settings_options = ["--set", "synth.enabled=false", "--set", "archive=parts", "--set", "sheet=clips.tsv"]
    wall, cpu, peak = tvface(folder, "archive", *settings_options)
    hours = ARCHIVE_BYTES / size * np.array([wall, cpu]) / 3600
    print(
        f"archive: {size / 1e6:.0f} MB, {len(selected_clips)} of {len(clips)} clips taken: {wall:.1f} s wall, "
        f"{cpu:.1f} s processor, {peak:.0f} MB; so {ARCHIVE_BYTES / 1e9:.0f} GB: {hours[0]:.2f} h wall, "
        f"{hours[1]:.2f} h processor"
    )


def print_files(episodes: Sequence[Episode]) -> None:
    """Print how many files every stage of the data half writes, logs and benchmarks aside."""
    units = {"episode": len(episodes), "show": len({episode.show for episode in episodes})}
    for stage in STAGES:
        shard = STAGE_TABLE[stage].shard
        shards, files = units[shard], len(JOBS[job_name(stage, shard)].writes)
        print(f"{stage:10} {shards:4} jobs x {files} files = {shards * files:5,} files")


def print_hours(what: str, rates: pd.DataFrame, episodes: int, frames: int, cores: bool) -> float:
    """Print the extrapolation and return its hours: seconds per job + seconds per frame x frames, from two lengths.

    Jobs of a CPU run on one core each, so processor seconds are divided by the cores; a GPU runs them one by one, so
    wall seconds count.
    """
    column, total = ("cpu_s" if cores else "wall_s"), 0.0
    print(
        f"\n{what}: per stage, start-up x {episodes} episodes + work x {frames:,} frames ({column} of {sum_of(rates)})"
    )
    for stage in PER_EPISODE:
        rows = rates[rates["stage"] == stage].sort_values("frames")
        if len(rows) < 2:
            raise SystemExit(f"the rates hold {len(rows)} lengths of {stage}; measure two: --frames 240 960 --out FILE")
        first, last = rows.iloc[0], rows.iloc[-1]
        each = (last[column] - first[column]) / (last["frames"] - first["frames"])
        start = max(0.0, first[column] - each * first["frames"])
        hours = (start * episodes + each * frames) / 3600
        total += hours
        print(f"{stage:10} {start:5.1f} s x {episodes} + {1000 * each:7.2f} ms x {frames:,} = {hours:7.1f} h")
    if cores:
        print(f"sum {total:.1f} h of one core / {CORES} = {total / CORES:.1f} h; without identities, one job per show")
        return total / CORES
    print(f"sum {total:.1f} h, jobs one after the other; without identities, one job per show")
    return total


def sum_of(rates: pd.DataFrame) -> str:
    """Return which episodes were measured."""
    return " and ".join(f"{count:,}" for count in sorted(set(rates["frames"]))) + " frames"


def timed(what: str, do: Callable[[], T]) -> T:
    """Return what a function returns and print how long it took."""
    start = time.perf_counter()
    result = do()
    print(f"{what}: {time.perf_counter() - start:.2f} s")
    return result


if __name__ == "__main__":
    main()
