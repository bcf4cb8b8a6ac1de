"""The guess of the bone is learnt: faces by seed, a training that goes on, a spread of what it does not know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.supervised.conftest import folder, head, some
from tvface.bundled.shape import SIZE, Faces, Recipe, disturbed, finish, train
from tvface.fitting.shape_guess import five
from tvface.networks.bundles import FOLDER, SHAPE, load_bundle
from tvface.networks.compact import CompactShape
from tvface.supervised.shots import Shots

__all__ = ["folder", "head", "some"]


def test_a_batch_is_a_function_of_its_generator(some: Shots) -> None:
    faces = Faces([some, some])
    assert len(faces.rows) == 80
    (one, codes), (again, _), (other, _) = (faces.batch(3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (3, 3, SIZE, SIZE) and codes.shape == (3, 100)
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_points_are_disturbed_by_some_percent_of_the_eye_distance(some: Shots) -> None:
    points = some.take(0, 0, 1)["points"][0].astype(float)
    off = np.stack([five(disturbed(points, np.random.default_rng(seed))) - five(points) for seed in range(200)])
    eyes = np.linalg.norm(points[45] - points[36])
    assert 0.02 * eyes < off.std() < 0.08 * max(eyes, 20) and abs(off.mean()) < 0.02 * max(eyes, 20)


def test_an_interrupted_training_gives_the_same_network(some: Shots, tmp_path: Path) -> None:
    recipe, faces, path = Recipe(4, batch=4), Faces([some]), tmp_path / "checkpoint.pt"
    whole, curve, _ = train(faces, some, recipe)
    with pytest.MonkeyPatch.context() as patch:
        batch = Faces.batch

        def cut(self: Faces, count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
            if path.is_file() and torch.load(path, weights_only=True)["step"] == 2:
                raise KeyboardInterrupt
            return batch(self, count, rng)

        patch.setattr(Faces, "batch", cut)
        with pytest.raises(KeyboardInterrupt):
            train(faces, some, recipe, path)
    resumed, same, seconds = train(faces, some, recipe, path)
    assert [row["step"] for row in same] == [row["step"] for row in curve] == [1, 2, 3, 4] and seconds > 0
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], tensor)
    with pytest.raises(ValueError, match="of another recipe"):
        train(faces, some, Recipe(5, batch=4), path)


def test_the_spread_is_what_is_not_known() -> None:
    net = CompactShape()
    codes = torch.randn(400, 100, generator=torch.Generator().manual_seed(0))
    guessed = codes.clone()
    guessed[:, 1:] += 0.5 * torch.randn(400, 99, generator=torch.Generator().manual_seed(1))
    finish(net, guessed, codes, range(400))
    assert float(net.spread[0]) == pytest.approx(0.05), "never quite sure"
    assert float(net.spread[1:].mean()) == pytest.approx(0.5, abs=0.02)


def test_the_shipped_file_is_small_and_names_its_making() -> None:
    path = FOLDER / SHAPE
    bundle = load_bundle(path)
    assert path.stat().st_size < 4_000_000 and isinstance(bundle.net, CompactShape)
    assert 0.05 <= float(bundle.net.spread.min()) < 0.6 and float(bundle.net.spread.max()) <= 1
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert bundle.sha256 in card and "tvface.bundled.shape" in card
