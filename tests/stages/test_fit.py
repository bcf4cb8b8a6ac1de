"""Stage ``fit``: one row per crop, one shape per person or track, verdicts, colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fitting.conftest import talking
from tests.training.footage import Sequence_, write_episode
from tvface.head import human
from tvface.head.camera import project
from tvface.head.model import HeadModel
from tvface.manifests import read
from tvface.manifests.fit import FIT, FITTED
from tvface.settings import parse_settings
from tvface.stages import fit

SIZE = 96


def settings(**overrides: object):
    options = {"steps": 25, **overrides}
    return parse_settings({"device": "cpu", "sequences": {"image_size": SIZE}, "fit": options})


@pytest.fixture(scope="module")
def head():
    return human.build(parse_settings({"head": {"uv_size": 64}}).head)


@pytest.fixture
def episode(head, tmp_path, monkeypatch) -> dict[str, object]:
    """Two people in three sequences: points of known heads on plain skin; one frame of the second has wrong points."""
    monkeypatch.chdir(tmp_path)
    names = list(head.notes["expression_names"])
    small = HeadModel(head, 100, 52).restricted(torch.zeros(0, dtype=torch.int64))
    rng = np.random.default_rng(0)
    sequences = []
    for seed, person in enumerate(("a", "a", "b")):
        points = talking(small, names, 5, seed=0 if person == "a" else 3).observed.points
        points = (points - points.mean((0, 1))) * (1, -1) * 500 + SIZE / 2
        if seed == 1:
            points[2] = rng.uniform(0, SIZE, (68, 2))
        images = np.full((5, SIZE, SIZE, 3), (150, 110, 90), np.uint8)
        labels = np.ones((5, SIZE, SIZE), np.uint8)
        scores = {4: {"score": 1.0, "instability": 0.2}} if person == "b" else {}
        sequences.append(Sequence_("s", "e", person, images, labels, points, scores=scores))
    paths = write_episode(tmp_path, "e", sequences)
    head.save(tmp_path / "head.npz")
    return {**paths, "head": tmp_path / "head.npz"}


def run(inputs: dict[str, object], **overrides: object):
    out = Path("fit.parquet")
    fit.run(settings(**overrides), inputs, {"manifest": out}, shard="e")
    return read(out, FIT)


def test_every_crop_gets_codes_that_put_the_head_on_its_points(episode, head):
    manifest = run(episode)
    rows = manifest.rows
    assert len(rows) == 15 and set(rows["person"]) == {"a", "b"}
    wrong = (rows["sequence"] == "e.0001") & (rows["position"] == 2)
    moved = (rows["sequence"] == "e.0002") & (rows["position"] == 4)
    assert set(rows.loc[~wrong & ~moved, "verdict"]) == {FITTED}
    assert set(rows.loc[wrong, "verdict"]) == {"residual"} and set(rows.loc[moved, "verdict"]) == {"unstable"}
    assert manifest.provenance["notes"]["failed"] == {"residual": 1, "unstable": 1}
    assert rows.loc[~wrong, "residual"].max() < 3 < rows.loc[wrong, "residual"].min()
    model = HeadModel(head, 100, 52)
    row = rows.iloc[3]
    codes = [torch.from_numpy(np.array(row[name], np.float32))[None] for name in ("shape", "expression", "pose")]
    camera = torch.from_numpy(np.array(row["camera"], np.float32))[None]
    seen = project(model(*codes).landmarks2d, camera)[0, :, :2].detach().numpy()
    np.testing.assert_allclose((seen + 1) / 2 * SIZE - 0.5, np.reshape(row["points68"], (68, 2)), atol=0.02)


def test_a_persons_scenes_share_one_shape_unless_told_otherwise(episode):
    def shapes(**overrides: object) -> int:
        return len({tuple(shape) for shape in run(episode, **overrides).rows["shape"]})

    assert shapes() == 2 and shapes(share="track") == 3


def test_the_lit_albedo_has_the_colour_of_the_skin(episode):
    rows = run(episode).rows
    assert rows["colour_residual"].max() < 0.08
    textures = {tuple(row.texture) for row in rows[rows["person"] == "a"].itertuples()}
    assert len(textures) == 1, "one albedo per person"


def test_an_episode_without_sequences_gives_an_empty_manifest(head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = write_episode(tmp_path, "e", [])
    head.save(tmp_path / "head.npz")
    assert run({**paths, "head": tmp_path / "head.npz"}).rows.empty
