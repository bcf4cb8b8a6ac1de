"""Reconstruction of one video: its files, resuming, one shape per track."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.exports.conftest import untrained
from tests.media.test_sound import tone, with_sound
from tests.training.conftest import TINY, bumpy_head
from tvface import detectors, landmarkers
from tvface.conventions.squares import square_transform
from tvface.detectors.base import Detections
from tvface.flow.base import sequence_flow
from tvface.head.camera import project
from tvface.head.model import HeadModel
from tvface.media.images import MediaError, warp_crop
from tvface.media.video import VideoReader, write_video
from tvface.model.codes_store import CodesStore
from tvface.model.face_model import FaceModel
from tvface.model.weights_files import load_weights, read_spec
from tvface.settings import Settings, SettingsError, merge, parse_settings
from tvface.stages import head as head_stage
from tvface.video import drawing, job, network_codes
from tvface.video.reconstruct import reconstruct_video

FRAMES, FPS, BLOCK, EVERY = 20, 10, 8, 4  # every fourth frame is searched for faces
PLACES = ((4, 30), (60, 40))  # left top corners of two faces


class Points:
    """Finds the points of the resting head in the box, nodding from call to call; those of one call lie anywhere."""

    def __init__(self, wrong: int | None = None) -> None:
        self.head, self.calls, self.wrong = HeadModel(bumpy_head(), 3, 3), 0, wrong

    def locate(self, crops, boxes):
        count = len(crops)
        pose = torch.zeros(count, 6)
        pose[:, 0] = 0.1 * torch.sin(torch.arange(count) + 1.0)
        with torch.no_grad():
            points = self.head(torch.zeros(count, 3), torch.zeros(count, 3), pose).landmarks2d[..., :2].numpy()
        points = (points - points.mean((0, 1))) * (1, -1) / np.ptp(points[..., 1])
        side = (boxes[:, 2] - boxes[:, 0])[:, None, None]
        points = (boxes[:, :2] + boxes[:, 2:])[:, None] / 2 + side * points
        if self.calls == self.wrong:
            points[1] = np.random.default_rng(0).uniform(0, boxes[0, 2], (68, 2))
        self.calls += 1
        return points.astype(np.float32), np.ones((count, 68), np.float32)


class TwoFaces:
    """Finds two faces of 24 px where the test pictures have them; none in a dark picture."""

    def __init__(self, count: int = 2) -> None:
        self.count, self.weights = count, {}

    def detect(self, images):
        places = np.array([[x, y, x + 24, y + 24] for x, y in PLACES[: self.count]], np.float32)
        detections = Detections(places, np.full(self.count, 0.99, np.float32), np.zeros((self.count, 5, 2), np.float32))
        return [detections if image.mean() > 20 else Detections.none() for image in images]


@pytest.fixture
def settings() -> Settings:
    return parse_settings(merge(TINY, {"frames": {"fps": FPS / EVERY}, "train": {"temporal": {"rnn_layers": 1}}}))


@pytest.fixture
def clip(tmp_path, monkeypatch, settings) -> Path:
    """A video of two faces, and what the command needs besides it; blocks are short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(detectors, "create", lambda *_: TwoFaces())
    monkeypatch.setattr(head_stage, "run", lambda settings, inputs, outputs, **_: bumpy_head().save(outputs["head"]))
    for module in (job, network_codes):
        monkeypatch.setattr(module, "BLOCK", BLOCK)
    untrained(tmp_path / "weights.safetensors", settings)
    rng = np.random.default_rng(0)
    faces = [rng.integers(60, 255, (24, 24, 3), dtype=np.uint8) for _ in PLACES]

    def pictures():
        for number in range(FRAMES):
            picture = np.full((96, 112, 3), 40, np.uint8)
            for (x, y), face in zip(PLACES, faces, strict=True):
                picture[y : y + 24, x : x + 24] = np.roll(face, number, 1)
            yield picture

    sound = with_sound(tmp_path / "sound.mp4", seconds=FRAMES / FPS)
    write_video(tmp_path / "clip.mp4", pictures(), FPS, sound=sound, crf=0)
    return tmp_path / "clip.mp4"


def run(settings: Settings, clip: Path, out: str, shared: bool = False) -> Path:
    chosen = dataclasses.replace(settings.reconstruct, shared_identity=shared)
    settings = dataclasses.replace(settings, reconstruct=chosen)
    reconstruct_video(settings, clip, "temporal", Path(out), clip.parent / "weights.safetensors")
    return Path(out)


