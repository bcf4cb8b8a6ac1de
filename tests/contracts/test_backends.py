"""Every registered backend keeps its package's contract: shapes, types, ranges, empty input, unknown names."""

import numpy as np
import pytest
import skimage.data
import torch

from tvface import detectors, embedders, flow, landmarkers, parsers
from tvface.assets import registry as assets
from tvface.assets.backends import REGISTRIES, Declared, Weighted, backend, declared, needed_files
from tvface.settings import Settings, SettingsError

SETTINGS = Settings()
PACKAGES = {
    "detectors": (detectors, SETTINGS.faces),
    "embedders": (embedders, SETTINGS.faces),
    "landmarkers": (landmarkers, SETTINGS.landmarks),
    "parsers": (parsers, SETTINGS.masks),
    "flow": (flow, SETTINGS.dataset.flow),
}
BACKENDS = [(package, name) for package, (module, _) in PACKAGES.items() for name in module.available()]
FACE = (177.0, 66.0, 266.0, 177.0)  # MTCNN's box in the astronaut picture, within a pixel


def make(package, name):
    module, settings = PACKAGES[package]
    torch.set_num_threads(1)
    files = [file for files in needed_files(declared(package, name), settings) for file in files]
    for row, path in files:
        if not path.is_file():
            pytest.skip(f"{name}: {assets.describe_missing(row, path).splitlines()[0]}")
    backend = module.create(name, settings, "cpu")
    assert isinstance(backend, Weighted)
    assert all(len(digest) == 64 for digest in backend.weights.values())
    checked = {path.name: assets.sha256(path) for _, path in files}
    assert checked.items() <= backend.weights.items(), "what was checked was loaded"
    # MTCNN's come with facenet-pytorch, whose version the lock fixes.
    assert all("/" in name for name in backend.weights.keys() - checked), "others come with an installed package"
    return backend


def of(package):
    return [name for owner, name in BACKENDS if owner == package]


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def crop(astronaut):
    return np.ascontiguousarray(astronaut[20:244, 110:334])


def test_every_registry_is_looked_at():
    assert PACKAGES.keys() == REGISTRIES.keys()


@pytest.mark.parametrize(("package", "name"), BACKENDS)
def test_what_is_read_without_importing_is_what_the_class_declares(package, name):
    kind = backend(package, name)
    assert declared(package, name) == Declared(kind.needs, kind.path_option, kind.parts)
    assert set(kind.needs) <= assets.registry().keys(), "each has its row in resources/assets.tsv"
    if kind.needs:
        assert kind.load.__func__ is not Weighted.load.__func__, "it loads what it needs"
        assert not kind.path_option or isinstance(getattr(PACKAGES[package][1], kind.path_option), str)


@pytest.mark.parametrize("package", PACKAGES)
def test_unknown_names_are_refused_with_the_valid_ones(package):
    module, settings = PACKAGES[package]
    with pytest.raises(SettingsError, match=module.available()[0]):
        module.create("no_such_backend", settings, "cpu")


@pytest.mark.parametrize("name", of("detectors"))
def test_detectors(name, astronaut):
    detector = make("detectors", name)
    blank = np.zeros_like(astronaut)
    found, none = detector.detect([astronaut, blank])
    assert found.boxes.shape == (1, 4) and found.boxes.dtype == np.float32
    assert np.abs(found.boxes[0] - FACE).max() < 25
    assert found.points.shape == (1, 5, 2) and found.scores[0] > 0.9
    assert found.points[0, 0, 0] < found.points[0, 1, 0], "the viewer's left eye comes first"
    assert none.boxes.shape == (0, 4) and none.points.shape == (0, 5, 2)
    assert detector.detect([]) == []


@pytest.mark.parametrize("name", of("embedders"))
def test_embedders(name, crop):
    embedder = make("embedders", name)
    crops = np.stack([crop[:160, :160], crop[40:200, 40:200]])
    vectors = embedder.embed(crops)
    assert vectors.shape == (2, embedder.dimension) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.allclose(embedder.embed(crops[::-1].copy())[::-1], vectors, atol=1e-5), "rows are independent"
    assert embedder.embed(crops[:0]).shape == (0, embedder.dimension)


@pytest.mark.parametrize("name", of("landmarkers"))
def test_landmarkers(name, crop):
    landmarker = make("landmarkers", name)
    box = np.array([[FACE[0] - 110, FACE[1] - 20, FACE[2] - 110, FACE[3] - 20]], np.float32)
    points, confidence = landmarker.locate(crop[None], box)
    assert points.shape == (1, 68, 2) and points.dtype == np.float32
    assert confidence.shape == (1, 68) and (confidence >= 0).all()
    eye, other = points[0, 36:42].mean(0), points[0, 42:48].mean(0)
    # The astronaut's pupils, hand-placed in the picture (resources/portraits.tsv).
    assert np.linalg.norm(eye - (203 - 110, 101 - 20)) < 10 and np.linalg.norm(other - (247 - 110, 103 - 20)) < 10
    assert 0 < landmarker.instability(crop[None], box, points, 0.05)[0] < 0.03
    assert landmarker.instability(crop[None], box, points, 0.0)[0] < 0.01
    assert landmarker.instability(crop[None][:0], box[:0], points[:0], 0.05).shape == (0,)
    empty = landmarker.locate(crop[None][:0], box[:0])
    assert empty[0].shape == (0, 68, 2) and empty[1].shape == (0, 68)


@pytest.mark.parametrize("name", of("parsers"))
def test_parsers(name, crop):
    parser = make("parsers", name)
    labels = parser.parse(crop[None])
    assert labels.shape == (1, 224, 224) and labels.dtype == np.uint8 and labels.max() <= 18
    cheek = labels[0, 128 - 20 + 6 : 140 - 20 + 6, 195 - 110 : 205 - 110]
    assert (cheek == 1).mean() > 0.5, "the cheek is skin"
    assert parser.parse(crop[None][:0]).shape == (0, 224, 224)


@pytest.mark.parametrize("name", of("flow"))
def test_flow(name, crop):
    estimator = make("flow", name)
    still, moved = crop[64:160, 64:160], crop[63:159, 62:158]  # shows the same 2 px further right and 1 px further down
    found = estimator.flow(np.stack([still, still]), np.stack([moved, still]))
    assert found.shape == (2, 2, 96, 96) and found.dtype == np.float32
    np.testing.assert_allclose(np.median(found[0, :, 16:-16, 16:-16], (1, 2)), [2, 1], atol=0.35)
    assert np.abs(found[1]).mean() < 0.15
