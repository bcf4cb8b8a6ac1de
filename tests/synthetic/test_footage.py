"""Damage as by cameras and codecs: it changes looks, never places."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tvface.synthetic.camera import codec
from tvface.synthetic.camera.degrade import comb, degrade
from tvface.synthetic.camera.lens import defocus, disc_kernel, lens, motion_kernel, to_linear
from tvface.synthetic.camera.sensor import LIMIT, STEPS, Development, develop, draw_development, tone_curves


def dot(x: float, y: float, size: int = 96) -> np.ndarray:
    """Return a soft bright dot on dark grey, (size, size, 3) uint8."""
    rows, columns = np.mgrid[0:size, 0:size]
    value = 40 + 150 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 5.0**2))
    return np.repeat(value[:, :, None], 3, 2).astype(np.uint8)


def centroid(image: np.ndarray) -> np.ndarray:
    """Return the place (x, y) of what is brighter than the surroundings."""
    grey = cv2.GaussianBlur(image.mean(2).astype(np.float32), (0, 0), 2.0)
    weight = np.maximum(grey - (np.median(grey) + 0.4 * (grey.max() - np.median(grey))), 0)
    rows, columns = np.mgrid[0 : len(image), 0 : len(image)]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def test_a_dot_stays_where_it_is() -> None:
    moved = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        place = rng.uniform(40, 55, 2)
        image = dot(*place)
        moved.append(centroid(degrade(image, rng)) - centroid(image))
    away = np.abs(np.array(moved))
    # Noise, blocks and rows of fields move single dots a little; on the average nothing moves.
    assert np.median(away) < 0.1 and np.quantile(away, 0.9) < 0.5
    assert (np.abs(np.median(moved, axis=0)) < 0.05).all()


def test_lens_alone_moves_nothing() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        linear = to_linear(dot(45.3, 50.6))
        np.testing.assert_allclose(centroid(lens(linear, rng)), centroid(linear), atol=0.1)


def test_damage_depends_on_the_seeds_alone_and_grain_on_its_generator() -> None:
    image = dot(40, 40, 64)
    one, two = (degrade(image, np.random.default_rng(5), np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == image.shape and one.dtype == np.uint8
    different = [
        (degrade(image, np.random.default_rng(s), np.random.default_rng(1)) != image).mean() for s in range(20)
    ]
    assert min(different) > 0.1
    noisy = [s for s in range(20) if draw_development(np.random.default_rng(s)).read > 2e-3]
    first, second = (degrade(image, np.random.default_rng(noisy[0]), np.random.default_rng(k)) for k in (1, 2))
    assert (first != second).any()
    # The kind of damage is the same: only the noise differs.
    assert abs(first.mean() - second.mean()) < 3


def test_kernels_keep_the_light() -> None:
    for radius in (0.5, 1.25, 4.0):
        kernel = disc_kernel(radius)
        assert kernel.sum() == pytest.approx(1, rel=1e-5) and np.allclose(kernel, kernel[::-1, ::-1])
    for length, angle in ((2.0, 0.0), (7.0, 1.0)):
        kernel = motion_kernel(length, angle)
        assert kernel.sum() == pytest.approx(1, rel=1e-5) and np.allclose(kernel, kernel[::-1, ::-1])
    spot = np.zeros((60, 60, 3), np.float32)
    spot[30, 30] = 100
    for radius in (0.2, 3.0, 9.0):  # the last one at half size
        assert defocus(spot, radius).sum() == pytest.approx(300, rel=0.01)


def plain_settings(**changes: object) -> Development:
    curve = np.clip(LIMIT * np.linspace(0, 1, STEPS) ** 2, 0, 1) ** (1 / 2.2)
    values = {
        "gains": np.ones(3),
        "vignette": 0.0,
        "shot": 0.0,
        "read": 0.0,
        "grain": 0.0,
        "fine": 0,
        "curves": np.repeat(curve[None], 3, 0).astype(np.float32),
        "saturation": 1.0,
    }
    return Development(**{**values, **changes})  # type: ignore[arg-type]


def test_development_without_faults_gives_the_picture_back_and_noise_grows_with_light() -> None:
    ramp = np.repeat(np.tile(np.arange(0, 230, 2, dtype=np.uint8), (64, 1))[:, :, None], 3, 2)
    shown = develop(to_linear(ramp), plain_settings(), np.random.default_rng(0))
    np.testing.assert_allclose(shown * 255, ramp, atol=1.6)
    deviation = []
    for level in (0.05, 0.6):
        linear = np.full((96, 96, 3), level, np.float32)
        noisy = develop(linear, plain_settings(shot=1e-3), np.random.default_rng(0))
        deviation.append((noisy**2.2).std())
    assert deviation[1] / deviation[0] == pytest.approx(np.sqrt(12), rel=0.1)
    grey = develop(to_linear(ramp), plain_settings(saturation=0.0, gains=[1.2, 1, 0.8]), np.random.default_rng(0))
    assert np.ptp(grey, axis=2).max() < 1e-5


def test_tone_curves_rise() -> None:
    for seed in range(40):
        curves = tone_curves(np.random.default_rng(seed))
        assert curves.shape == (3, STEPS) and curves.min() >= 0 and curves.max() <= 1
        assert (np.diff(curves, axis=1) > -2e-3).mean() > 0.99 and (curves[:, -1] > curves[:, 0] + 0.4).all()


def test_the_codecs_transform_is_orthonormal_and_its_damage_grows_with_the_step() -> None:
    for side in (8, 16):
        basis = codec.cosines(side)
        np.testing.assert_allclose(basis @ basis.T, np.eye(side), atol=1e-5)
    rng = np.random.default_rng(0)
    image = np.clip(dot(30, 20, 75) + rng.normal(0, 12, (75, 75, 1)), 0, 255).astype(np.uint8)
    for side, deblock in ((8, False), (8, True), (16, True)):
        error = [
            np.abs(codec.video(image, step, side, deblock).astype(int) - image).mean() for step in (2.0, 20.0, 60.0)
        ]
        assert error[0] < 3 and error[0] < error[1] < error[2]
    flat = np.full((40, 40, 3), 90, np.uint8)
    assert np.abs(codec.video(flat, 20.0).astype(int) - flat).max() <= 4
    steps = [codec.video(image, 60.0, 8, deblock).astype(float) for deblock in (False, True)]
    at_edges = [np.abs(np.diff(s, axis=1))[:, 7::8].mean() for s in steps]
    assert at_edges[1] < 0.8 * at_edges[0]  # the filter hides the blocks


def test_combing_keeps_the_middle() -> None:
    image = dot(40, 40, 80).astype(np.float32)
    combed = comb(image, 2)
    assert np.abs(np.diff(combed[:, :, 0], axis=0)).mean() > np.abs(np.diff(image[:, :, 0], axis=0)).mean()
    np.testing.assert_allclose(centroid(combed), centroid(image), atol=0.1)
