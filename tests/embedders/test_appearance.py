"""The appearance embedding: unit length, invariant to brightness, distinguishes faces, works on real people."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from tvface import detectors, embedders
from tvface.conventions.similarity import similarity
from tvface.embedders.crops import TEMPLATE, aligned_crop
from tvface.media.video import VideoReader
from tvface.settings.data import Faces

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "media" / "video"
EYES = np.array([(204, 111), (245, 108), (232, 131), (207, 146), (243, 144)], float)  # of the astronaut, by hand


@pytest.fixture(scope="module")
def embedder() -> embedders.base.Embedder:
    return embedders.create("appearance", Faces())


def test_unit_length_and_empty_batches(embedder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3)).astype(np.uint8)
    vectors = embedder.embed(noise)
    assert vectors.shape == (3, embedder.dimension) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.embed(np.zeros((0, 160, 160, 3), np.uint8)).shape == (0, embedder.dimension)
    assert np.isfinite(embedder.embed(np.zeros((1, 160, 160, 3), np.uint8))).all()


def test_one_face_under_other_light_is_nearer_than_another_face(embedder) -> None:
    face = aligned_crop(data.astronaut(), EYES)
    darker = np.clip(face.astype(float) * 0.6, 0, 255).astype(np.uint8)
    moved = aligned_crop(data.astronaut(), EYES + np.array([1.5, -1]))
    other = aligned_crop(
        np.ascontiguousarray(data.cat()), np.array([(180, 100), (260, 100), (222, 150), (195, 175), (250, 175)])
    )
    same, light, shifted, animal = embedder.embed(np.stack([face, darker, moved, other]))
    assert np.linalg.norm(same - light) < 0.25 * embedder.track_distance
    assert np.linalg.norm(same - shifted) < 0.6 * embedder.track_distance
    assert np.linalg.norm(same - animal) > embedder.track_distance


def test_alignment_puts_the_points_at_the_template() -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    points = (TEMPLATE - 80) @ turn.T * 0.5 + (100, 90)
    found = similarity(points, TEMPLATE)
    assert np.allclose(points @ found[:, :2].T + found[:, 2], TEMPLATE, atol=1e-4)
    mirrored = TEMPLATE * (-1, 1)
    assert np.linalg.det(similarity(mirrored, TEMPLATE)[:, :2]) > 0


def test_two_people_side_by_side_are_distinguished(embedder) -> None:
    path = CLIPS / "visualvoice_interview.mp4"
    if not path.is_file():
        pytest.skip(f"needs the clip {path}, which is not part of the project")
    detector = detectors.create("mtcnn", Faces(min_face=80))
    left, right = [], []
    for frame in VideoReader(path).sample(0.4):
        found = detector.detect([frame.image])[0]
        for box, points in zip(found.boxes[:2], found.points[:2], strict=True):
            side = left if box[0] + box[2] < frame.image.shape[1] else right
            side.append(embedder.embed(aligned_crop(frame.image, points)[None])[0])
    assert len(left) >= 5 and len(right) >= 5
    a, b = np.stack(left), np.stack(right)
    between = np.linalg.norm(a[:, None] - b[None], axis=-1).min()
    assert between > embedder.pair_distance
    assert max(np.linalg.norm(x[:, None] - x[None], axis=-1).max() for x in (a, b)) < between
