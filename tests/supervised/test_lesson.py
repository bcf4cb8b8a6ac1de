"""The lesson: the truth costs nothing, training goes towards it, only the coarse encoder moves."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tvface.conventions.face_mask import PAPER_TOOL
from tvface.head.data import HeadData
from tvface.model.face_model import Codes, FaceModel, ModelSpec
from tvface.settings.model import Encoder, ResidualEncoder
from tvface.settings.supervised import Terms
from tvface.supervised.lesson import Lesson
from tvface.supervised.shots import Shots
from tvface.supervised.windows import ShotSampler, TaughtWindow

SMALL = {"width": 8, "layers": (1, 1, 1, 1), "hidden": 32}


def model(head: HeadData, kind: str = "deca") -> FaceModel:
    spec = ModelSpec(
        kind, 100, 50, 52, 32, 32, 64, 8.0, 0,  # type: ignore[arg-type]
        deca=Encoder(**SMALL),
        residual=ResidualEncoder(**SMALL, channels=8, attention_width=16),
    )  # fmt: skip
    return FaceModel(spec, head)


@pytest.fixture(scope="module")
def window(some: Shots) -> TaughtWindow:
    return ShotSampler([some], 32, (5,), 20, 0, PAPER_TOOL).window(0)


@pytest.fixture(scope="module")
def lesson(head: HeadData) -> Lesson:
    return Lesson(model(head), head, Terms())


def true_codes(window: TaughtWindow) -> Codes:
    """Return the truth where the model has a place for it: a straight neck, no eyes."""
    joints = window.joints.flatten(0, 1)
    count = len(joints)
    return Codes(
        window.shape.flatten(0, 1),
        torch.zeros(count, 50),
        window.expression.flatten(0, 1),
        torch.cat([joints[:, :3], joints[:, 6:9]], 1),
        torch.tensor([[8.0, 0.0, 0.0]]).expand(count, 3),
        torch.zeros(count, 9, 3),
    )


def test_the_truth_costs_nothing(lesson: Lesson, window: TaughtWindow) -> None:
    straight = window.joints.clone()
    straight[..., 3:6] = straight[..., 9:] = 0
    still = dataclasses.replace(window, joints=straight)
    terms = lesson._terms(true_codes(still), still)
    assert {name: float(terms[name]) for name in ("posed", "neutral", "size", "units", "albedo")} == pytest.approx(
        dict.fromkeys(("posed", "neutral", "size", "units", "albedo"), 0.0), abs=1e-6
    )
    rest = lesson.model.codes(torch.zeros(20, sum(lesson.model.spec.widths)))
    wrong = lesson._terms(rest, still)
    larger = lesson._terms(true_codes(dataclasses.replace(still, shape=1.3 * still.shape)), still)
    assert float(larger["size"]) > 1e-3 and float(larger["neutral"]) > 1e-5
    assert float(wrong["posed"]) > 3e-3 and float(wrong["neutral"]) > 5e-4 and float(wrong["units"]) > 1e-3


def test_colour_tells_light(lesson: Lesson, window: TaughtWindow) -> None:
    """Lights fitted to the picture explain it, and no gradient goes to the geometry."""
    codes = true_codes(window)
    light = torch.zeros(20, 9, 3, requires_grad=True)
    posed = lesson.face.posed(window)
    optimizer = torch.optim.Adam([light], 0.2)
    before = float(lesson._colour(codes, window, posed))
    for _ in range(80):
        optimizer.zero_grad()
        lesson._colour(codes.replaced(light=light), window, posed).backward()
        optimizer.step()
    after = float(lesson._colour(codes.replaced(light=light.detach()), window, posed))
    assert before > 0.15 and after < 0.4 * before


def test_skin_is_linear_and_moves_the_albedo(lesson: Lesson) -> None:
    codes = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    skin = lesson.skin(codes)
    torch.testing.assert_close(lesson.skin(2 * codes) - lesson.skin.mean, 2 * (skin - lesson.skin.mean))
    albedo = lesson.model.albedo(codes).mean((2, 3))
    assert float(torch.corrcoef(torch.stack([skin.flatten(), albedo.flatten()]))[0, 1]) > 0.8


@pytest.mark.parametrize("kind", ["deca", "residual"])
def test_training_goes_towards_the_truth(head: HeadData, window: TaughtWindow, kind: str) -> None:
    lesson = Lesson(model(head, kind), head, Terms(), frozen_norm=True)
    optimizer = torch.optim.Adam(lesson.trained(), 2e-3)
    totals = []
    for step in range(25):
        total = torch.stack(list(lesson(window, step).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.7 * totals[0]
    assert all(p.grad is None for p in lesson.model.detail_encoder.parameters())
    norms = [m for m in lesson.model.coarse_encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(int(m.num_batches_tracked) == 0 for m in norms)
