"""Pictures of the data half on hand-made rows: nothing to show, few pictures wanted, who is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tvface.manifests.dataset import DATASET
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import CANDIDATES, SEQUENCES
from tvface.media import drawing
from tvface.media.images import encode_png
from tvface.media.tarstore import TarWriter
from tvface.reporting import data_pictures

SIDE = 48


@pytest.fixture
def frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Nine stored frames of an episode, three shots, each of one grey of its own."""
    monkeypatch.chdir(tmp_path)
    rows = []
    with TarWriter("frames.tar") as store:
        for frame in range(9):
            picture = np.full((SIDE, SIDE, 3), 20 * frame + 40, np.uint8)
            file, offset, length = store.add(f"{frame}.png", encode_png(picture))
            rows.append(("s", "e", frame, frame // 3, 0, frame / 3, file, offset, length))
    names = ["show", "episode", "frame", "shot", "scene", "time_s", "image_file", "image_offset", "image_length"]
    return pd.DataFrame(rows, columns=names)


def faces(*per_frame: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """So many faces in each frame, each person at a place of its own; and the people."""
    rows = [
        {
            "show": "s",
            "episode": "e",
            "frame": frame,
            "face": k,
            "track": k,
            "score": 0.9,
            "x0": 4.0 + 12 * k,
            "y0": 8.0,
            "x1": 14.0 + 12 * k,
            "y1": 20.0,
            "points5": np.full(10, 14.0 + 12 * k),
        }
        for frame, count in enumerate(per_frame)
        for k in range(count)
    ]
    people = [{"show": "s", "episode": "e", "track": k, "person": f"p{k:03d}"} for k in range(max(per_frame))]
    return pd.DataFrame(rows), pd.DataFrame(people)


def test_nothing_to_show_gives_no_picture() -> None:
    frames, detected, people, crops = FRAMES.empty(), FACES.empty(), IDENTITIES.empty(), SEQUENCES.empty()
    assert data_pictures.storyboard(frames, 4) is None
    assert data_pictures.detections(frames, detected, people, 4) is None
    assert data_pictures.cast(frames, detected, people, 4) is None
    assert data_pictures.sequences(crops, 4) is None
    assert data_pictures.rejected(frames, detected, CANDIDATES.empty()) is None
    assert data_pictures.landmarks(crops, LANDMARKS.empty(), 4) is None
    assert data_pictures.masks(crops, MASKS.empty(), 4) is None
    assert data_pictures.flow(DATASET.empty(), 4) is None


def test_frames_without_a_face_and_reasons_without_a_rejected_face(frames: pd.DataFrame) -> None:
    assert data_pictures.storyboard(frames, 4) is not None
    assert data_pictures.detections(frames, FACES.empty(), IDENTITIES.empty(), 4) is None
    detected, _ = faces(1)
    used = pd.DataFrame({"episode": "e", "frame": [0], "face": [0], "reason": "used"})
    assert data_pictures.rejected(frames, detected, used) is None
    picture = data_pictures.rejected(frames, detected, used.assign(reason="small"))
    assert picture is not None and picture.std() > 8


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("per_frame", [(2,) * 9, (1,) * 9, (2, 1, 1, 1, 1, 1, 1, 1, 1), (1, 2, 2, 2, 2, 2, 2, 2, 2)])
def test_as_many_frames_with_detections_as_wanted(
    frames: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, count: int, per_frame: tuple[int, ...]
) -> None:
    shown: list[int] = []
    draw = drawing.contact_sheet

    def sheet(images: Sequence[np.ndarray], *more: object, **named: object) -> np.ndarray:
        shown.append(len(images))
        return draw(images, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(drawing, "contact_sheet", sheet)
    picture = data_pictures.detections(frames, *faces(*per_frame), count)
    assert picture is not None and shown == [count]


def test_a_face_at_the_border_is_cut_with_what_lies_beside_it(frames: pd.DataFrame) -> None:
    face = pd.Series({"episode": "e", "frame": 8, "x0": -20.0, "y0": 30.0, "x1": 30.0, "y1": 80.0})
    cut = data_pictures.face_cut(frames, face)
    assert cut.shape == (75, 75, 3) and (cut == 200).all()


def test_evenly_takes_both_ends_and_no_row_twice() -> None:
    rows = pd.DataFrame({"a": range(10)})
    assert data_pictures.evenly(rows, 3)["a"].tolist() == [0, 4, 9]
    assert data_pictures.evenly(rows, 99) is rows and data_pictures.evenly(rows, 0).empty


def test_flow_colours_tell_direction_and_strength() -> None:
    flow = np.zeros((2, 8, 8), np.float32)
    assert (data_pictures.flow_colours(flow) == 255).all()
    flow[0, :, :4], flow[0, :, 4:] = 3, -3
    picture = data_pictures.flow_colours(flow)
    assert (picture[:, 0] == (255, 0, 0)).all() and (picture[:, 7] == (0, 255, 255)).all()
