"""Parameters in SMPL-X's names."""

from __future__ import annotations

import numpy as np
import pytest

from tvface.exports.parameters import rows_of
from tvface.head.human import build
from tvface.head.human.units import NAMES
from tvface.settings.model import Head


def test_the_exported_units_hold_the_jaw_that_a_joint_makes() -> None:
    head = build(Head(uv_size=32))
    opened = float(head.notes["jaw_open_angle"])
    pose = np.zeros((3, 6), np.float32)
    pose[:, 3] = (0.0, 0.5 * opened, 2 * opened)
    codes = {
        **{name: np.zeros((3, count), np.float32) for name, count in (("shape", 4), ("camera", 3), ("texture", 2))},
        **{name: np.zeros((3, count), np.float32) for name, count in (("light", 27), ("detail", 5))},
        "pose": pose,
        "expression": np.full((3, 52), 0.25, np.float32),
    }
    rows = rows_of(codes, head)
    column = NAMES.index("jawOpen")
    assert rows["expression"][:, column] == pytest.approx([0, 0.5, 1])
    assert (np.delete(rows["expression"], column, 1) == 0.25).all() and (codes["expression"] == 0.25).all()
    np.testing.assert_array_equal(rows["jaw_pose"], pose[:, 3:])
    few = rows_of({**codes, "expression": codes["expression"][:, :5]}, head)
    assert (few["expression"] == 0.25).all()
