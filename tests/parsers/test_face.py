"""The face mask against the paper's tool."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import arrays
from tvface.parsers.face import PAPER_TEXT, PAPER_TOOL, face_mask, resized_face_mask


@pytest.mark.parametrize("size", [(224, 224), (320, 180), (640, 360), (512, 512), (101, 77)])
def test_the_mask_of_the_papers_tool(size: tuple[int, int]) -> None:
    reference = arrays.load("net", "face_mask")
    noise = reference.array("label_noise")
    labels = np.clip(np.floor((noise + 1) / 2 * 19), 0, 18).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    np.testing.assert_array_equal(reference["classes"], PAPER_TOOL)
    found = resized_face_mask(labels, *size)
    np.testing.assert_array_equal(found.astype(np.uint8), reference[f"mask_{size[0]}x{size[1]}"])


def test_glasses_are_in_the_tools_mask_and_not_in_the_texts() -> None:
    labels = np.arange(19).reshape(1, 19)
    assert set(np.flatnonzero(face_mask(labels)[0])) == {1, 2, 3, 4, 5, 6, 10, 11, 12, 13}
    assert set(np.flatnonzero(face_mask(labels, PAPER_TEXT)[0])) == {1, 2, 3, 4, 5, 10, 11, 12, 13}
    assert not face_mask(labels, ()).any()


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.18"):
        face_mask(np.zeros((2, 2), np.uint8), (1, 19))
