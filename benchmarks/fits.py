"""The fit of the head to found points, against the truth of rendered shows at the full frame rate.

    python -m benchmarks.fits RESULTS [RESULTS ...] [--set shape_prior=0.3] [--ways "45 frames" ...]

RESULTS are folders with a finished stage ``synth``; the first also holds ``head``. Shows of other people:

    tvface synth --episode demo_s01e01 --set seed=1 --set results=seed1

Of each person and shot up to 45 consecutive frames of the video are taken, whole faces of at least 60 px. The points
are found by the settings' landmarker in crops by the true box. Ways: the mean head, placed rigidly; each frame alone
(three of a track); all frames of a track with the shape that 5, 10 or all of them decide; one shape for all shots of a
person, as the pipeline has it; and the true points. Printed per way: distance to the found and to the true points,
errors of the vertices, gaps of lips and lids and turn of the jaw over time, in the picture, about each track's mean,
jitter of the error, CPU time. Then what is wrong with the points, and the skin's luminance over people.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from numpy.typing import NDArray

from benchmarks.fit_scores import point_errors, point_rows, score, skins
from benchmarks.fit_tracks import LONGEST, Track, find_points, tracks_of
from tvface.fitting.codes import FittedCodes
from tvface.fitting.eyes import Lids
from tvface.fitting.observed import Observed
from tvface.fitting.person import fit_person
from tvface.fitting.placed import Placed, observe
from tvface.fitting.readers import Readers
from tvface.fitting.shape_guess import ShapeGuess
from tvface.fitting.start import place
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.runtime.progress import progress
from tvface.settings import Settings, parse_settings

FRAMES = {"5 frames": 5, "10 frames": 10, "45 frames": LONGEST, "45, no eyes": LONGEST, "45, true points": LONGEST}
RIGID, ALONE, PERSON, FOUND = "mean head, rigid", "1 frame", "person", "found points"
BLIND = "45, no eyes"  # the points alone say how far the lids are open
WAYS = (FOUND, RIGID, ALONE, "5 frames", "10 frames", "45 frames", BLIND, PERSON, "45, true points")


class Fits:
    """The head, the settings and the tracks that all ways share."""

    def __init__(self, data: HeadData, settings: Settings, tracks: Sequence[Track]) -> None:
        self.data, self.settings, self.tracks = data, settings, tracks
        self.full = HeadModel(data, settings.head.n_shape, settings.head.n_expression)
        self.lids, self.readers = Lids(data), Readers.load(settings.fit.guess > 0)
        self.head = self.full.restricted(torch.from_numpy(self.lids.vertices))
        self.names = data.notes.get("expression_names", [])[: self.full.n_expression]
        self.size = settings.sequences.image_size
        self.truth = pd.concat([track.truth for track in tracks], ignore_index=True)
        self.codes: dict[str, FittedCodes] = {}  # of the last way, by track

    def way(self, name: str) -> dict[str, object]:
        """Return the numbers of one way."""
        parts, self.codes, spent = [], {}, 0.0
        if name == PERSON:
            people = [[t for t in self.tracks if t.person == person] for person in {t.person: 0 for t in self.tracks}]
        else:
            people = [[track] for track in self.tracks]
        for tracks in progress(people, name, len(people)):
            start = time.process_time()
            found = self._found(tracks) if name == FOUND else self._fitted(tracks, name)
            spent += time.process_time() - start
            parts += found
        rows = pd.concat(parts, ignore_index=True)
        line = score(rows, self.truth, self.data, self.size, name)
        return line | ({} if name == FOUND else {"CPU s": spent / len(rows)})

    def _found(self, tracks: Sequence[Track]) -> list[pd.DataFrame]:
        return [point_rows(track, track.points, np.arange(len(track.points))) for track in tracks]

    def _fitted(self, tracks: Sequence[Track], name: str) -> list[pd.DataFrame]:
        points = [track.true_points if "true" in name else track.points for track in tracks]
        sure = [np.ones_like(t.confidence) if "true" in name else t.confidence for t in tracks]
        observed, placed = observe(
            self.head,
            np.concatenate(points),
            np.concatenate(sure),
            np.concatenate([track.transform for track in tracks]),
            np.repeat(np.arange(len(tracks)), [len(each) for each in points]),
            np.concatenate([track.truth["time_s"] for track in tracks]),
            self.size,
            None if "true" in name or name == BLIND else np.concatenate([track.opening for track in tracks]),
        )
        if name == ALONE:
            rows = np.unique(np.linspace(0, len(observed) - 1, 5).round().astype(np.int64))[1:4]
            return [self._one(tracks[0], observed, placed, row) for row in rows]
        if name == RIGID:
            codes = self._rigid(observed)
        else:
            fit = replace(self.settings.fit, frames=FRAMES.get(name, self.settings.fit.frames))
            guess = self._guess(tracks, slice(None))
            codes = fit_person(self.head, observed, fit, self.names, lids=self.lids, guess=guess).codes
        at, parts = 0, []
        for track in tracks:
            rows = np.arange(at, at + len(track.points))
            at += len(rows)
            self.codes[track.name] = codes.take(rows)
            parts.append(self._rows(track, codes, placed, rows, np.arange(len(rows))))
        return parts

    def _one(self, track: Track, observed: Observed, placed: Placed, row: int) -> pd.DataFrame:
        """Fit a frame as a photograph: alone."""
        rows = np.array([row])
        guess = self._guess([track], slice(row, row + 1))
        fit = self.settings.fit
        codes = fit_person(self.head, observed.take(rows), fit, self.names, lids=self.lids, guess=guess).codes
        there = Placed(placed.centre[rows], placed.unit[rows], placed.transform[rows], placed.size)
        return self._rows(track, codes, there, np.array([0]), rows).assign(sequence=f"{track.name} {row}")

    def _guess(self, tracks: Sequence[Track], rows: slice) -> ShapeGuess | None:
        """Return what the pictures of these tracks say about the shape; none if the settings do not ask."""
        parts = [track.guesses for track in tracks if track.guesses is not None]
        if self.readers.shape is None or len(parts) < len(tracks):
            return None
        guesses = np.concatenate(parts)[rows]
        weights = np.concatenate([track.confidence.mean(1) for track in tracks])[rows]
        return self.readers.pooled(guesses, weights, self.full.n_shape)

    def _rigid(self, observed: Observed) -> FittedCodes:
        rest = np.zeros(self.head.n_shape, np.float32)
        rigid = place(self.head, observed.points, observed.confidence, rest)
        arrays = [np.asarray(each, np.float32) for each in (rigid.rotation, rigid.scale, rigid.shift)]
        count = len(observed)
        still = np.zeros((count, self.head.n_expression), np.float32), np.zeros((count, 3), np.float32)
        return FittedCodes(rest, still[0], arrays[0], still[1], arrays[1], arrays[2])

    def _rows(
        self, track: Track, codes: FittedCodes, placed: Placed, rows: NDArray[np.int64], frames: NDArray[np.int64]
    ) -> pd.DataFrame:
        """Return rows ``rows`` of codes as frames ``frames`` of the track."""
        points, camera = placed.to_crop(codes.points(self.head)), placed.camera(codes)
        return point_rows(track, points[rows], frames).assign(
            shape=[codes.shape] * len(rows),
            expression=list(codes.expression[rows]),
            pose=list(codes.pose[rows]),
            camera=list(camera[rows]),
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting of 'fit'")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--most", type=int, default=2, help="tracks of one person")
    options = parser.parse_args()
    torch.set_num_threads(1)
    changed = {name: yaml.safe_load(value) for name, _, value in (text.partition("=") for text in options.set)}
    settings = parse_settings({"fit": changed})
    tracks = tracks_of(options.results, options.most)
    find_points(tracks, settings)
    fits = Fits(HeadData.load(options.results[0] / "head" / "head.npz"), settings, tracks)
    print(f"{len(tracks)} tracks; fit: {settings.fit}")
    lines, codes = [], {}
    for name in options.ways:
        lines.append(fits.way(name))
        if name not in (FOUND, RIGID, ALONE, "45, true points"):
            codes[name] = fits.codes
    print(pd.DataFrame(lines).to_string(index=False, float_format="%.3f", na_rep=""))
    print("\nerrors of the found points, % of the eye distance")
    print(point_errors(tracks).to_string(index=False, float_format="%.2f"))
    if codes:
        name = PERSON if PERSON in codes else list(codes)[-1]
        table = skins(tracks, codes[name], fits.data, settings.head.n_texture, fits.size)
        slope = np.polyfit(table["true"], table["fitted"], 1)[0]
        print(f"\nluminance of the skin, fitted on the heads of '{name}', and true")
        print(table.to_string(index=False, float_format="%.3f"))
        error = np.sqrt(((table["fitted"] - table["true"]) ** 2).mean())
        print(f"slope {slope:.2f}, r {np.corrcoef(table['true'], table['fitted'])[0, 1]:.3f}, rms error {error:.3f}")


if __name__ == "__main__":
    main()
