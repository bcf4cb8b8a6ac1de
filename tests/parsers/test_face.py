"""The face mask: its classes. The numbers of the paper's tool are checked by tests/reference."""

from __future__ import annotations

import numpy as np
import pytest

from tvface.conventions.face_mask import PAPER_TEXT, face_mask


def test_glasses_are_in_the_tools_mask_and_not_in_the_texts() -> None:
    labels = np.arange(19).reshape(1, 19)
    assert set(np.flatnonzero(face_mask(labels)[0])) == {1, 2, 3, 4, 5, 6, 10, 11, 12, 13}
    assert set(np.flatnonzero(face_mask(labels, PAPER_TEXT)[0])) == {1, 2, 3, 4, 5, 10, 11, 12, 13}
    assert not face_mask(labels, ()).any()


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.18"):
        face_mask(np.zeros((2, 2), np.uint8), (1, 19))
