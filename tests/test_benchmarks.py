"""The benchmarks run, and the plain reading of the paper that they time gives the product's codes."""

from __future__ import annotations

import contextlib
import os
import re

import numpy as np
import pytest
import skimage.data
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu_hours, identities, kernels, peers, rasterize, rates, recaps, timing, train_step, tvqa_scale
from benchmarks.data_stages import Measured, table
from benchmarks.episode_memory import growth
from benchmarks.step_bench import counted
from tvface.episodes import parse_clip
from tvface.media.images import encode_png
from tvface.media.video import write_video
from tvface.networks.deformable import VARIABLE, deform_conv2d
from tvface.settings import parse_settings

ARGUMENTS = "--small --device cpu --batch 1 --frames 3 --steps 1 --threads 1 --without-perceptual"


@pytest.fixture(autouse=True)
def same_threads():
    """The benchmarks set the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_rasterize(capsys):
    rasterize.main(["--batch", "1", "--runs", "1"])
    out = capsys.readouterr().out
    assert out.startswith("5023 vertices, 9976 faces")
    assert len(re.findall(r"100\.000 %   \(", out)) == 8, "two scenes, two passes, two backends, the same faces"
    assert "render_free.npz: numba 100.000 %, torch 100.000 %" in out


def test_train_step(capsys):
    train_step.main([*ARGUMENTS.split(), "--phases", "detail"])
    out = capsys.readouterr().out
    assert float(re.search(r"differ by (\S+) of their range", out).group(1)) < 1e-4
    assert re.search(r"detail +tvface .* TFLOP/s = ", out) and re.search(r"plain / tvface = \d", out)


def test_work_is_counted_as_in_plain_torch(monkeypatch):
    """torchvision's operators are told to the counter; ``grid`` is made of matrix products, which it knows."""
    given = [tensor.detach().requires_grad_() for tensor in kernels.alignment_inputs(8, channels=32)]

    def step():
        deform_conv2d(*given).sum().backward()

    with FlopCounterMode(display=False) as plain:
        deform_conv2d(*given, backend="grid").sum().backward()
    monkeypatch.setenv(VARIABLE, "numba")
    assert counted(step) == plain.get_total_flops() == 3 * 2 * (2 * 8 * 8) * 64 * 32 * 9
    assert os.environ[VARIABLE] == "numba"


def test_a_gpu_is_timed_by_events_between_two_waits(monkeypatch):
    calls: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            calls.append("record")

        def synchronize(self) -> None:
            calls.append("wait for the event")

        def elapsed_time(self, other: Event) -> float:
            return 250.0  # ms

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("wait for all"))
    assert timing.seconds_of(lambda: calls.append("work"), torch.device("cuda")) == 0.25
    assert calls == ["wait for all", "record", "work", "record", "wait for the event"]


def test_arithmetic_is_left_as_it_was():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    for tf32, precision in ((True, "high"), (False, "highest")):
        with rates.arithmetic(tf32):
            assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == (precision, tf32)
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before


def test_other_codes_are_not_timed(monkeypatch):
    monkeypatch.setattr(train_step.Bench, "difference", lambda self: 0.5)
    with pytest.raises(SystemExit, match="other codes than tvface"):
        train_step.main(["--small", "--device", "cpu", "--without-perceptual", "--frames", "2"])


def test_who_is_who_follows_from_the_footage():
    # Two videos. In the first, track 0 is seen beside 1 and later 2 alone; in the second, 3 alone.
    video, frame, track = np.array([0, 0, 0, 1]), np.array([0, 0, 5, 0]), np.array([0, 1, 2, 3])
    table = identities.relations(video, frame, track)
    assert table.tolist() == [[1, 0, -1, 0], [0, 1, -1, 0], [-1, -1, 1, 0], [0, 0, 0, 1]]
    known = identities.relations(video, frame, track, [[0, 2]])
    assert known.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]


def test_known_pairs_only_are_judged():
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.96, 0.28]], np.float32)
    track, table = np.array([0, 0, 1, 2]), np.array([[1, 0, -1], [0, 1, -1], [-1, -1, 1]])
    found = identities.judge(vectors, track, table, across=False)
    assert (found.same, found.different) == (1, 2) and found.area == 1
    with pytest.raises(ValueError, match="0 pairs of one person"):
        identities.judge(vectors, track, table, across=True)


def test_track_means_and_the_inner_face():
    rows = np.repeat(np.eye(2, dtype=np.float32), (12, 5), axis=0)
    means, owner = identities.runs(rows, np.repeat([0, 1], (12, 5)))
    assert owner.tolist() == [0, 0, 1] and np.allclose(means, [[1, 0], [1, 0], [0, 1]])
    crops = np.full((1, 160, 160, 3), 255, np.uint8)
    shown = identities.inner(crops)
    assert shown[0, 88, 80].min() > 250 and abs(int(shown[0, 0, 0, 0]) - 127) <= 1


def test_the_simulated_tvqa_has_its_shape():
    names, lengths = tvqa_scale.clip_names(), tvqa_scale.clip_lengths(10_035, tvqa_scale.FRAMES)
    parsed = [parse_clip(name) for name in names]
    assert len(set(names)) == 10_035 and None not in parsed
    assert len({clip[:2] for clip in parsed}) == 399 and any("-" in clip[1] for clip in parsed)
    assert lengths.sum() == 2_300_000 and lengths.min() > 150


