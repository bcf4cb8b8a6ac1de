"""The guess of the shape: aligned faces, what frames say together, and that the fit listens to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fitting.conftest import talking
from tvface.fitting.person import fit_person
from tvface.fitting.shape_guess import SIZE, TEMPLATE, ShapeGuess, aligned, five, look, pooled
from tvface.fitting.solver import solve
from tvface.head.model import HeadModel
from tvface.networks.compact import CompactShape
from tvface.settings.fit import Fit


@pytest.fixture(scope="module")
def network() -> CompactShape:
    torch.manual_seed(0)
    net = CompactShape()
    torch.nn.init.normal_(net.out[-1].weight, std=0.3)  # type: ignore[arg-type]
    net.spread.copy_(torch.linspace(0.3, 1.0, 100))
    return net.eval()


def picture(turn: float, scale: float, shift: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A soft pattern and 68 points, turned (rad), grown and shifted about the middle of 240 px."""
    y, x = np.mgrid[:240, :240] - 120.0
    c, s = np.cos(turn), np.sin(turn)
    u = ((x - shift[0]) * c + (y - shift[1]) * s) / scale
    v = (-(x - shift[0]) * s + (y - shift[1]) * c) / scale
    waves = [128 + 100 * np.sin(u / 9 + k) * np.cos(v / 11 - k) for k in range(3)]
    rng = np.random.default_rng(1)
    points = rng.uniform(-30, 30, (68, 2))
    points[36:42] += (-40, -30)
    points[42:48] += (40, -30)
    points[30], points[48], points[54] = (0, 5), (-25, 40), (25, 40)
    moved = scale * points @ np.array([[c, s], [-s, c]]) + shift + 120
    return np.stack(waves, -1).astype(np.uint8), moved


def test_faces_are_aligned_whatever_their_place() -> None:
    first, second = picture(0.0, 1.0, (0, 0)), picture(0.4, 0.8, (9, -14))
    one, two = aligned(*first), aligned(*second)
    assert one.shape == (SIZE, SIZE, 3)
    inside = slice(20, 76)
    assert np.abs(one[inside, inside].astype(int) - two[inside, inside]).mean() < 4
    assert five(first[1]).shape == (5, 2) and TEMPLATE[2, 1] > TEMPLATE[0, 1]


def test_pictures_are_read_in_order_and_in_parts(network: CompactShape, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [picture(0.1 * k, 1 - 0.05 * k, (3 * k, 0)) for k in range(5)]
    images, points = (np.stack(column) for column in zip(*pairs, strict=True))
    whole = look(images, points, network)
    assert whole.shape == (5, 100) and np.abs(whole[0] - whole[4]).max() > 1e-4
    monkeypatch.setattr("tvface.fitting.shape_guess.BATCH", 2)
    np.testing.assert_allclose(look(images, points, network), whole, atol=1e-5)
    assert look(images[:0], points[:0], network).shape == (0, 100)


def test_frames_count_by_their_weight(network: CompactShape) -> None:
    guesses = np.array([[1.0] * 100, [3.0] * 100])
    together = pooled(guesses, np.array([3.0, 1.0]), network, 40)
    np.testing.assert_allclose(together.mean, np.full(40, 1.5))
    np.testing.assert_allclose(together.spread, network.spread[:40].numpy())
    nobody = pooled(guesses, np.zeros(2), network, 40)
    assert not nobody.mean.any() and (nobody.spread == 1).all()


def neutral_error(full: HeadModel, shape: np.ndarray, true: np.ndarray) -> float:
    codes = torch.from_numpy(np.stack([shape, true]).astype(np.float32))
    with torch.no_grad():
        first, second = full(codes, torch.zeros(2, 52), torch.zeros(2, 6)).vertices
    return float((first - second).norm(dim=-1).mean())


def test_the_fit_takes_the_guess_as_the_centre_of_its_prior(
    small: HeadModel, full: HeadModel, names: list[str]
) -> None:
    shown = talking(small, names, 12, seed=3, noise=0.001)
    true = shown.codes.shape
    rng = np.random.default_rng(0)
    near = ShapeGuess((true + 0.3 * rng.standard_normal(100)).astype(np.float32), np.full(100, 0.3, np.float32))
    blind, guided = (
        fit_person(small, shown.observed, Fit(steps=60), names, guess=guess).codes.shape for guess in (None, near)
    )
    assert neutral_error(full, guided, true) < 0.6 * neutral_error(full, blind, true)
    away = ShapeGuess((-true).astype(np.float32), np.full(100, 1.0, np.float32))
    misled = fit_person(small, shown.observed, Fit(steps=60), names, guess=away).codes.shape
    assert neutral_error(full, misled, true) < neutral_error(full, -true, true), "points pull back"
    certain = ShapeGuess(near.mean, np.full(100, 1e-3, np.float32))
    np.testing.assert_allclose(
        solve(small, shown.observed, Fit(steps=60), names, guess=certain).shape, near.mean, atol=0.02
    )


def test_without_a_guess_it_is_the_mean_heads(small: HeadModel, names: list[str]) -> None:
    shown = talking(small, names, 4)
    first = solve(small, shown.observed, Fit(steps=20), names)
    same = Fit(steps=20, guess=Fit().shape_prior)
    again = solve(small, shown.observed, same, names, guess=ShapeGuess.of_mean_head(100))
    for name in ("shape", "expression", "rotation"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
