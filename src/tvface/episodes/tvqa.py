"""Episodes of TVQA (Lei et al. 2018): from its frame tree, or from the names of its clips."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tvface.episodes.base import Episode, EpisodeError, natural_key, parse_clip, shorten

_log = logging.getLogger("tvface.episodes")


def tvqa_episodes(root: str | Path, shows: Sequence[str]) -> list[Episode]:
    """Return the episodes of shows in a TVQA frame tree, clips in natural order.

    ``root`` is searched for ``<abbreviation>_frames`` folders at any depth. A clip is a folder
    ``{abbreviation}_sSSeEE_segNN_clip_NN`` (double episodes ``s06e24-25``; The Big Bang Theory, ``bbt``, has no
    prefix). Folders of other names are left out and counted in the log.

    Args:
        root: folder of the unpacked frames.
        shows: TVQA's abbreviations.

    Raises:
        EpisodeError: no such folder, no frame folders, one of ``shows`` is missing, or a clip is in two places.
    """
    root = Path(root)
    if not root.is_dir():
        raise EpisodeError(
            f"tvqa: {root} is not a folder (seen from {Path.cwd()}); point 'tvqa' at the unpacked frames"
        )
    folders = _frame_folders(root)
    if not folders:
        raise EpisodeError(f"tvqa: no '<show>_frames' folder below {root}; point 'tvqa' at the unpacked frame archive")
    clips: dict[str, Path] = {}
    unrecognised: list[str] = []
    for folder in folders:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
        for name in names:
            if parse_clip(name) is None:
                unrecognised.append(f"{folder.name}/{name}")
                continue
            if name in clips:
                raise EpisodeError(
                    f"tvqa: the clip {name} stands in {clips[name].parent} and in {folder}; point 'tvqa' at one of them"
                )
            clips[name] = folder / name
    if unrecognised:
        _log.warning(
            "tvqa: %d folders are not named as TVQA clips and are left out: %s",
            len(unrecognised),
            shorten(unrecognised),
        )
    return [
        Episode(show, name, "tvqa", tuple(clips[clip] for clip in members), members)
        for show, name, members in grouped(clips, shows, ("tvqa", f"below {root}"))
    ]


def grouped(
    clips: Iterable[str], shows: Sequence[str], where: tuple[str, str]
) -> list[tuple[str, str, tuple[str, ...]]]:
    """Group the clips of shows into (show, episode name, clips), all in natural order.

    Args:
        clips: names of TVQA clips.
        shows: TVQA's abbreviations.
        where: setting and place, for the message about a show without clips.

    Raises:
        EpisodeError: one of ``shows`` has no clip.
    """
    members: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
    for name in clips:
        key = parse_clip(name)
        assert key is not None, name
        show, episode, segment, clip = key
        members[show, episode].append((segment, clip, name))
    available = sorted({show for show, _ in members})
    missing = [show for show in shows if show not in available]
    if missing:
        setting, place = where
        raise EpisodeError(
            f"{setting}: no clips of {', '.join(missing)} {place}; 'shows' can name {', '.join(available) or 'none'}"
        )
    order = sorted((key for key in members if key[0] in shows), key=lambda key: (key[0], natural_key(key[1])))
    return [
        (show, f"{show}_{episode}", tuple(member[2] for member in sorted(members[show, episode])))
        for show, episode in order
    ]


def _frame_folders(root: Path) -> list[Path]:
    if root.name.endswith("_frames"):
        return [root]
    folders = []
    for folder, children, _ in os.walk(root):
        folders += [Path(folder, child) for child in children if child.endswith("_frames")]
        # Clips hold hundreds of pictures each: never walk into a frame folder.
        children[:] = sorted(child for child in children if not child.endswith("_frames"))
    return sorted(folders)
