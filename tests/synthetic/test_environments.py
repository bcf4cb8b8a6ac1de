"""Environments of light and their conversion for the renderer; shadows of lamps."""

from __future__ import annotations

import numpy as np
import pytest

from tvface.synthetic.places import environments
from tvface.synthetic.places.environments import (
    ENCODING,
    KINDS,
    AreaLight,
    Environment,
    colour_of,
    draw_environment,
    expose_environment,
    towards,
)
from tvface.synthetic.places.surroundings import draw_surroundings
from tvface.synthetic.render.light import SH_FACTORS, PointLight, facing_disc
from tvface.synthetic.render.shadow_map import ShadowMap

HEAD = np.array([0.1, 0.0, -1.5])
SKIN = np.array([0.75, 0.55, 0.45])


def basis(normals: np.ndarray) -> np.ndarray:
    x, y, z = normals.T
    plain = np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], 1)
    return plain * SH_FACTORS


def test_colours_of_temperatures() -> None:
    np.testing.assert_allclose(colour_of(6500), 1)
    warm, cold = colour_of(2700), colour_of(9000)
    assert warm[0] > 1.5 and warm[2] < 0.5 and cold[0] < 1 < cold[2]


def test_directions_of_azimuth_and_height() -> None:
    np.testing.assert_allclose(towards(0, 0), (0, 0, 1), atol=1e-9)
    np.testing.assert_allclose(towards(90, 0), (1, 0, 0), atol=1e-9)
    np.testing.assert_allclose(towards(40, 90), (0, 1, 0), atol=1e-9)


def test_light_and_lamp_together_are_the_encoded_light_of_all() -> None:
    key = AreaLight(towards(40, 25), np.array([0.8, 0.7, 0.6]), 0.3)
    fill = AreaLight(towards(-40, 5), np.full(3, 0.15), 0.5)
    environment = Environment(np.full(3, 0.2), np.full(3, 0.12), (key, fill), "indoors", np.full(3, 0.3))
    light, lamps = environment.render(HEAD)
    assert light.shape == (9, 3) and light.dtype == np.float32 and len(lamps) == 1
    np.testing.assert_allclose(lamps[0].position, HEAD + 8 * towards(40, 25))
    normals = environments.NORMALS[environments.NORMALS[:, 2] > 0.1]
    far = np.tile(HEAD, (len(normals), 1))
    total = basis(normals) @ light + lamps[0].irradiance(far, normals)
    expected = environment.irradiance(normals) ** (1 / ENCODING)
    assert np.abs(total - expected).max() < 0.08 and np.abs(total - expected).mean() < 0.025


def test_every_kind_is_finite_and_most_light_the_face_from_the_front() -> None:
    rng = np.random.default_rng(0)
    for draw, share in KINDS:
        assert share > 0
        for _ in range(20):
            light, lamps = draw(rng).render(HEAD)
            assert np.isfinite(light).all() and lamps
            for lamp in lamps:
                assert (lamp.colour >= 0).all() and lamp.colour.max() > 0
    assert sum(share for _, share in KINDS) == pytest.approx(1)
    drawn = [draw_environment(rng) for _ in range(400)]
    front = np.mean([environment.lights[0].direction[2] > 0.2 for environment in drawn])
    assert front > 0.7
    ratio = []
    for environment in drawn:
        both = environment.irradiance(np.array([towards(a, 10) for a in (-50, 50)])).mean(1)
        ratio.append(both.max() / both.min())
    assert 1.3 < np.median(ratio) < 5  # linear; a sheet of pictures shows it as 1.1 to 2
    hard = np.mean([environment.lights[0].spread < np.radians(8) for environment in drawn])
    assert 0.1 < hard < 0.45


