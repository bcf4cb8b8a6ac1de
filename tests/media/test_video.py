"""Video: containers, presentation times, broken files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tvface.media.images import MediaError
from tvface.media.video import VideoReader, write_video


def grey(level: int, shape: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*shape, 3), level, np.uint8)


def levels(reader: VideoReader, fps: float) -> list[int]:
    return [round(float(frame.image.mean()) / 8) for frame in reader.sample(fps)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov", "webm"])
def test_every_container_gives_the_frame_shown_at_each_time(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ramp.{suffix}"
    assert write_video(path, (grey(8 * i) for i in range(25)), 10) == 25
    reader = VideoReader(path)
    frames = list(reader.sample(3))
    # t = 0, 1/3, 2/3 ... at 10 frames/s: frames 0, 3, 6, 10 ...
    assert [frame.source_frame for frame in frames] == [0, 3, 6, 10, 13, 16, 20, 23]
    assert [frame.index for frame in frames] == list(range(8))
    assert [round(float(frame.image.mean()) / 8) for frame in frames] == [0, 3, 6, 10, 13, 16, 20, 23]
    assert np.allclose([frame.time_s for frame in frames], np.array([0, 3, 6, 10, 13, 16, 20, 23]) / 10, atol=2e-3)
    assert (reader.decoded, reader.undecodable) == (25, 0)


def test_variable_frame_rate_goes_by_presentation_time(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mkv"
    times = [0.0, 0.1, 0.2, 1.5, 1.6, 2.9, 3.0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(grey(8 * index), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    # t = 0, .5, 1 hold frames 0, 2, 2; 1.5 -> 3; 2, 2.5 -> 4; 3 -> 6
    assert levels(VideoReader(path), 2) == [0, 2, 2, 3, 4, 4, 6]


def test_sampling_above_the_frame_rate_repeats(tmp_path: Path) -> None:
    path = tmp_path / "slow.mp4"
    write_video(path, [grey(40), grey(80)], 2)
    assert [frame.source_frame for frame in VideoReader(path).sample(4)] == [0, 0, 1, 1]


def test_a_cut_off_file_gives_what_decodes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (96, 96, 3)).astype(np.uint8) for _ in range(40)]
    whole = tmp_path / "whole.mkv"
    write_video(whole, noise, 10)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reader = VideoReader(cut)
    numbers = [frame.source_frame for frame in reader.frames()]
    assert 5 < len(numbers) < 40 and numbers == list(range(len(numbers)))


def test_a_damaged_stream_counts_what_is_lost(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuvj420p"
        for _ in range(20):
            picture = rng.integers(0, 256, (96, 96, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    data = bytearray(path.read_bytes())
    start = data.find(b"\xff\xd8", len(data) // 2)
    data[start : start + 700] = bytes(700)
    path.write_bytes(bytes(data))
    reader = VideoReader(path)
    assert len(list(reader.frames())) == reader.decoded < 20
    assert reader.undecodable >= 1 and reader.decoded + reader.undecodable == 20


@pytest.mark.parametrize("content", [b"", b"this is no video", None])
def test_what_holds_no_picture_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.mp4"
    if content is None:  # an mp4 whose index, at its end, is cut off
        write_video(tmp_path / "whole.mp4", [grey(8 * i) for i in range(20)], 10)
        content = (tmp_path / "whole.mp4").read_bytes()[:600]
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"broken\.mp4.*copy it again"):
        list(VideoReader(path).sample(3))


def test_non_square_pixels_come_out_square(tmp_path: Path) -> None:
    path = tmp_path / "dvd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 72, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(90, (48, 72)), format="rgb24")))
        container.mux(stream.encode())
    assert {frame.image.shape for frame in VideoReader(path).frames()} == {(48, 96, 3)}


def test_writing_is_reproducible(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (48, 64, 3)).astype(np.uint8) for _ in range(4)]
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, frames, 25, crf=10)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_odd_sizes_are_padded(tmp_path: Path) -> None:
    frames = [grey(1, (35, 51)) for _ in range(4)]
    write_video(tmp_path / "a.mp4", frames, 25, crf=10)
    assert next(iter(VideoReader(tmp_path / "a.mp4").frames())).image.shape == (36, 52, 3)


def test_refused_frames_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="frame 1"):
        write_video(tmp_path / "x.mp4", [grey(1), grey(1, (32, 32))], 10)
    with pytest.raises(MediaError, match="no frame"):
        write_video(tmp_path / "x.mp4", [], 10)
    assert list(tmp_path.iterdir()) == []
