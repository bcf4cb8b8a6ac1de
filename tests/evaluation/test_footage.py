"""Cuts, detections, tracks and people judged on hand-made tables whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from tvface.evaluation import footage


def _frames(source, shots):
    return pd.DataFrame({"frame": range(len(source)), "source_frame": source, "shot": shots})


def test_cuts_are_found_inside_the_sampling_interval():
    truth = pd.DataFrame({"source_frame": range(40), "shot": [0] * 13 + [1] * 27})
    precision, recall = footage.cut_scores(_frames([0, 8, 16, 24, 32], [0, 0, 1, 1, 1]), truth)
    assert (precision.hits, precision.total, recall.hits, recall.total) == (1, 1, 1, 1)


def test_a_cut_one_interval_late_is_both_wrong_and_missed():
    truth = pd.DataFrame({"source_frame": range(40), "shot": [0] * 13 + [1] * 27})
    precision, recall = footage.cut_scores(_frames([0, 8, 16, 24, 32], [0, 0, 0, 1, 1]), truth)
    assert precision.value == 0 and recall.value == 0


def test_box_iou_of_half_overlap():
    first = np.array([[0.0, 0, 2, 2]])
    assert footage.box_iou(first, np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])) == pytest.approx(np.array([[1 / 3, 0]]))


def _truth(boxes, frame=0, **columns):
    rows = pd.DataFrame({"source_frame": frame, "box": boxes, "person": [f"p{i}" for i in range(len(boxes))]})
    rows["inside"], rows["yaw"], rows["visible"] = 1.0, 0.0, [np.ones(68)] * len(boxes)
    return rows.assign(**columns)


def _faces(boxes, frame=0):
    corners = np.array(boxes, float).reshape(-1, 4)
    return pd.DataFrame(corners, columns=["x0", "y0", "x1", "y1"]).assign(source_frame=frame)


def test_matching_is_one_to_one_and_recall_counts_only_whole_faces():
    truth = _truth([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], yaw=[0.0, 50.0, 0.0], inside=[1.0, 1.0, 0.5])
    matched = footage.match_faces(_faces([[1, 0, 11, 10], [0, 0, 10, 9]]), truth, 0.4)
    assert matched["face"].notna().sum() == 1
    frontal, turned = footage.detection_recall(matched, 30)
    assert (frontal.hits, frontal.total, turned.hits, turned.total) == (1, 1, 0, 1)


def test_hidden_faces_are_not_asked_for():
    truth = _truth([[0, 0, 10, 10]], visible=[np.zeros(68)])
    frontal, _ = footage.detection_recall(footage.match_faces(_faces([]), truth, 0.4), 30)
    assert frontal.value is None


def test_idf1_halves_when_a_track_breaks_in_two():
    assert footage.idf1(["a"] * 10, ["x"] * 10, 0, 0) == 1
    assert footage.idf1(["a"] * 10, ["x"] * 5 + ["y"] * 5, 0, 0) == pytest.approx(0.5)
    assert footage.idf1(["a"] * 10, ["x"] * 10, 10, 0) == pytest.approx(2 / 3)


def test_pairwise_f1_punishes_merging_people():
    assert footage.pairwise_f1(["a", "a", "b", "b"], [1, 1, 2, 2]) == 1
    assert footage.pairwise_f1(["a", "a", "b", "b"], [1, 1, 1, 1]) == pytest.approx(2 * 2 / (2 + 6))


def test_mixed_sequences_are_counted():
    mixed = footage.mixed_sequences(pd.Series(["a", "a", "a", "b"]), pd.Series(["s1", "s1", "s2", "s2"]))
    assert (mixed.hits, mixed.total) == (1, 2)
