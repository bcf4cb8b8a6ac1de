"""Crops of a track between the sampled frames, and shapes laid over a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tvface.settings import Settings, SettingsError
from tvface.single import crop_paths, paste, reconstruct_video


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


def test_paste_covers_only_the_shape() -> None:
    picture = np.full((60, 80, 3), 100, np.uint8)
    shape = np.zeros((32, 32, 4), np.float32)
    shape[8:24, 8:24] = (1.0, 0.0, 0.0, 1.0)
    matrix = np.array([[1.0, 0.0, -20.0], [0.0, 1.0, -10.0]])
    laid = paste(picture, shape, matrix)
    assert laid[26, 36].tolist() == [255, 0, 0]
    assert laid[10 + 7, 20 + 7].tolist() == [100, 100, 100]
    changed = np.argwhere((laid != picture).any(-1))
    assert changed.min(0).tolist() == [18, 28] and changed.max(0).tolist() == [33, 43]


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no trained weights; train first"):
        reconstruct_video(Settings(), tmp_path / "a.mp4", "deca", tmp_path, tmp_path / "gone.safetensors")
