"""``tvface people`` and ``tvface calibrate``: sheets and thresholds with which a human decides who is who."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tvface.cli.options import add_command, add_configuration, settings_of

# Each command imports its modules in its function, so that `tvface --help` stays quick.


def add_people(commands: Any) -> None:
    """Add ``tvface people`` to the commands of a parser."""
    about = "a contact sheet per person of a show, with the tracks that identities.decisions merges, splits and names"
    parser = add_command(commands, "people", about, _write_people)
    parser.add_argument("--show", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets and people.tsv")
    parser.add_argument("--per-person", type=int, default=24, help="most faces on a sheet")
    parser.add_argument("--min-faces", type=int, default=1, help="people with fewer faces get no sheet")
    add_configuration(parser)


def _write_people(options: argparse.Namespace) -> None:
    from tvface.reporting.people import write_people

    for path in write_people(settings_of(options), options.show, options.out, options.per_person, options.min_faces):
        print(path)


def add_calibrate(commands: Any) -> None:
    """Add ``tvface calibrate`` to the commands of a parser."""
    about = (
        "thresholds of identity from the run's own footage: faces of one frame, of different shows, and what "
        "identities.decisions says are two people; faces that stay in their place are one"
    )
    parser = add_command(commands, "calibrate", about, _calibrate)
    parser.add_argument(
        "--show",
        action="append",
        help="show, may be repeated; their people count as different, so name one where shows share actors "
        "(default: all shows of the run)",
    )
    parser.add_argument(
        "--false-accepts",
        type=_part,
        default=0.01,
        metavar="PART",
        help="part of the pairs of two people that a threshold may join (0 .. 0.5, default 0.01)",
    )
    parser.add_argument("--out", type=Path, help="folder for thresholds.tsv, thresholds.yaml and thresholds.png")
    add_configuration(parser)


def _part(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 .. 0.5")
    return value


def _calibrate(options: argparse.Namespace) -> None:
    from tvface.episodes import list_episodes
    from tvface.files.atomic import atomic
    from tvface.reporting.calibration import calibrate, snippet, table, write_histograms
    from tvface.settings import SettingsError

    settings = settings_of(options)
    shows = sorted({episode.show for episode in list_episodes(settings)})
    unknown = sorted(set(options.show or ()) - set(shows))
    if unknown:
        raise SettingsError(f"calibrate: no show {unknown[0]!r} in this run; there are {', '.join(shows)}")
    lines = calibrate(settings, sorted(set(options.show)) if options.show else shows, options.false_accepts)
    rows, text = table(lines), snippet(lines)
    print(rows.T.to_string(header=False))
    for line in lines:
        if line.choice is None:
            print(f"{line.setting}: no suggestion, pairs of one kind are lacking")
    print(f"\n{text}", end="")
    if options.out is None:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    with atomic(options.out / "thresholds.tsv") as temporary:
        rows.to_csv(temporary, sep="\t", index=False)
    with atomic(options.out / "thresholds.yaml") as temporary:
        temporary.write_text(text, encoding="utf-8")
    write_histograms(lines, options.out / "thresholds.png")
    for kind in ("tsv", "yaml", "png"):
        print(options.out / f"thresholds.{kind}")
