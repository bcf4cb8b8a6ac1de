"""Sound copied from one video to another."""

from __future__ import annotations

import logging
from pathlib import Path

import av
import numpy as np
import pytest

from tvface.media.video import write_video

RATE = 16000


def with_sound(path: Path, seconds: float = 2.0, fps: int = 10, codec: str = "aac", video_from: float = 0.0) -> Path:
    """Write a video whose sound is silent but for a tone from 1.0 to 1.2 s; pictures start at ``video_from``."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=RATE)
        audio.layout = "mono"
        time = np.arange(int(seconds * RATE)) / RATE
        wave = (0.5 * np.sin(2 * np.pi * 440 * time) * ((time >= 1.0) & (time < 1.2)) * 32767).astype(np.int16)
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
        for number in range(round((seconds - video_from) * fps)):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number % 250, np.uint8), format="rgb24")
            picture.pts = number + round(video_from * fps)
            container.mux(video.encode(picture))
        container.mux(video.encode())
    return path


def tone(path: Path) -> tuple[float, float, float]:
    """Return start and end of the tone and the end of the sound, in seconds."""
    with av.open(str(path)) as container:
        frames = [(float(f.time), f.to_ndarray()[0]) for f in container.decode(audio=0)]
    times = np.concatenate([start + np.arange(len(values)) / RATE for start, values in frames])
    loud = np.abs(np.concatenate([values for _, values in frames])) > 0.1
    return times[loud].min(), times[loud].max(), times.max()


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), number, np.uint8) for number in range(count)]


def test_sound_is_kept_in_step(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "a.mp4")
    write_video(tmp_path / "b.mp4", pictures(20), 10.0, sound=source)
    for path in (source, tmp_path / "b.mp4"):
        np.testing.assert_allclose(tone(path)[:2], [1.0, 1.2], atol=0.07)


def test_sound_ends_with_the_pictures_and_starts_with_the_first(tmp_path: Path) -> None:
    write_video(tmp_path / "b.mp4", pictures(13), 10.0, sound=with_sound(tmp_path / "a.mp4"))
    assert tone(tmp_path / "b.mp4")[2] < 1.45
    late = with_sound(tmp_path / "late.mkv", video_from=0.5)
    write_video(tmp_path / "c.mp4", pictures(15), 10.0, sound=late)
    np.testing.assert_allclose(tone(tmp_path / "c.mp4")[:2], [0.5, 0.7], atol=0.09)


def test_a_video_without_sound_gives_one_without(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", pictures(3), 10.0)
    write_video(tmp_path / "b.mp4", pictures(3), 10.0, sound=tmp_path / "a.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert not container.streams.audio


def test_sound_that_does_not_fit_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = with_sound(tmp_path / "a.mkv", codec="pcm_s16le")
    with caplog.at_level(logging.WARNING, "tvface.media.sound"):
        write_video(tmp_path / "b.webm", pictures(3), 10.0, sound=source)
    assert "webm cannot hold pcm_s16le sound; it is left out" in caplog.text
    with av.open(str(tmp_path / "b.webm")) as container:
        assert not container.streams.audio
