"""The names of SPyNet's weight files. Nothing here imports torch: Snakemake calls it while it builds the DAG."""

from __future__ import annotations

import re
from pathlib import Path

LEVELS = 6

_TORCH7 = re.compile(r"^modelL([1-6])_(\w+)\.t7$")


class SpynetFilesError(ValueError):
    """A folder does not hold the Torch7 files of one training; the message names what it holds."""


def torch7_level(path: Path) -> int | None:
    """Return the level, 0 the coarsest, of one of the authors' files ``modelL1_F.t7`` ..; None of another file."""
    match = _TORCH7.match(path.name)
    return None if match is None else int(match[1]) - 1


def weight_files(path: Path) -> list[Path]:
    """Return the files that make up SPyNet's weights; they may be missing.

    Args:
        path: a file; one of ``modelL1_F.t7`` .. ``modelL6_F.t7`` stands for all of its tag (``F`` Sintel final, ``C``
            Sintel clean, ``3``, ``4`` Chairs, ``K`` KITTI), level 1 first; a folder must hold the files of one tag. The
            tags 3 and 4 have no sixth file: the fifth serves for both levels, as in the original.

    Raises:
        SpynetFilesError: the folder holds none or several tags.
    """
    match = _TORCH7.match(path.name)
    if not path.is_dir() and match is None:
        return [path]
    folder = path if path.is_dir() else path.parent
    if match is not None and not path.is_dir():
        tags = {match[2]}
    else:
        tags = {named[2] for file in folder.iterdir() if (named := _TORCH7.match(file.name))}
    if len(tags) != 1:
        held = f"those of the tags {', '.join(sorted(tags))}: name one file instead" if tags else "none"
        raise SpynetFilesError(f"{folder} should hold SPyNet's files modelL1_F.t7 .. modelL6_F.t7 and holds {held}")
    (tag,) = tags
    files = [folder / f"modelL{level}_{tag}.t7" for level in range(1, LEVELS + 1)]
    if tag in ("3", "4") and not files[-1].is_file():
        files[-1] = files[-2]
    return files
