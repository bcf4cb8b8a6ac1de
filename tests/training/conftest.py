"""A tiny head and dataset for the training tests: seconds on one core."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.footage import sliding, write_episode
from tvface.head.data import HeadData
from tvface.settings import Settings, parse_settings
from tvface.stages import dataset

TINY = {
    "device": "cpu",
    "head": {"n_shape": 4, "n_expression": 3, "n_texture": 2},
    "dataset": {"flow": {"size": 32}},
    "train": {
        "frames": 3,
        "image_size": 32,
        "render_size": 32,
        "uv_size": 32,
        "log_every": 2,
        "validate_every": 4,
        "checkpoint_every": 2,
        "deca": {"width": 4, "layers": [1, 1, 1, 1], "hidden": 8},
        "temporal": {
            "width": 4,
            "layers": [1, 1, 1, 1],
            "hidden": 8,
            "channels": 4,
            "blocks": 1,
            "rnn_layers": 1,
            "deform_groups": 2,
        },
        "pretrain": {"steps": 6},
        "coarse": {"steps": 4, "loss_weights": {"identity": 0}},
        "detail": {"steps": 4, "loss_weights": {"mrf": 0}},
    },
}


def bumpy_head(seed: int = 0) -> HeadData:
    """An open, curved patch of 12 x 12 vertices in FLAME's format: front facing, about 0.16 m wide."""
    rng = np.random.default_rng(seed)
    side = 12
    a, b = np.meshgrid(np.linspace(-1.0, 1.0, side), np.linspace(-1.0, 1.0, side))
    vertices = np.stack([0.08 * np.sin(a), 0.1 * np.sin(b), 0.08 * np.cos(a) * np.cos(b) - 0.05], -1).reshape(-1, 3)
    quad = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)[None]).reshape(-1)
    faces = np.concatenate(
        [np.stack([quad, quad + 1, quad + side], 1), np.stack([quad + 1, quad + side + 1, quad + side], 1)]
    )
    count = len(vertices)

    def bary(*shape: int) -> np.ndarray:
        return rng.dirichlet(np.ones(3), shape).astype(np.float32)

    def pick(*shape: int) -> np.ndarray:
        return rng.integers(0, len(faces), shape).astype(np.int32)

    uv = np.stack([(a + 1) / 2 * 0.9 + 0.05, (b + 1) / 2 * 0.9 + 0.05], -1).reshape(-1, 2)
    contour_faces, contour_bary = pick(1, 17), bary(1, 17)
    return HeadData(
        v_template=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        shape_basis=rng.normal(0, 2e-3, (count, 3, 4)).astype(np.float32),
        expression_basis=rng.normal(0, 2e-3, (count, 3, 3)).astype(np.float32),
        pose_basis=np.zeros((36, 3 * count), np.float32),
        joint_regressor=np.full((5, count), 1 / count, np.float32),
        skinning=np.eye(5, dtype=np.float32)[np.zeros(count, int)],
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        static_faces=pick(51),
        static_bary=bary(51),
        contour_faces=contour_faces.repeat(79, 0),
        contour_bary=contour_bary.repeat(79, 0),
        full_faces=pick(68),
        full_bary=bary(68),
        uv=uv.astype(np.float32),
        uv_faces=faces.astype(np.int32),
        face_mask=np.ones((32, 32), np.float32),
        face_eye_mask=np.ones((32, 32), np.float32),
        fixed_displacement=np.zeros((32, 32), np.float32),
        labels=np.ones((32, 32), np.uint8),
        albedo_mean=np.full((32, 32, 3), 0.5, np.float32),
        albedo_basis=rng.normal(0, 0.05, (2, 32, 32, 3)).astype(np.float16),
        meta=json.dumps({"source": "formulas", "licence": "none needed"}),
    )


def write_dataset(folder: Path, settings: Settings) -> Path:
    """Write a dataset of three episodes with a person each: one part each."""
    manifests = []
    for number, (episode, count) in enumerate((("e1", 4), ("e2", 1), ("e3", 2))):
        items = [sliding("s", episode, f"p{number}", frames=5, seed=10 * number + i) for i in range(count)]
        paths = write_episode(folder, episode, items)
        out = {"manifest": folder / "dataset" / f"{episode}.parquet", "flow": folder / "dataset" / f"{episode}.tar"}
        dataset.run(settings, paths, out, shard=episode)
        manifests.append(out["manifest"])
    whole = folder / "dataset.parquet"
    dataset.run(settings, {"manifests": manifests}, {"manifest": whole, "statistics": folder / "dataset.json"})
    return whole


@pytest.fixture
def tiny() -> Settings:
    return parse_settings(TINY)


@pytest.fixture
def project(tmp_path, monkeypatch, tiny) -> Path:
    """A folder with ``head.npz`` and ``dataset.parquet`` (4 training, 1 validation, 2 test sequences), entered."""
    monkeypatch.chdir(tmp_path)
    bumpy_head().save(tmp_path / "head.npz")
    write_dataset(tmp_path, tiny)
    return tmp_path