def opened(out: Path) -> dict[str, dict[str, np.ndarray]]:
    return {path.name: dict(np.load(path, allow_pickle=False)) for path in sorted((out / "parameters").iterdir())}


def test_everything_is_written_for_every_track(settings, clip):
    out = run(settings, clip, "out")
    tracks = opened(out)
    assert list(tracks) == ["track000.npz", "track001.npz"]
    spec = read_spec("weights.safetensors")
    model = FaceModel(spec, bumpy_head())
    model.load_weights(load_weights("weights.safetensors"))
    frames = [frame.image for frame in VideoReader(clip).frames()]
    for number, (held, (x, y)) in enumerate(zip(tracks.values(), PLACES, strict=True)):
        np.testing.assert_array_equal(held["frame"], np.arange(FRAMES))
        np.testing.assert_allclose(held["time_s"], np.arange(FRAMES) / FPS, atol=1e-3)
        assert int(held["track"]) == number and float(held["fps"]) == FPS and str(held["source"]) == "clip.mp4"
        # The crop is the face's box, enlarged and moved down as in training.
        square = square_transform((x + 12, y + 12 + 0.12 * 24), 1.25 * 24, 32)
        np.testing.assert_allclose(held["crop_transform"], np.broadcast_to(square, (FRAMES, 2, 3)), atol=1e-6)
        output = model.head(
            *(torch.from_numpy(held[name]) for name in ("betas", "expression")),
            torch.from_numpy(np.concatenate([held["global_orient"], held["jaw_pose"]], 1)),
        )
        points = project(output.landmarks2d, torch.from_numpy(held["camera"]))[..., :2].detach().numpy()
        crop = (points + 1) / 2 * 32
        np.testing.assert_allclose(
            held["landmarks2d"], (crop - square[:, 2]) / square[0, 0], atol=1e-3, err_msg="in picture pixels"
        )
        crops = [warp_crop(frame, square, 32) for frame in frames]
        still = np.zeros(FRAMES, bool)
        moving = sequence_flow(
            network_codes.flow.create("dis", settings.dataset.flow), crops, settings.dataset.flow.size, still
        )
        np.testing.assert_allclose(
            held["betas"], network_codes.encode_images(model, crops, moving).shape, rtol=1e-4, atol=1e-4
        )
    drawn = [frame.image for frame in VideoReader(out / "overlay.mp4").frames()]
    assert len(drawn) == FRAMES
    for x, y in PLACES:
        face = np.abs(drawn[10][y : y + 24, x : x + 24].astype(int) - frames[10][y : y + 24, x : x + 24])
        assert face.mean() > 20
    np.testing.assert_allclose(tone(out / "overlay.mp4")[:2], [1.0, 1.2], atol=0.07)
    meshes = sorted(path.name for path in (out / "meshes").iterdir())
    sampled = range(0, FRAMES, EVERY)
    assert meshes == sorted(f"track{t:03d}_frame{f:06d}.{s}" for t in (0, 1) for f in sampled for s in ("obj", "glb"))


def test_an_interrupted_run_goes_on(settings, clip, monkeypatch):
    whole = run(settings, clip, "whole")
    encode = network_codes.encode_images
    calls = []

    def counted(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 4:  # the second face of the second block
            raise KeyboardInterrupt
        return encode(*arguments, **keywords)

    monkeypatch.setattr(network_codes, "encode_images", counted)
    with pytest.raises(KeyboardInterrupt):
        run(settings, clip, "cut")
    assert len(CodesStore(Path("cut/work/codes"))) == 1 and not Path("cut/overlay.mp4").exists()
    monkeypatch.setattr(drawing, "write_video", lambda *_, **__: pytest.fail("drawing is cut off"))
    with pytest.raises(pytest.fail.Exception):
        run(settings, clip, "cut")
    assert len(calls) == 4 + 4, "the second and the third block, two faces each"
    monkeypatch.setattr(drawing, "write_video", write_video)
    run(settings, clip, "cut")
    assert len(calls) == 8
    for name in ("track000.npz", "track001.npz"):
        assert (whole / "parameters" / name).read_bytes() == Path("cut/parameters", name).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in Path("cut").rglob("*") if path.is_file()}
    run(settings, clip, "cut")
    assert before == {path: path.stat().st_mtime_ns for path in Path("cut").rglob("*") if path.is_file()}


