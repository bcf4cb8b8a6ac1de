"""Movements as face units, and drawn expressions."""

from __future__ import annotations

import numpy as np
import pytest

from tvface.head.human.units import NAMES
from tvface.synthetic.people.expressions import MIMES, draw_mien, follow_gaze
from tvface.synthetic.people.face_units import JAW, MOVEMENTS, READ, code_of, strengths

COLUMN = {name: column for column, name in enumerate(NAMES)}


def test_a_movement_of_both_sides_is_both_units_and_is_read_back() -> None:
    code = code_of({"smile": 0.5, "lid_L": 1.0})
    assert code[COLUMN["mouthSmileLeft"]] == code[COLUMN["mouthSmileRight"]] == 0.5
    assert code[COLUMN["eyeBlinkLeft"]] == 1 and code[COLUMN["eyeBlinkRight"]] == 0 and code.sum() == 2
    shown = dict(zip(READ, strengths(code), strict=True))
    assert shown["smile"] == pytest.approx(0.5)
    assert shown["lid"] == pytest.approx(0.5) and shown["frown"] == 0
    with pytest.raises(KeyError, match="grimace"):
        code_of({"grimace": 1.0})


def test_miens_are_weights_and_the_jaw_is_a_joint() -> None:
    rng = np.random.default_rng(0)
    miens = [draw_mien(rng, 0.42) for _ in range(3000)]
    codes, jaws = np.stack([mien.code for mien in miens]), np.array([mien.jaw for mien in miens])
    assert codes.shape == (3000, 52) and codes.min() >= 0 and codes.max() <= 1 and not codes[:, JAW].any()
    assert jaws.min() >= 0 and jaws.max() <= 1.1 * 0.42
    assert (jaws > 0.5 * 0.42).mean() > 0.08, "mouths wide open have their share"
    assert 0.05 < (codes[:, COLUMN["eyeBlinkLeft"]] > 0.4).mean() < 0.3, "closing lids have theirs"
    left, right = codes[:, COLUMN["mouthSmileLeft"]], codes[:, COLUMN["mouthSmileRight"]]
    assert np.corrcoef(left, right)[0, 1] > 0.7 and (left != right).mean() > 0.9
    assert {name for _, movements in MIMES.values() for name in movements} <= set(MOVEMENTS)


def test_lids_follow_the_gaze() -> None:
    rest = np.zeros(52)
    down, up = follow_gaze(rest, np.radians([15.0, 0])), follow_gaze(rest, np.radians([-11.0, 0]))
    assert down[COLUMN["eyeLookDownLeft"]] == pytest.approx(0.5) and down[COLUMN["eyeLookUpLeft"]] == 0
    assert up[COLUMN["eyeLookUpRight"]] == pytest.approx(0.5) and up[COLUMN["eyeLookDownRight"]] == 0
    assert not rest.any()
