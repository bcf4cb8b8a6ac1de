"""What the passes over one video share, and how long they took."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tvface.head.data import HeadData
from tvface.media.video import VideoFrame, VideoReader
from tvface.mining.crop_paths import CropPath
from tvface.model.decoders import Decoder
from tvface.settings import Settings

BLOCK = 32  # frames that are held at once


@dataclass
class Parts:
    """Seconds that each part of the work took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of the block to a part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start

    def text(self, video_s: float) -> str:
        """Return the parts in seconds per second of a video of this length."""
        return ", ".join(f"{part} {seconds / max(video_s, 1e-9):.2f}" for part, seconds in self.seconds.items())


@dataclass(frozen=True)
class Job:
    """One video: its faces and their crops over time, what decodes the codes, and the folder of the results."""

    settings: Settings
    video: Path
    decoder: Decoder
    head: HeadData
    faces: pd.DataFrame
    paths: dict[int, CropPath]
    out: Path
    threads: int
    parts: Parts
    photograph: bool = False  # the video is made of one

    @property
    def size(self) -> int:
        """Side of the crops in px."""
        return self.decoder.size

    def blocks(self) -> Iterator[list[VideoFrame]]:
        """Yield all frames of the video, :data:`BLOCK` at a time."""
        frames = VideoReader(self.video, self.threads).frames()
        while block := list(itertools.islice(frames, BLOCK)):
            yield block

    def blocks_among(self, around: int) -> Iterator[tuple[list[VideoFrame], int, int]]:
        """Yield the blocks of :meth:`blocks` with up to ``around`` frames before and behind them.

        Returns:
            The frames, and the place of the block's first frame and of the one behind its last.
        """
        before: list[VideoFrame] = []
        blocks = self.blocks()
        block = next(blocks, [])
        while block:
            behind = next(blocks, [])
            yield [*before, *block, *behind[:around]], len(before), len(before) + len(block)
            before, block = [*before, *block][-around:], behind

    def blocks_of(self, track: int, count: int) -> range:
        """Return the numbers of the blocks, of ``count``, in which a track may have frames."""
        path = self.paths[track]
        return range(int(path.frames[0]) // BLOCK, count if path.open_end else int(path.frames[-1]) // BLOCK + 1)

    def scale(self, frame: VideoFrame) -> float:
        """Return the pixels of a frame per pixel of the sampled frames, in which the faces were detected."""
        return frame.image.shape[1] / int(self.faces["width"].iloc[0])
