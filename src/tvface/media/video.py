"""Reading and writing video through PyAV, frame by frame: memory does not grow with the length of the footage."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tvface.files.atomic import atomic
from tvface.media.images import Image, MediaError
from tvface.media.sound import Sound

SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv")
# Containers that do not take H.264.
_CODECS = {".webm": "libvpx-vp9"}
log = logging.getLogger("tvface.media.video")


@dataclass(frozen=True)
class VideoFrame:
    """One frame: ``index`` in the sampling, ``source_frame`` among the decoded frames, time since the first [s]."""

    index: int
    source_frame: int
    time_s: float
    image: Image


@dataclass
class VideoReader:
    """Frames of a video in order of presentation.

    Pictures come out upright (display rotation applied) and with square pixels (sample aspect ratio applied).
    Packets that cannot be decoded are skipped and counted in ``undecodable``; ``decoded`` counts the good frames.

    Raises:
        MediaError: on reading, if the file cannot be opened, holds no video stream or not one whole picture.
    """

    path: Path
    threads: int = 1
    decoded: int = field(default=0, init=False)
    undecodable: int = field(default=0, init=False)
    _aspect: float = field(default=1.0, init=False, repr=False)

    def frames(self) -> Iterator[VideoFrame]:
        """Yield every decoded frame once, with ``index == source_frame``."""
        for number, (time, _, frame) in enumerate(self._timed()):
            yield VideoFrame(number, number, time, _picture(frame, self._aspect))

    def sample(self, fps: float) -> Iterator[VideoFrame]:
        """Yield for k = 0, 1, ... the frame whose presentation interval holds t_k = k / fps.

        ``time_s`` is the frame's own presentation time, which lies at or before t_k. A frame that is shown longer
        than 1 / fps comes repeatedly.
        """
        step = 1 / Fraction(fps).limit_denominator(1_000_000)
        index = 0
        for number, (time, until, frame) in enumerate(self._timed()):
            image = None
            # The tolerance keeps times that equal a multiple of 1 / fps up to the container's rounding (1 ms in mkv).
            while index * step < until - 1e-3:
                if image is None:
                    image = _picture(frame, self._aspect)
                yield VideoFrame(index, number, time, image)
                index += 1

    def _timed(self) -> Iterator[tuple[float, float, av.VideoFrame]]:
        """Yield (start, end, frame) with times in seconds since the first frame; intervals join without overlap."""
        pending: tuple[float, av.VideoFrame] | None = None
        first = None
        spacing = 1 / 25
        for number, (frame, nominal, constant) in enumerate(self._decode()):
            spacing = nominal or spacing
            time = number * spacing if constant else frame.time
            if first is None:
                first = time if time is not None else 0.0
            start = time - first if time is not None else (pending[0] + spacing if pending else 0.0)
            if pending is not None:
                # Broken files repeat or reverse time stamps; an empty interval keeps the frame countable.
                start = max(start, pending[0])
                yield pending[0], start, pending[1]
            pending = start, frame
        if pending is None:
            raise MediaError(
                f"{self.path}: no picture could be decoded ({self.undecodable} broken packets); the file is empty, cut "
                "off or not a video: copy it again, or repair it with 'ffmpeg -i broken -c copy mended.mkv'"
            )
        last = pending[1]
        duration = float(last.duration * last.time_base) if last.duration and last.time_base else spacing
        yield pending[0], pending[0] + max(duration, 1e-2), last

    def _decode(self) -> Iterator[tuple[av.VideoFrame, float | None, bool]]:
        """Yield (frame, nominal spacing [s], whether the container has a constant rate instead of time stamps)."""
        try:
            container = av.open(str(self.path))
        except (av.FFmpegError, OSError) as error:
            raise MediaError(
                f"{self.path}: cannot be opened as a video ({error}); it is missing, cut off or not a video: copy it "
                "again, or take it out of the list of videos"
            ) from error
        with container:
            if not container.streams.video:
                raise MediaError(f"{self.path}: holds no video stream; take it out of the list of videos")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO" if self.threads > 1 else "NONE"
            stream.codec_context.thread_count = self.threads
            self._aspect = float(stream.sample_aspect_ratio or 1)
            nominal = float(1 / stream.average_rate) if stream.average_rate else None
            # AVI stores no presentation times; those that FFmpeg guesses are wrong where frames are reordered.
            constant = container.format.name == "avi"
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                except av.FFmpegError as error:
                    log.warning("%s: reading stops after %d frames: %s", self.path, self.decoded, error)
                    self.undecodable += 1
                    return
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    self.undecodable += 1
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self.undecodable += 1
                        continue
                    self.decoded += 1
                    yield frame, nominal, constant


def write_video(
    path: str | Path,
    frames: Iterable[Image],
    fps: float,
    *,
    crf: int = 18,
    preset: str = "medium",
    threads: int = 1,
    sound: Path | None = None,
) -> int:
    """Write frames as H.264 (VP9 in .webm), yuv420p.

    yuv420p needs even sides, so an odd side grows by one repeated pixel. The bytes are reproducible for one ``threads``
    and one FFmpeg if both sides are multiples of 16; at 51 x 35 they once differed between runs in one process
    (memory that the encoder reads beyond the picture, not tracked down).

    Args:
        path: of the video.
        frames: H x W x 3 uint8 RGB, all of one size.
        fps: frames per second.
        crf: the encoder's quality, 0 (lossless) .. 51.
        preset: of x264.
        threads: of the encoder.
        sound: a video whose first audio stream is copied, see :class:`tvface.media.sound.Sound`.

    Returns:
        The number of frames.

    Raises:
        MediaError: there is no frame, or the frames differ in size.
    """
    path = Path(path)
    codec = _CODECS.get(path.suffix.lower(), "libx264")
    options = {"crf": str(crf), "threads": str(threads)}
    options |= {"preset": preset} if codec == "libx264" else {"b": "0", "deadline": "good", "cpu-used": "4"}
    count = 0
    shape: tuple[int, ...] | None = None
    with ExitStack() as stack:
        temporary = stack.enter_context(atomic(path))
        container = stack.enter_context(av.open(str(temporary), "w"))
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        assert isinstance(stream, av.VideoStream)
        copied = stack.enter_context(Sound(sound, container)) if sound is not None else None
        for image in frames:
            if shape is None:
                shape = image.shape
                stream.height, stream.width = (side + side % 2 for side in shape[:2])
                stream.pix_fmt = "yuv420p"
            if image.shape != shape or image.dtype != np.uint8:
                raise MediaError(f"{path}: frame {count} is {image.dtype} {image.shape}, the first was uint8 {shape}")
            padded = np.pad(image, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge")
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")):
                container.mux(packet)
            count += 1
            if copied is not None:
                copied.write_until(count / fps)
        if shape is None:
            raise MediaError(f"{path}: no frame to write")
        for packet in stream.encode():
            container.mux(packet)
    return count


def _picture(frame: av.VideoFrame, aspect: float) -> Image:
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    if abs(aspect - 1) > 0.01:  # smaller ones are rounding of odd picture sizes
        # DVDs store 720 columns for 4:3 and for 16:9; faces must not come out wide.
        size = (max(1, round(image.shape[1] * aspect)), image.shape[0])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
