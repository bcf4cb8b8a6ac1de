"""The windows of a training step: a function of the seed and the step alone.

So a resumed or distributed run sees the same windows as an uninterrupted one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tvface.model.clips import CPU, Clip, StoredWindow, stack, starts_of
from tvface.model.window import Window


def rounds(first: int, batch: int, count: int, seed: int, stream: int) -> list[int]:
    """Return the elements ``first .. first + batch - 1`` of an endless sequence of indices below ``count``.

    The sequence is one permutation of ``0 .. count - 1`` after another; seed and stream decide the permutations.
    """
    orders = {
        turn: np.random.default_rng((seed, stream, turn)).permutation(count)
        for turn in range(first // count, (first + batch - 1) // count + 1)
    }
    return [int(orders[number // count][number % count]) for number in range(first, first + batch)]


@dataclass(frozen=True)
class Sampler:
    """Draws the sequences and frames of a training step.

    The sequences are shuffled once per epoch and the epochs follow each other without a gap, so that every batch is
    full and every sequence is seen once per epoch. With several processes a step takes ``batch`` windows per process.
    ``augment_frames``: each frame of a window is scaled and moved by itself, as DECA's loaders do. ``augment_flip``:
    half of the windows are mirrored.
    """

    clips: Sequence[Clip]
    batch: int
    frames: int
    seed: int
    rank: int = 0
    world: int = 1
    augment_scale: float = 0.0
    augment_shift: float = 0.0
    augment_frames: bool = False
    augment_flip: bool = False

    def steps(self, epochs: int) -> int:
        """Return the steps of this many passes over the sequences, rounded up."""
        return -(-len(self.clips) * epochs // (self.batch * self.world))

    def window(self, step: int, device: torch.device = CPU) -> Window:
        """Return this process's windows of a step (counted from 0) on a device."""
        return self.stored(step).window(device)

    def names(self, step: int) -> tuple[str, ...]:
        """Return the names of a step's windows."""
        return self.stored(step).names

    def stored(self, step: int) -> StoredWindow:
        """Return the windows of a step as stored, before they are decoded."""
        first = (step * self.world + self.rank) * self.batch
        clips, starts, drawn, flipped = [], [], [], []
        for number, index in enumerate(rounds(first, self.batch, len(self.clips), self.seed, 1), first):
            clip = self.clips[index]
            options = starts_of(clip, self.frames)
            generator = np.random.default_rng((self.seed, 2, number))
            clips.append(clip)
            starts.append(options[generator.integers(len(options))])
            drawn.append(generator.uniform(-1, 1, (self.frames if self.augment_frames else 1, 3)))
            flipped.append(bool(generator.integers(2)))
        window = stack(clips, starts, self.frames)
        if self.augment_flip:
            window = dataclasses.replace(window, flipped=torch.tensor(flipped))
        if self.augment_scale == 0 and self.augment_shift == 0:
            return window
        numbers = np.stack(drawn)
        scale, shift = 1 + self.augment_scale * numbers[..., 0], self.augment_shift * numbers[..., 1:]
        return dataclasses.replace(window, scale=torch.from_numpy(scale).float(), shift=torch.from_numpy(shift).float())


def fixed_windows(clips: Sequence[Clip], frames: int, batch: int, device: torch.device = CPU) -> Iterator[Window]:
    """Yield the middle window of every sequence in batches (the last may be smaller): the same at every validation."""
    for start in range(0, len(clips), batch):
        group = clips[start : start + batch]
        options = [starts_of(clip, frames) for clip in group]
        yield stack(group, [choice[len(choice) // 2] for choice in options], frames).window(device)
