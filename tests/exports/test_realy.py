"""Neutral heads of a folder of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.conftest import bumpy_head
from tvface import detectors
from tvface.conventions.squares import square_transform
from tvface.detectors.base import Detections
from tvface.exports.neutral import ExportError
from tvface.exports.realy import export_realy
from tvface.media.images import encode_png, warp_crop
from tvface.model.face_model import FaceModel
from tvface.model.inference import neutral_heads
from tvface.model.weights_files import load_weights, read_spec


class Fixed:
    """Finds a face of 20 px at (20, 20), surely, and a larger one that is not sure; none in a black picture."""

    def detect(self, images):
        boxes = np.array([[0, 0, 60, 60], [20, 20, 40, 40]], np.float32)
        detections = Detections(boxes, np.array([0.3, 0.99], np.float32), np.zeros((2, 5, 2), np.float32))
        return [detections if image.any() else Detections.none() for image in images]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(detectors, "create", lambda *_: Fixed())
    root = tmp_path / "pictures"
    for number, name in enumerate(("a.png", "more/b.jpg", "more/dark.png")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture = np.random.default_rng(number).integers(1, 255, (80, 70, 3), dtype=np.uint8)
        (root / name).write_bytes(encode_png(0 * picture if "dark" in name else picture))
    (root / "notes.txt").write_text("no picture")
    return root


def test_a_mesh_and_68_points_per_picture(settings, weights, folder, tmp_path):
    with pytest.raises(ExportError, match=r"1 of 3 pictures .*\n  more/dark: .*no face was found"):
        export_realy(settings, folder, tmp_path / "out", weights)
    files = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*"))
    assert files == ["a.npy", "a.obj", "export.json", "more/b.npy", "more/b.obj"]
    picture = np.random.default_rng(0).integers(1, 255, (80, 70, 3), dtype=np.uint8)
    crop = warp_crop(picture, square_transform((30, 30 + 0.12 * 20), 1.25 * 20, 32), 32)
    model = FaceModel(read_spec(weights), bumpy_head())
    model.load_weights(load_weights(weights))
    (points,) = neutral_heads(model, [crop]).landmarks3d
    np.testing.assert_allclose(np.load(tmp_path / "out/a.npy"), points, atol=1e-5)
    assert points.shape == (68, 3)
    # Topology and order of the vertices are the head's.
    lines = (tmp_path / "out/a.obj").read_text().splitlines()
    faces = [[int(x) - 1 for x in line.split()[1:]] for line in lines if line.startswith("f ")]
    np.testing.assert_array_equal(faces, bumpy_head().faces)


def test_pictures_of_one_name_are_refused(settings, weights, folder, tmp_path):
    (folder / "a.jpg").write_bytes((folder / "a.png").read_bytes())
    with pytest.raises(ExportError, match="would give the same file"):
        export_realy(settings, folder, tmp_path / "out", weights)


def test_a_folder_without_pictures_is_refused(settings, weights, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExportError, match="no picture"):
        export_realy(settings, tmp_path / "empty", tmp_path / "out", weights)


def test_neutral_heads_do_not_depend_on_their_batch(settings, weights):
    model = FaceModel(read_spec(weights), bumpy_head())
    model.load_weights(load_weights(weights))
    crops = list(np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8))
    together = neutral_heads(model, crops).vertices
    alone = torch.cat([neutral_heads(model, [crop]).vertices for crop in crops])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-4
