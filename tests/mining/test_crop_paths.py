"""Crops of a track between the sampled frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tvface.conventions.squares import square_transform
from tvface.mining.crop_paths import crop_paths


def faces() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "track": [0, 0, 1],
            "source_frame": [18, 10, 4],
            "x0": [30.0, 10.0, 0.0],
            "y0": [20.0, 20.0, 0.0],
            "x1": [50.0, 30.0, 10.0],
            "y1": [40.0, 40.0, 10.0],
        }
    )


def test_crops_are_interpolated_between_sampled_frames() -> None:
    paths = crop_paths(faces(), crop_scale=1.25, crop_down=0.12)
    path = paths[0]
    assert (path.covers(9), path.covers(10), path.covers(18), path.covers(19)) == (False, True, True, False)
    matrix = path.transform(14, size=101)
    # Half way the box is 20..40 x 20..40: its centre, 0.12 sides lower, is the middle of the crop.
    np.testing.assert_allclose(matrix @ [30, 30 + 0.12 * 20, 1], [50, 50])
    assert matrix[0, 0] == pytest.approx(101 / 25)
    assert paths[1].covers(4) and not paths[1].covers(5)


def test_crops_follow_a_video_larger_than_the_sampled_frames() -> None:
    path = crop_paths(faces(), 1.25, 0.0)[0]
    np.testing.assert_allclose(path.transform(10, 64, scale=2.0) @ [40, 60, 1], [31.5, 31.5])


def test_a_face_of_the_last_sampled_frame_stays_until_the_video_ends() -> None:
    paths = crop_paths(faces(), 1.25, 0.0, last_sampled=18)
    assert paths[0].covers(25) and not paths[1].covers(5)
    np.testing.assert_array_equal(paths[0].transform(25, 64), paths[0].transform(18, 64))


def test_a_square_fills_its_crop() -> None:
    matrix = square_transform((10.0, 20.0), 8.0, 16)
    # The square's edges, half a pixel outside of its outer pixels' centres, become the crop's edges.
    np.testing.assert_allclose(matrix @ [6.0, 16.0, 1], [-0.5, -0.5])
    np.testing.assert_allclose(matrix @ [14.0, 24.0, 1], [15.5, 15.5])
