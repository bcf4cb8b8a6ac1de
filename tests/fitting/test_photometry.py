"""Albedo and light from pictures: on pictures of the fit's own model the truth is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tvface.conventions.classes import BARE_SKIN
from tvface.fitting.light_prior import LightPrior, harmonics, level
from tvface.fitting.photometry import Appearance, Photometry, fit_appearance
from tvface.fitting.skin_pixels import View
from tvface.head import human
from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.networks.bundles import WeightsError
from tvface.rendering.renderer import Renderer
from tvface.settings.model import Head

SIZE, COLUMNS = 64, 20
LIGHT = np.array([[2.6, 2.5, 2.4], [0.3, 0.25, 0.2], [0.2] * 3, [0.3] * 3, *[[0.05] * 3] * 5])


@pytest.fixture(scope="module")
def head() -> HeadData:
    return human.build(Head(uv_size=64))


@pytest.fixture(scope="module")
def prior() -> LightPrior:
    return LightPrior.load()


@pytest.fixture(scope="module")
def photometry(head: HeadData, prior: LightPrior) -> Photometry:
    return Photometry(head, COLUMNS, prior, SIZE)


def code_of(tone: float) -> np.ndarray:
    """Return a texture code with ``tone`` of melanin and a little of all else."""
    code = 0.3 * np.random.default_rng(1).standard_normal(COLUMNS)
    code[0] = tone
    return code.astype(np.float32)


@pytest.fixture(scope="module")
def paint(head: HeadData):
    """Return a function that renders views of a texture code under lights (T, 9, 3), turning from left to right."""
    model, renderer, albedo = HeadModel(head, 5, 5), Renderer(head, SIZE, 128), AlbedoModel(head, COLUMNS, 256)
    classes = torch.from_numpy(head.labels.astype(np.float32))[None, None]

    def render(code: np.ndarray, lights: np.ndarray, shot: int = 0) -> list[View]:
        count = len(lights)
        pose = torch.zeros(count, 6)
        pose[:, 1] = torch.linspace(-0.4, 0.4, count)
        vertices = model(torch.zeros(count, 5), torch.zeros(count, 5), pose).vertices
        projected = project(vertices, torch.tensor([[6.5, 0.0, 0.02]]).expand(count, 3))
        colours = albedo(torch.from_numpy(code)[None]).expand(count, -1, -1, -1)
        shown = renderer.render(vertices, projected, colours, torch.from_numpy(lights).float())
        labels = torch.nn.functional.grid_sample(
            classes.expand(count, -1, -1, -1), shown.grid.permute(0, 2, 3, 1), mode="nearest", align_corners=False
        )
        images = (shown.images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        labels = (labels * shown.alpha).byte()[:, 0].numpy()
        arrays = zip(vertices.numpy(), projected.numpy(), images, labels, strict=True)
        return [View(*each, shot) for each in arrays]

    return render


def lights(count: int, gain: float = 1.0) -> np.ndarray:
    """Return lights that turn sidewards over the frames."""
    result = np.repeat(gain * LIGHT[None], count, 0)
    result[:, 1] += np.linspace(-0.3, 0.3, count)[:, None]
    return result


def knowing(prior: LightPrior, photometry: Photometry, code: np.ndarray) -> LightPrior:
    """Return a prior that knows the person: the split of skin and light is certain."""
    return dataclasses.replace(prior, skins=photometry.tone(code)[None])


def test_light_and_albedo_of_a_known_skin_come_back(head, prior, photometry, paint) -> None:
    code, light = code_of(1.5), lights(4)
    fitted = Photometry(head, COLUMNS, knowing(prior, photometry, code), SIZE).fit(paint(code, light))
    assert np.abs(photometry.tone(fitted.texture) - photometry.tone(code)).max() < 0.01
    assert fitted.residual.max() < 0.02
    normals = np.random.default_rng(0).standard_normal((200, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    shading = harmonics(normals[normals[:, 2] > 0.2])
    assert np.abs(shading @ fitted.light - shading @ light).max() < 0.08
    skin = photometry.pixels.skin_texels
    error = photometry._map(fitted.texture)[skin] - photometry._map(code)[skin]
    assert np.sqrt((error**2).mean()) < 0.012


def test_darker_skin_is_fitted_darker(photometry, paint) -> None:
    light, middle, dark = (
        photometry.tone(photometry.fit(paint(code_of(melanin), lights(3))).texture).mean() for melanin in (-1, 1, 3)
    )
    assert light - middle > 0.05 < middle - dark


def test_a_dark_scene_darkens_the_light_and_not_the_person(photometry, paint) -> None:
    code = code_of(0.5)
    bright = paint(code, lights(3))
    alone = photometry.fit(bright)
    both = photometry.fit([*bright, *paint(code, lights(3, 0.25), shot=1)])
    assert np.abs(photometry.tone(both.texture) - photometry.tone(alone.texture)).max() < 0.06
    assert level(both.light[3:]).mean() / level(both.light[:3]).mean() == pytest.approx(0.25, abs=0.03)


def test_what_hides_a_cheek_and_still_counts_as_skin_changes_little(photometry, paint) -> None:
    code = code_of(0.5)
    plain = paint(code, lights(3))
    covered = []
    for view in plain:
        image = view.image.copy()
        image[34:46, 18:28] = (20, 160, 40)
        covered.append(dataclasses.replace(view, image=image))
    before, after = photometry.fit(plain), photometry.fit(covered)
    assert np.abs(photometry.tone(after.texture) - photometry.tone(before.texture)).max() < 0.03
    assert after.residual.min() > 2 * before.residual.max()


def test_a_frame_without_skin_gets_the_mean_light_and_no_residual(photometry, paint) -> None:
    views = paint(code_of(0.0), lights(3))
    hidden = dataclasses.replace(views[1], labels=np.zeros((SIZE, SIZE), np.uint8))
    fitted = photometry.fit([views[0], hidden, views[2]])
    assert np.isnan(fitted.residual).tolist() == [False, True, False]
    assert np.allclose(fitted.light[1], fitted.light[[0, 2]].mean(0), atol=1e-5)


def test_a_track_without_skin_is_a_usual_person_in_a_usual_light(photometry, prior, paint) -> None:
    hidden = dataclasses.replace(paint(code_of(0.0), lights(1))[0], labels=np.zeros((SIZE, SIZE), np.uint8))
    fitted = photometry.fit([hidden])
    assert np.isnan(fitted.residual).all() and np.isfinite(fitted.light).all()
    assert photometry.tone(fitted.texture) == pytest.approx(prior.skins.mean(0), abs=0.01)


def test_views_are_read_once_and_equal_views_give_equal_bytes(head, photometry, paint) -> None:
    views = paint(code_of(0.0), lights(2))
    first, second = photometry.fit(iter(views)), fit_appearance(head, iter(views), COLUMNS)
    for field in dataclasses.fields(Appearance):
        assert getattr(first, field.name).tobytes() == getattr(second, field.name).tobytes()
    assert first.texture.shape == (COLUMNS,) and first.light.shape == (2, 9, 3) and first.residual.shape == (2,)


def test_painted_parts_do_not_light_the_face(photometry, paint) -> None:
    patch = photometry.pixels.patch(paint(code_of(0.0), lights(1))[0])
    skin = photometry.pixels.labels[patch.texels[patch.skin]]
    assert set(np.unique(skin)) <= set(BARE_SKIN) and (~patch.skin).any()
    assert np.isfinite(patch.whites).all() or len(patch.colours) < 2000


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("vertices", np.zeros((5, 3), np.float32), "vertices"),
        ("projected", np.zeros((5, 3), np.float32), "projected"),
        ("image", np.zeros((SIZE, SIZE, 3), np.float32), "image"),
        ("image", np.zeros((SIZE, SIZE + 1, 3), np.uint8), "image"),
        ("labels", np.zeros((SIZE, SIZE + 1), np.uint8), "labels"),
    ],
)
def test_wrong_arrays_are_named(photometry, paint, field: str, value: np.ndarray, message: str) -> None:
    view = dataclasses.replace(paint(code_of(0.0), lights(1))[0], **{field: value})
    with pytest.raises(ValueError, match=message):
        photometry.fit([view])


def test_no_views_and_too_many_columns_are_errors(head, photometry) -> None:
    with pytest.raises(ValueError, match="at least one view"):
        photometry.fit([])
    with pytest.raises(ValueError, match=r"head\.n_texture = 900"):
        Photometry(head, 900)


def test_the_shipped_table_is_sound(prior) -> None:
    assert len(prior.skins) >= 100 and prior.skins.min() > 0 and prior.skins.max() < 1
    assert prior.shares.sum() == pytest.approx(1, abs=1e-5) and prior.exposure < 0
    for scatter in (*prior.scatters, prior.whites_scatter, prior.shape_covariance + 1e-4 * np.eye(27)):
        assert np.linalg.eigvalsh(scatter).min() > 0
    assert level(prior.shape.reshape(9, 3)) == pytest.approx(np.ones(3), abs=1e-3)


def test_the_prior_explains_a_person_under_usual_light(prior) -> None:
    order = np.argsort(prior.skins.mean(1))
    for skin in prior.skins[order[[5, -5]]]:
        seen = np.log(skin) + prior.centres[0] + prior.exposure * np.log(skin.mean())
        white = prior.whites[0] + prior.whites[1] * np.log(skin.mean()) - np.log(skin)
        several = prior.skin(np.repeat(seen[None], 6, 0), white)
        assert np.abs(several - skin).max() < 0.06
        less = prior.skin(seen[None], np.full(3, np.nan))
        assert np.abs(less - skin).mean() > np.abs(several - skin).mean()


def test_a_table_is_stored_and_read(prior, tmp_path) -> None:
    prior.save(tmp_path / "table.npz")
    again = LightPrior.load(tmp_path / "table.npz")
    for field in dataclasses.fields(LightPrior):
        assert np.array_equal(getattr(again, field.name), getattr(prior, field.name))
    with pytest.raises(WeightsError, match="absent"):
        LightPrior.load(tmp_path / "absent.npz")
