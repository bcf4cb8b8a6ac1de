"""The bundled identity network: inputs, outputs, and recognition of people in other renders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tvface import embedders
from tvface.bundled.faces import make
from tvface.embedders.base import SIDE
from tvface.embedders.compact import Backend
from tvface.evaluation.verification import pairs, verify
from tvface.head import human
from tvface.networks.bundles import FOLDER, IDENTITY, load_bundle, save_bundle
from tvface.networks.compact import CompactIdentity, CompactParser
from tvface.settings.data import Faces
from tvface.settings.model import Head


@pytest.fixture(scope="module")
def embedder() -> embedders.base.Embedder:
    return embedders.create("compact", Faces())


def test_rows_of_unit_length_that_do_not_depend_on_each_other(embedder: embedders.base.Embedder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, SIDE, SIDE, 3)).astype(np.uint8)
    vectors = embedder.embed(noise)
    assert vectors.shape == (70, embedder.dimension) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(embedder.embed(noise[66:68]), vectors[66:68], atol=1e-5), "across two batches"
    assert embedder.embed(noise[:0]).shape == (0, embedder.dimension)
    assert np.isfinite(embedder.embed(np.zeros((1, SIDE, SIDE, 3), np.uint8))).all()


def test_a_face_and_its_mirror_image_are_one_vector(embedder: embedders.base.Embedder) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.uint8)
    mirrored = np.ascontiguousarray(crops[:, :, ::-1])
    assert np.allclose(embedder.embed(crops), embedder.embed(mirrored), atol=1e-4)


def test_people_it_has_not_seen_are_distinguished(embedder: embedders.base.Embedder) -> None:
    samples = make(human.build(Head()), 10, 987_654)
    crops = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for image in samples.images])
    verification = verify(*pairs(embedder.embed(crops), samples.person, samples.take))
    assert verification.area > 0.88


def test_other_weights_are_refused(tmp_path: Path) -> None:
    save_bundle(tmp_path / "parser.safetensors", CompactParser(), 96, 1.0, {})
    with pytest.raises(TypeError, match="expected a CompactIdentity"):
        Backend(Faces(), torch.device("cpu"), load_bundle(tmp_path / "parser.safetensors"))


def test_the_shipped_file_is_small_and_names_its_making() -> None:
    path = FOLDER / IDENTITY
    assert path.stat().st_size < 4_000_000
    bundle = load_bundle(path)
    assert isinstance(bundle.net, CompactIdentity) and bundle.about["people"] >= 1000
    card = path.with_suffix(".md").read_text()
    assert bundle.sha256 in card and "tvface.bundled.faces" in card