def test_exposure_brings_faces_near_a_level_and_keeps_dark_skins_darker() -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_environment(rng) for _ in range(200)]
    level = {}
    for name, skin in (("light", SKIN), ("dark", SKIN * 0.45)):
        light = [expose_environment(e, skin, np.random.default_rng(7)) for e in drawn]
        front = np.array([[0, 0, 1.0]])
        level[name] = np.mean([(e.irradiance(front) ** (1 / ENCODING)).mean() * skin.mean() for e in light])
    assert 0.35 < level["light"] < 0.65 and 0.4 < level["dark"] / level["light"] < 0.75


def test_equal_seeds_give_equal_surroundings() -> None:
    one, two = (draw_surroundings(48, HEAD, SKIN, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(one.light, two.light)
    np.testing.assert_array_equal(one.background, two.background)
    assert one.background.shape == (48, 48, 3) and one.background.dtype == np.uint8


def test_wide_discs_set_gradually() -> None:
    cosine = np.linspace(-1, 1, 201)
    np.testing.assert_allclose(facing_disc(cosine, 0.0), np.maximum(cosine, 0))
    wide = facing_disc(cosine, 0.5)
    assert (np.diff(wide) >= 0).all() and wide[100] > 0.1 and wide[0] == 0 and wide[-1] == 1
    assert np.abs(np.diff(wide, 2)).max() < 2e-3  # no kink


def plates() -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Return a ground of 21 x 21 vertices at z = -1, and a plate .1 m above its left half, seen from z = 0."""
    grid = np.linspace(-0.1, 0.1, 21)
    x, y = np.meshgrid(grid, grid)
    ground = np.stack([x.ravel(), y.ravel(), np.full(x.size, -1.0)], 1).astype(np.float32)
    cell = np.arange(20 * 21).reshape(20, 21)[:, :20].ravel()
    faces = np.concatenate(
        [np.stack([cell, cell + 1, cell + 21], 1), np.stack([cell + 1, cell + 22, cell + 21], 1)]
    ).astype(np.int32)
    corners = np.float32([(-0.2, -0.2, -0.9), (0, -0.2, -0.9), (0, 0.2, -0.9), (-0.2, 0.2, -0.9)])
    return [(ground, faces), (corners, np.int32([(0, 1, 2), (0, 2, 3)]))], ground


@pytest.mark.parametrize("spread", [0.03, 0.35])
def test_shadows_are_as_soft_as_the_lamp_is_wide(spread: float) -> None:
    meshes, ground = plates()
    normals = np.tile(np.float32([0, 0, 1]), (len(ground), 1))
    lamp = PointLight(np.array([0, 0, 20.0]), np.full(3, 21.0**2), spread)
    total = np.zeros(ground.shape, np.float32)
    ShadowMap.of(np.array([0, 0, 1.0]), meshes).add(lamp, ground, normals, total)
    row = total[:, 0].reshape(21, 21)[10]
    assert row[5] < 0.1 and row[-2] == pytest.approx(1, abs=0.02)
    edge = np.mean((row[5:] > 0.15) & (row[5:] < 0.9)) * 0.15  # metres
    # The edge of a disc's shadow is twice the tangent times the distance wide, less where it is cut off at 10 and 90 %.
    assert edge == pytest.approx(2 * np.tan(spread) * 0.1 * 0.7, abs=0.013)


def test_an_unshadowed_lamp_is_the_point_light() -> None:
    _, ground = plates()
    normals = np.tile(np.float32([0.6, 0, 0.8]), (len(ground), 1))
    lamp = PointLight(np.array([0.3, 0.2, 0.0]), np.array([1.0, 0.5, 0.25]), 0.1)
    total = np.zeros(ground.shape, np.float32)
    far = [(ground + np.float32([0, 0, -1]), np.zeros((0, 3), np.int32))]
    ShadowMap.of(lamp.position - ground.mean(0), far).add(lamp, ground, normals, total)
    np.testing.assert_allclose(total, lamp.irradiance(ground, normals), rtol=2e-3, atol=1e-5)
