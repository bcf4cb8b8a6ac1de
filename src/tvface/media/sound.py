"""The sound of a video, copied to another video packet by packet, without decoding."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer

log = logging.getLogger("tvface.media.sound")


class Sound:
    """Copies the first audio stream of ``source`` into an open container, in step with the pictures written there.

    Time 0 of the output is the first picture of ``source``; sound before it is left out. A source without sound copies
    nothing; sound whose codec the container does not hold (``.webm`` holds no AAC) is left out, with a warning in the
    log.
    """

    def __init__(self, source: Path, output: OutputContainer) -> None:
        """Add the output's audio stream; call it before anything is written to ``output``."""
        self._output = output
        self._input = av.open(str(source))
        self._packets: Iterator[tuple[float, av.Packet]] = iter(())
        audio = self._input.streams.audio
        if audio and audio[0].codec_context.name not in output.supported_codecs:
            name = audio[0].codec_context.name
            log.warning("%s: %s cannot hold %s sound; it is left out", source, output.format.name, name)
        elif audio:
            self._packets = self._shifted(output.add_stream_from_template(audio[0]))
        self._next = next(self._packets, None)

    def __enter__(self) -> Sound:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._input.close()

    def write_until(self, time_s: float) -> None:
        """Write the packets that start before ``time_s``."""
        while self._next is not None and self._next[0] < time_s:
            self._output.mux(self._next[1])
            self._next = next(self._packets, None)

    def _shifted(self, stream: av.AudioStream) -> Iterator[tuple[float, av.Packet]]:
        """Yield (start [s], packet) from the first picture on."""
        audio, video = self._input.streams.audio[0], self._input.streams.video[0]
        first = float(video.start_time * video.time_base) if video.start_time and video.time_base else 0.0
        for packet in self._input.demux(audio):
            if packet.pts is None or packet.dts is None:  # the end of the stream
                continue
            shift = round(first / packet.time_base)
            if packet.pts < shift:
                continue
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = stream
            yield float(packet.pts * packet.time_base), packet
