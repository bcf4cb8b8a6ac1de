"""The layout of the NoW benchmark."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import bumpy_head
from tvface.exports.neutral import ExportError
from tvface.exports.now import POINTS, box_transform, export_now, read_box
from tvface.head.data import HeadError
from tvface.media.images import encode_png, read_image, warp_crop
from tvface.model.face_model import FaceModel
from tvface.model.weights_files import load_weights, read_spec
from tvface.model.window import Window

LINES = ("s1/neutral/IMG_1.jpg", "s1/neutral/IMG.2.jpg", "s2/selfie/IMG_1.jpg")
BOX = {"left": 20.0, "right": np.float32(60), "top": np.int64(10), "bottom": 54}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "now"
    for number, line in enumerate(LINES):
        picture = np.random.default_rng(number).integers(0, 255, (80, 90, 3), dtype=np.uint8)
        path = root / "iphone_pictures" / line
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(picture))  # pictures are known by their bytes, not by their name
        box = (root / "detected_face" / line).with_suffix(".npy")
        box.parent.mkdir(parents=True, exist_ok=True)
        np.save(box, np.array(BOX, object), allow_pickle=True)
    (root / "imagepathsvalidation.txt").write_text("\n".join(LINES) + "\n\n")
    return root


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = [line.split() for line in path.read_text().splitlines()]
    vertices = np.array([row[1:] for row in rows if row[0] == "v"], float)
    return vertices, np.array([row[1:] for row in rows if row[0] == "f"], int) - 1


def test_heads_are_neutral_and_in_the_layout(settings, weights, folder, tmp_path):
    outcome = export_now(settings, folder, tmp_path / "out", weights, batch=2)
    assert (outcome.written, outcome.kept, outcome.failed) == (3, 0, [])
    files = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    stems = ("s1/neutral/IMG.2", "s1/neutral/IMG_1", "s2/selfie/IMG_1")
    assert files == ["export.json", *(stem + suffix for stem in stems for suffix in (".npy", ".obj"))]
    head, spec = bumpy_head(), read_spec(weights)
    model = FaceModel(spec, head)
    model.load_weights(load_weights(weights))
    model.eval()
    for line in LINES:
        stem = (tmp_path / "out" / line).as_posix().removesuffix(".jpg")
        vertices, faces = read_obj(Path(stem + ".obj"))
        points = np.load(stem + ".npy", allow_pickle=False)
        np.testing.assert_array_equal(faces, head.faces)
        picture = read_image(folder / "iphone_pictures" / line)
        crop = warp_crop(picture, box_transform((20, 10, 60, 54), 1.6, 32), 32)
        image = torch.from_numpy(crop).permute(2, 0, 1)[None, None].float() / 255
        none = torch.zeros(1, 0, 2, 16, 16)
        window = Window(image, image[:, :, :1], torch.zeros(1, 1, 68, 2), none, none, ("one",))
        with torch.no_grad():
            codes = model.encode_coarse(window)
            still = model.head(codes.shape, torch.zeros(1, 3), torch.zeros(1, 6))
            moved = model.head(codes.shape, codes.expression, codes.pose)
        np.testing.assert_allclose(vertices, still.vertices[0], atol=1e-5)
        np.testing.assert_allclose(points, still.landmarks3d[0, list(POINTS)], atol=1e-5)
        assert points.shape == (7, 3) and points.dtype == np.float32
        assert np.abs(vertices - moved.vertices[0].numpy()).max() > 1e-4


def test_the_seven_points_are_decas():
    """19, 22, 25, 28, 16, 31, 37 of the 51 points behind the jaw (``evaluate`` in DECA's ``trainer.py``)."""
    assert [17 + i for i in (19, 22, 25, 28, 16, 31, 37)] == list(POINTS)


def test_the_crop_is_decas():
    """A box of 100 px with scale 1.6 is a square of 160 px whose corners become the corner pixels' centres."""
    matrix = box_transform((10, 20, 110, 120), 1.6, 224)
    np.testing.assert_allclose(matrix @ [60 - 80, 70 - 80, 1], [0, 0], atol=1e-9)
    np.testing.assert_allclose(matrix @ [60 + 80, 70 + 80, 1], [223, 223], atol=1e-9)


def test_a_second_run_keeps_whole_files_and_mends_broken_ones(settings, weights, folder, tmp_path):
    out = tmp_path / "out"
    export_now(settings, folder, out, weights)
    before = {p: p.read_bytes() for p in out.rglob("*.obj")}
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*.obj")}
    cut = out / "s1/neutral/IMG_1.obj"
    cut.write_bytes(cut.read_bytes()[:-30])
    (out / "s2/selfie/IMG_1.npy").unlink()
    outcome = export_now(settings, folder, out, weights)
    assert (outcome.written, outcome.kept) == (2, 1)
    for path, data in before.items():
        # Pictures that share a step of the model differ in the last bit from those that do not.
        vertices = np.array([x.split()[1:] for x in data.decode().splitlines() if x[0] == "v"], float)
        np.testing.assert_allclose(read_obj(path)[0], vertices, atol=1e-5)
    kept = out / "s1/neutral/IMG.2.obj"
    assert kept.stat().st_mtime_ns == times[kept] and cut.stat().st_mtime_ns != times[cut]


def test_unusable_pictures_are_named_and_the_others_written(settings, weights, folder, tmp_path):
    (folder / "iphone_pictures" / LINES[0]).write_bytes(b"no picture")
    np.save((folder / "detected_face" / LINES[2]).with_suffix(".npy"), np.array({"left": 1}, object), allow_pickle=True)
    with pytest.raises(ExportError, match="2 of 3 pictures could not be exported") as raised:
        export_now(settings, folder, tmp_path / "out", weights)
    message = str(raised.value)
    assert "s1/neutral/IMG_1: " in message and "not a picture that can be decoded" in message
    assert "s2/selfie/IMG_1: " in message and "expected numbers left, top, right, bottom" in message
    assert [p.name for p in (tmp_path / "out").rglob("*.obj")] == ["IMG.2.obj"]


def test_a_box_file_is_not_executed(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    np.save(tmp_path / "bad.npy", np.array({"left": Harmful()}, object), allow_pickle=True)
    with pytest.raises(HeadError, match="which plain numbers never need"):
        read_box(tmp_path / "bad.npy")
    assert not (tmp_path / "ran").exists()
    np.load(tmp_path / "bad.npy", allow_pickle=True)  # the file does what is feared of it
    assert (tmp_path / "ran").exists()
    np.save(tmp_path / "old.npy", np.frombuffer(pickle.dumps(1), np.uint8))
    with pytest.raises(HeadError, match="expected the pickled mapping of a face box"):
        read_box(tmp_path / "old.npy")


def test_boxes_without_area_are_refused(tmp_path):
    for left, right in ((5, 5), (0, float("nan"))):
        box = {"left": left, "right": right, "top": 0, "bottom": 4}
        np.save(tmp_path / "box.npy", np.array(box, object), allow_pickle=True)
        with pytest.raises(ExportError, match="is no box"):
            read_box(tmp_path / "box.npy")


def test_wrong_folders_are_refused(settings, weights, folder, tmp_path):
    with pytest.raises(ExportError, match=r"not a folder of the NoW benchmark: it must hold imagepathstest\.txt"):
        export_now(settings, folder, tmp_path / "out", weights, listed="imagepathstest.txt")
    export_now(settings, folder, tmp_path / "out", weights)
    with pytest.raises(ExportError, match="holds an export that differs in: scale"):
        export_now(settings, folder, tmp_path / "out", weights, scale=1.4)
    (folder / "imagepathsvalidation.txt").write_text("../outside.jpg\n")
    with pytest.raises(ExportError, match="leads out of the folder"):
        export_now(settings, folder, tmp_path / "out", weights)
