"""Drawing: marks are where they should be, and the input picture is not changed."""

import numpy as np
import pytest

from tvface.media import drawing


def test_boxes_and_points_change_only_their_place() -> None:
    ground = np.zeros((60, 80, 3), np.uint8)
    boxed = drawing.boxes(ground, [(10, 20, 40, 50)], [(255, 0, 0)], thickness=1)
    assert boxed[20, 25, 0] > 200 and boxed[35, 10, 0] > 200 and not boxed[..., 1:].any()
    assert not boxed[25:45, 15:35].any() and not ground.any()
    dotted = drawing.points(ground, [(30, 12)], (0, 255, 0), radius=2)
    ys, xs = np.nonzero(dotted[..., 1])
    assert abs(xs.mean() - 30) < 0.5 and abs(ys.mean() - 12) < 0.5 and np.ptp(xs) <= 6


def test_captions_are_written_above_boxes() -> None:
    ground = np.zeros((60, 80, 3), np.uint8)
    captioned = drawing.boxes(ground, [(10, 30, 40, 50)], [(0, 0, 255)], ["Ada"])
    assert captioned[14:28, 10:30, 0].max() > 150 and captioned[30, 20, 2] > 200


def test_overlay_tints_classes_and_spares_the_background() -> None:
    picture = np.full((4, 4, 3), 100, np.uint8)
    labels = np.zeros((4, 4), np.uint8)
    labels[:2] = 17
    mixed = drawing.class_overlay(picture, labels, 0.5)
    assert (mixed[2:] == 100).all()
    assert np.abs(mixed[0, 0] - (100 + drawing.PALETTE[17].astype(float)) / 2).max() <= 0.5


def test_palette_has_one_distinct_colour_per_class() -> None:
    assert len(drawing.CLASS_NAMES) == len(drawing.PALETTE) == 19
    assert len({tuple(colour) for colour in drawing.PALETTE.tolist()}) == 19
    assert (drawing.legend().reshape(-1, 3) == drawing.PALETTE[10]).all(1).any()


def test_sheet_lays_pictures_row_by_row_without_distortion() -> None:
    red, blue = np.zeros((10, 20, 3), np.uint8), np.zeros((20, 10, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    sheet = drawing.contact_sheet([red, blue, red], ["a", "b\nc", ""], columns=2, cell=(40, 40))
    is_red = (sheet == (255, 0, 0)).all(-1)
    first = np.argwhere(is_red[:44, :44])
    assert np.ptp(first[:, 0]) + 1 == 20 and np.ptp(first[:, 1]) + 1 == 40
    assert sheet.shape[1] == 88 and is_red[sheet.shape[0] // 2 :].any()
    assert drawing.contact_sheet([]).min() == 255


@pytest.mark.parametrize("width", [40, 184, 280, 736])
def test_a_legend_has_as_many_columns_as_its_names_leave_room_for(width: int) -> None:
    picture = drawing.legend(width=width)
    assert picture.shape[1] == width
    # Every class keeps its whole swatch of 12 px, which the name of its neighbour would cover.
    for label in range(1, len(drawing.CLASS_NAMES)):
        assert (picture == drawing.PALETTE[label]).all(-1).sum() >= 144