def test_hours_are_start_ups_plus_frames(capsys):
    rows = [
        Measured(stage, frames, 0, 999.0, 3 + frames * 0.1, 100 + frames / 1024)
        for stage in tvqa_scale.PER_EPISODE
        for frames in (100, 1000)
    ]
    tvqa_scale.print_hours("8 cores", table(rows), 399, 2_300_000, True)
    out = capsys.readouterr().out
    hours = (3 * 399 + 0.1 * 2_300_000) / 3600
    assert out.count(f"3.0 s x 399 +  100.00 ms x 2,300,000 = {hours:7.1f} h") == len(tvqa_scale.PER_EPISODE)
    assert f"= {hours * len(tvqa_scale.PER_EPISODE) / 8:.1f} h;" in out
    assert growth(rows[:2]) == ["frames        100 MB for 100,    101 MB for 1000 frames:    1.0 kB per frame"]


def test_hours_of_a_gpu_follow_from_counted_work(capsys):
    rows = [Measured("faces", 100, 150, 1.0, 1.0, 1.0), Measured("landmarks", 100, 20, 1.0, 1.0, 1.0)]
    many = gpu_hours.items(table([*rows, Measured("faces", 10, 900, 1.0, 1.0, 1.0)]), 3600)
    assert many == {"frame": 3600, "face": 5400, "crop": 720}, "the longest episode counts"
    gpu_hours.print_estimate({"a": ("crop", 1e3, 4), "b": ("frame", 1e3, 1)}, many, 1.0, 5.0)
    out = capsys.readouterr().out
    assert "1000.00 GFLOP x 4 x          720 crops / 1 TFLOP/s =   0.80 h" in out
    assert "sum 1.8 h of the GPU" in out and "not a measurement" in out and "5.0 h of the cores" in out


def test_networks_are_counted_as_published(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(skimage.data.astronaut()))
    counted = gpu_hours.work(parse_settings({"landmarks": {"refine": 1, "flip": True}}), [tmp_path / "a.png"])
    # FaceNet: 1.4 to 1.6 G multiplications and additions at 160 px; 2D-FAN looks thrice at every crop, and mirrored.
    assert counted["FaceNet"] == ("face", pytest.approx(2.9, rel=0.05), 1)
    assert counted["2D-FAN"][0] == "crop" and counted["2D-FAN"][2] == 6 and counted["2D-FAN"][1] > 30
    assert counted["BiSeNet"][1] > 20 and 0.1 < counted["MTCNN"][1] < 10


def test_peers_compares_what_it_times(tmp_path, capsys):
    picture = skimage.data.astronaut()[:256, 96:352]
    write_video(tmp_path / "clip.mp4", [picture] * 2, 3)
    arguments = "--frames 1 --turn 1 --threads 1 --clock cpu --precision bfloat16 --min-face 60"
    peers.main([str(tmp_path / "clip.mp4"), *arguments.split()])
    out = capsys.readouterr().out
    assert "boxes: the same faces" in out and "1 faces in 1 frames" in out
    for name in ("FAN's heat maps", "BiSeNet's logits"):
        assert 0.01 < float(re.search(rf"{name}: RMS difference (\S+) %", out).group(1)) < 3
    moved, changed = map(float, re.search(r"points moved by (\S+) % .*, (\S+) % of the mask", out).groups())
    assert 0 < moved < 0.3 and 0 < changed < 0.5
    assert len(re.findall(r"^  (?:detection|landmarks|masks|chain) +[\d.]+ +[\d.]+ +[\d.]+$", out, re.MULTILINE)) == 4


def test_recaps_of_a_clip_beside_itself(tmp_path, capsys):
    """A face that wanders over a background: copies at other phases, no second video."""
    face = skimage.data.astronaut()[:300, 80:380]
    rng = np.random.default_rng(0)
    pictures = []
    for index in range(48):
        picture = np.full((320, 360, 3), 90, np.uint8)
        x, y = (10 + 20 * np.sin(index / 7)).astype(int) + 10, (8 + 7 * np.cos(index / 5)).astype(int)
        picture[y : y + 300, x : x + 300] = face
        pictures.append(np.clip(picture + rng.integers(-6, 7, picture.shape), 0, 255).astype(np.uint8))
    write_video(tmp_path / "one.mp4", pictures, 12)
    recaps.main([str(tmp_path), "--fps", "12"])
    out = capsys.readouterr().out
    assert out.startswith("1 sequences of 1 videos") and "83 ms late" in out and "167 ms late" in out
    assert out.strip().endswith("none to count"), "no second video"
    assert "100 % of 1" in out.splitlines()[-1], "noise and a shift of the crop leave the hash near"


def test_sequences_overlap_by_half_and_are_whole():
    run = np.arange(35)
    assert [(start, hashes.tolist()) for start, hashes in recaps.sequences(run, 2)] == [
        (0, list(range(0, 20, 2))),
        (10, list(range(10, 30, 2))),
    ]
