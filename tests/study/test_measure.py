"""The study's numbers: right for codes that are right, worse for others, paired over people."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.supervised.test_lesson import model
from tvface.conventions.face_mask import PAPER_TOOL
from tvface.head.data import HeadData
from tvface.model.face_model import Codes, FaceModel
from tvface.study.conditions import CONDITIONS
from tvface.study.judge import Judge, codes_of, smoothed, windows
from tvface.study.measure import agreement, bootstrap, mean_head, means, measure
from tvface.supervised.shots import Shots
from tvface.supervised.windows import TaughtWindow

CLEAN = CONDITIONS[0]


@pytest.fixture(scope="module")
def deca(head: HeadData) -> FaceModel:
    return model(head).eval()


@pytest.fixture(scope="module")
def batch(some: Shots) -> tuple[TaughtWindow, np.ndarray, list[int]]:
    ((window, hit, numbers),) = windows(some, 32, PAPER_TOOL, CLEAN, 0, range(2))
    return window, hit, numbers


def true_codes(window: TaughtWindow, deca: FaceModel) -> Codes:
    """Return the truth where the model has a place for it, and the camera of the head's distance on the true points."""
    joints, count = window.joints.flatten(0, 1), window.joints.flatten(0, 1).shape[0]
    camera, place = window.camera.flatten(0, 1), window.translation.flatten(0, 1)
    scale = (camera[:, 0] / -place[:, 2] * 2 / 32)[:, None]
    codes = Codes(
        window.shape.flatten(0, 1),
        torch.zeros(count, 50),
        window.expression.flatten(0, 1),
        torch.cat([joints[:, :3], joints[:, 6:9]], 1),
        torch.cat([scale, torch.zeros(count, 2)], 1),
        torch.zeros(count, 9, 3),
    )
    # A bent neck moves the head, for which the model has no joint.
    off = (window.landmarks.flatten(0, 1) - deca.geometry(codes).landmarks2d).mean(1)
    return codes.replaced(camera=torch.cat([scale, off / scale * torch.tensor([1.0, -1.0])], 1))


def test_true_codes_are_nearly_right(deca: FaceModel, head: HeadData, batch: tuple) -> None:
    window, hit, numbers = batch
    rows = Judge(deca, head).rows(true_codes(window, deca), window, hit, numbers)
    assert len(rows) == 40 and not rows["damaged"].any()
    # Neck and perspective are left: small in shape, some percent in the picture.
    assert rows["neutral"].max() < 1e-3 and rows["similar"].mean() < 1.0 and rows["nme"].mean() < 12
    assert rows["spread"].max() < 1e-3 and rows["bend"].mean() < 1.0
    rest = deca.codes(torch.zeros(40, sum(deca.spec.widths)))
    worse = Judge(deca, head).rows(rest, window, hit, numbers)
    for name in ("nme", "similar", "rigid", "mouth", "neutral"):
        assert worse[name].mean() > 1.5 * rows[name].mean(), name
    assert np.corrcoef(rows["lips"], rows["true_lips"])[0, 1] > 0.9


def test_smoothing_keeps_what_stands_still_and_stays_in_its_shot() -> None:
    generator = torch.Generator().manual_seed(0)
    value = torch.rand(20, 3, generator=generator)
    codes = Codes(*(value[:, :1].expand(20, 2) if n < 5 else value[:, None].expand(20, 9, 3) for n in range(6)))
    still = codes.replaced(pose=torch.ones(20, 6))
    smooth = smoothed(still, 10, 1.5)
    torch.testing.assert_close(smooth.pose, still.pose)
    assert smooth.light.shape == (20, 9, 3)
    rough, fine = (np.diff(c.shape[:10].numpy(), 2, axis=0).std() for c in (codes, smooth))
    assert fine < 0.3 * rough
    other = smoothed(still.replaced(shape=torch.cat([still.shape[:10], 9 + still.shape[10:]])), 10, 1.5)
    torch.testing.assert_close(other.shape[:10], smooth.shape[:10])


def test_the_table_pairs_people(some: Shots, deca: FaceModel) -> None:
    rows = measure(deca, some, PAPER_TOOL, 5, (CLEAN, CONDITIONS[3]), (1.0,))
    assert len(rows) == 4 * 10 * 2 * 2 and set(rows["person"]) == {0, 1}
    table = means(rows, "damaged")
    assert set(table.index.get_level_values("condition")) == {"dark"}
    assert table.loc[("dark", 1.0)].shape == (2, 8)
    found, slope = agreement(rows.assign(lips=2 * rows["true_lips"] + 1), "lips")
    assert found == pytest.approx(1) and slope == pytest.approx(2)
    assert mean_head(some, deca) == pytest.approx(rows["neutral"].mean(), rel=0.1), "an untrained model is near it"


def test_the_bootstrap_covers_the_mean() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(60):
        _, low, high = bootstrap(rng.normal(1.0, 2.0, 80), draws=400)
        inside += low < 1.0 < high
    assert inside >= 51
    assert bootstrap(np.full(5, 3.0)) == (3.0, 3.0, 3.0)


def test_codes_of_a_model_over_time_come_in_spans(some: Shots, head: HeadData, batch: tuple) -> None:
    residual = model(head, "residual").eval()
    torch.manual_seed(0)
    torch.nn.init.normal_(residual.coarse_encoder.get_submodule("widen").weight, std=0.3)  # type: ignore[arg-type]
    window = batch[0]
    alone, five, ten = (codes_of(residual, window, length).pose for length in (1, 5, 10))
    assert alone.shape == five.shape == (40, 6)
    assert not torch.allclose(alone, five) and not torch.allclose(five, ten)
