"""The benchmarks run, and the plain reading of the paper that they time gives the product's codes."""

import re

import pytest
import skimage.data
import torch

from benchmarks import peers, rasterize, train_step
from tvface.media.video import write_video

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


def test_other_codes_are_not_timed(monkeypatch):
    monkeypatch.setattr(train_step.Bench, "difference", lambda self: 0.5)
    with pytest.raises(SystemExit, match="other codes than tvface"):
        train_step.main(["--small", "--device", "cpu", "--without-perceptual", "--frames", "2"])


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