def test_another_video_or_setting_starts_anew(settings, clip, monkeypatch):
    run(settings, clip, "out")
    monkeypatch.setattr(detectors, "create", lambda *_: TwoFaces(1))
    wider = dataclasses.replace(settings, faces=dataclasses.replace(settings.faces, min_score=0.7))
    (Path("out/meshes") / "mine.obj").write_text("the user's")
    out = run(wider, clip, "out")
    assert list(opened(out)) == ["track000.npz"], "files of the tracks before are gone"
    assert not list((out / "meshes").glob("track001*")) and (out / "meshes" / "mine.obj").exists()


def test_one_shape_per_track(settings, clip, monkeypatch):
    free = opened(run(settings, clip, "out"))
    monkeypatch.setattr(network_codes, "encode_images", lambda *_, **__: pytest.fail("the codes are there"))
    shared = opened(run(settings, clip, "out", shared=True))
    for name, held in shared.items():
        assert bool(held["shared_identity"]) and not bool(free[name]["shared_identity"])
        assert (held["betas"] == held["betas"][0]).all() and np.ptp(free[name]["betas"], axis=0).max() > 1e-3
        np.testing.assert_allclose(held["betas"][0], free[name]["betas"].mean(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(held["global_orient"], free[name]["global_orient"])
        assert np.abs(held["landmarks2d"] - free[name]["landmarks2d"]).max() > 1e-3, "heads are made again"


def test_a_video_without_faces_says_so(settings, clip, tmp_path):
    write_video(tmp_path / "dark.mp4", (np.zeros((48, 64, 3), np.uint8) for _ in range(5)), FPS)
    with pytest.raises(MediaError, match=r"dark\.mp4: no face was found"):
        run(settings, tmp_path / "dark.mp4", "out")


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no trained weights; train first"):
        reconstruct_video(Settings(), tmp_path / "a.mp4", "deca", tmp_path, tmp_path / "gone.safetensors")


def fitted(settings: Settings, clip: Path, out: str, model: str = "fit", **options: object) -> Path:
    reconstruct_video(settings, clip, model, Path(out), **options)
    return Path(out)


def test_the_fit_needs_no_weights_and_lies_on_the_points(settings, clip, monkeypatch):
    finder = Points(wrong=2)
    monkeypatch.setattr(landmarkers, "create", lambda *_: finder)
    out = fitted(settings, clip, "out")
    tracks = opened(out)
    assert list(tracks) == ["track000.npz", "track001.npz"]
    first = tracks["track000.npz"]
    assert str(first["model"]) == "fit" and (first["betas"] == first["betas"][0]).all() and first["shared_identity"]
    bad = ~first["fitted"]
    assert list(np.flatnonzero(bad)) == [BLOCK + 1], "the second block's first call, its second frame"
    assert first["residual"][~bad].max() < 2 < first["residual"][bad].min()
    assert tracks["track001.npz"]["fitted"].all()
    # Picture pixels: the points lie in the face's box, where the finder put them.
    x, y = PLACES[0]
    middle = first["landmarks2d"][~bad].mean((0, 1))
    np.testing.assert_allclose(middle, [x + 12, y + 12], atol=1.5)
    drawn = [frame.image for frame in VideoReader(out / "overlay.mp4").frames()]
    assert len(drawn) == FRAMES
    calls = finder.calls
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    fitted(settings, clip, "out")
    assert finder.calls == calls and before == {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}


def test_a_track_without_a_fit_to_trust_is_left_out(settings, clip, monkeypatch, caplog):
    class Nonsense(Points):
        def locate(self, crops, boxes):
            points, confidence = super().locate(crops, boxes)
            if self.calls % 2 == 0:  # the second face of each block
                confidence *= 0
            return points, confidence

    monkeypatch.setattr(landmarkers, "create", lambda *_: Nonsense())
    with caplog.at_level("INFO"):
        out = fitted(settings, clip, "out")
    assert list(opened(out)) == ["track000.npz"] and "few_points 20): the track is left out" in caplog.text


def test_a_networks_codes_can_be_refined(settings, clip, monkeypatch):
    monkeypatch.setattr(landmarkers, "create", lambda *_: Points())
    weights = clip.parent / "weights.safetensors"
    out = fitted(settings, clip, "refined", "temporal", weights_file=weights, refine=True)
    (held, _) = opened(out).values()
    assert str(held["model"]) == "fit" and held["residual"].max() < 2
    with pytest.raises(SettingsError, match="--model deca"):
        fitted(settings, clip, "out", refine=True)
