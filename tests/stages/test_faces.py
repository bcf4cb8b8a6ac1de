"""Stages faces and identities over drawn footage."""

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.stages.show import Face, Show, talking
from tvface.cli.main import main
from tvface.dag.layout import decisions
from tvface.manifests import read
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.manifests.sequences import CANDIDATES
from tvface.media.images import encode_png, read_image
from tvface.mining.decisions import DecisionError
from tvface.reporting.people import write_people
from tvface.settings import SettingsError, load


def faces_of(show: Show, name: str, pictures: list[np.ndarray], **blocks: object) -> pd.DataFrame:
    path = show.video(f"{name}.mp4", pictures)
    settings = show.settings(videos=str(path), **blocks)
    show.run_frames(settings, name, path)
    show.run_faces(settings, name)
    return read(show.path("faces", f"{name}.parquet"), FACES).rows


def test_faces_have_boxes_tracks_and_unit_embeddings(show: Show) -> None:
    script = [[Face(0, x=100 + 4 * k, mouth=0.05 * (k % 2)), Face(1, x=240, side=60)] for k in range(6)]
    rows = faces_of(show, "pilot", show.pictures(script))
    assert len(rows) == 12 and rows["face"].tolist() == [0, 1] * 6
    assert np.allclose(rows["x0"][::2], 100 + 4 * np.arange(6) - 45)
    assert rows["track"].tolist() == [0, 1] * 6
    assert np.allclose(np.linalg.norm(np.stack(rows["embedding"]), axis=1), 1, atol=1e-5)
    assert np.allclose(np.stack(rows["points5"])[0].reshape(5, 2), script[0][0].points, atol=1e-4)


def test_a_cut_ends_tracks_and_an_identity_swap_splits_them(show: Show) -> None:
    first = show.pictures(talking(0, 4) + talking(3, 4), place=1)
    rows = faces_of(show, "pilot", first + show.pictures(talking(3, 4), place=5))
    assert rows["track"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert rows["shot"].tolist() == [0] * 8 + [1] * 4


def test_low_scores_outside_boxes_and_skipped_frames_are_counted(show: Show) -> None:
    script = talking(0, 5)
    script[1] = [Face(0, score=0.5)]
    script[2] = [Face(0), Face(1, x=-60, side=80)]
    pictures = show.pictures(script)
    pictures[4] = pictures[3]
    path = show.video("pilot.mp4", pictures)
    settings = show.settings(videos=str(path))
    show.run_frames(settings, "pilot", path)
    show.run_faces(settings, "pilot")
    manifest = read(show.path("faces", "pilot.parquet"), FACES)
    assert manifest.rows["frame"].tolist() == [0, 2, 3]
    assert manifest.dropped == {"score": 1, "outside": 1, "frame_duplicate": 1}
    assert manifest.provenance["weights"] == {"drawn": "0" * 64}


def test_batches_hold_one_size_and_the_wanted_number(show: Show) -> None:
    pictures = show.pictures(talking(0, 7))
    pictures[4:] = [np.ascontiguousarray(picture[:, :300]) for picture in pictures[4:]]
    clip = show.clip("castle", "castle_s01e01_seg01_clip_00", pictures)
    settings = show.settings(tvqa="frames_hq", shows=["castle"], faces={"batch": 3})
    show.run_frames(settings, "castle_s01e01", [clip])
    show.run_faces(settings, "castle_s01e01")
    assert show.detector.batches == [3, 1, 3]


def test_a_video_without_faces_passes_through_every_stage(show: Show) -> None:
    path = show.video("empty.mp4", show.pictures([[]] * 5))
    settings = show.settings(videos=str(path))
    show.run_all(settings, "videos", "empty", path)
    assert len(read(show.path("frames", "empty.parquet"), FRAMES).rows) == 5
    assert len(read(show.path("faces", "empty.parquet"), FACES).rows) == 0
    assert len(read(show.path("identities", "videos.parquet"), IDENTITIES).rows) == 0


def test_people_are_named_in_order_over_the_episodes_of_a_show(show: Show) -> None:
    one = faces_of(show, "e1", show.pictures(talking(1, 5), place=1) + show.pictures(talking(3, 5), place=5))
    two = faces_of(show, "e2", show.pictures(talking(3, 5), place=5) + show.pictures(talking(0, 5), place=6))
    assert one["track"].nunique() == two["track"].nunique() == 2
    show.run_identities(show.settings(), "videos", ["e1", "e2"])
    rows = read(show.path("identities", "videos.parquet"), IDENTITIES).rows
    assert rows["person"].tolist() == ["p000", "p001", "p001", "p002"] and rows["faces"].tolist() == [5] * 4
    assert rows["distance"].max() < 0.2


def test_two_faces_of_one_frame_are_two_people_whatever_the_threshold(show: Show) -> None:
    faces_of(show, "twins", show.pictures([[Face(0, x=90), Face(0, x=230)]] * 5))
    show.run_identities(show.settings(identities={"threshold": 2.0}), "videos", ["twins"])
    assert read(show.path("identities", "videos.parquet"), IDENTITIES).rows["person"].nunique() == 2


def test_a_cast_gallery_names_people(show: Show) -> None:
    faces_of(show, "e1", show.pictures(talking(1, 5), place=1) + show.pictures(talking(3, 5), place=5))
    gallery = show.folder / "cast" / "videos" / "Ada"
    gallery.mkdir(parents=True)
    (gallery / "a.png").write_bytes(encode_png(show.pictures(talking(3, 1), place=5)[0]))
    settings = show.settings(identities={"cast": "cast"})
    show.run_identities(settings, "videos", ["e1"])
    assert read(show.path("identities", "videos.parquet"), IDENTITIES).rows["person"].tolist() == ["p000", "Ada"]
    with pytest.raises(SettingsError, match="cast/other"):
        show.run_identities(settings, "other", ["e1"])
    (gallery / "a.png").write_bytes(encode_png(show.pictures([[]])[0]))
    with pytest.raises(SettingsError, match="Ada"):
        show.run_identities(settings, "videos", ["e1"])


def test_decisions_merge_split_name_and_drop_people(show: Show) -> None:
    faces_of(show, "e1", show.pictures(talking(1, 12), place=1) + show.pictures(talking(3, 12), place=5))
    faces_of(show, "e2", show.pictures(talking(3, 12), place=5) + show.pictures(talking(0, 12), place=6))
    folder = show.folder / "decisions"
    folder.mkdir()
    videos = [str(path) for path in sorted(show.folder.rglob("e?.mp4"))]
    settings = show.settings(videos=videos, identities={"decisions": str(folder)})

    def persons(text: str) -> list[str]:
        (folder / "videos.tsv").write_text(text, encoding="utf-8")
        show.run_identities(settings, "videos", ["e1", "e2"], decisions(settings, "videos"))
        return read(show.path("identities", "videos.parquet"), IDENTITIES).rows["person"].tolist()

    assert persons("") == ["p000", "p001", "p001", "p002"]
    assert persons("name\te2:0\tKate\nsame\te1:0\te2:1\n") == ["p000", "Kate", "Kate", "p000"]
    assert persons("apart\te1:1\te2:0\n") == ["p000", "p001", "p002", "p003"]
    assert persons("drop\te1:0\n") == ["-", "p001", "p001", "p002"]
    show.run_sequences(settings, "videos", "e1")
    candidates = read(show.path("sequences", "e1.candidates.parquet"), CANDIDATES).rows
    assert (candidates.loc[candidates["track"] == 0, "reason"] == "dropped_by_hand").all()
    assert not (candidates.loc[candidates["track"] == 1, "reason"] == "dropped_by_hand").any()
    with pytest.raises(DecisionError, match=r"videos.tsv:1: there is no track e1:7"):
        persons("drop\te1:7\n")
    with pytest.raises(SettingsError, match=r"identities.decisions: .*nowhere is not a folder"):
        decisions(show.settings(identities={"decisions": "nowhere"}), "videos")


def test_everybody_gets_a_sheet(show: Show) -> None:
    faces_of(show, "e1", show.pictures(talking(1, 5), place=1) + show.pictures(talking(3, 9), place=5))
    settings = show.settings(videos=[str(path) for path in show.folder.rglob("e1.mp4")])
    with pytest.raises(SettingsError, match="is not there yet"):
        list(write_people(settings, "e1", show.folder / "people"))
    show.run_identities(settings, "e1", ["e1"])
    written = list(write_people(settings, "e1", show.folder / "people", per_person=6, min_faces=6))
    assert [path.name for path in written] == ["people.tsv", "p001.jpg"]
    table = pd.read_csv(written[0], sep="\t")
    assert table["person"].tolist() == ["p001", "p000"] and table["faces"].tolist() == [9, 5]
    sheet = cv2.imread(str(written[1]))
    assert sheet is not None and sheet.shape[1] == 6 * 148 and sheet[:140].std() > 10


def test_the_command_calibrate_suggests_thresholds(show: Show, capsys: pytest.CaptureFixture[str]) -> None:
    faces_of(show, "e1", show.pictures([[Face(0, x=90), Face(3, x=230)]] * 9))
    (show.folder / "decisions").mkdir()
    decided = show.folder / "decisions" / "e1.tsv"
    decided.write_text("apart\te1:0\te1:1\n", encoding="utf-8")
    (show.folder / "config.yaml").write_text("identities: {decisions: decisions}\n", encoding="utf-8")
    asked = ["calibrate", "--set", f"videos=[{show.folder / 'videos' / 'e1.mp4'}]", "--set", "synth.enabled=false"]
    asked += ["--set", "faces.embedder=appearance"]
    assert main([*asked, "--out", "out"]) == 0
    rows = pd.read_csv("out/thresholds.tsv", sep="\t").set_index("setting")
    assert rows["one_person"].tolist() == [16, 2, 60] and rows["two_people"].tolist() == [16, 2, 9]
    assert (rows["joined_of_two_suggested"] == 0).all() and (rows["joined_of_one_suggested"] == 100).all()
    # What is suggested can be read as a configuration, and is what the table says.
    suggested = load([show.folder / "out" / "thresholds.yaml"])
    assert suggested.identities.threshold == pytest.approx(rows.loc["identities.threshold", "suggested"], abs=1e-3)
    assert suggested.faces.tracks.distance and suggested.sequences.pair_distance
    picture = read_image("out/thresholds.png")
    assert picture.shape[1] > 1000 and picture.std() > 20
    capsys.readouterr()
    assert main([*asked, "--show", "other"]) == 2
    assert "no show 'other' in this run; there are e1" in capsys.readouterr().err
    decided.write_text("apart\te1:0\te1:8\n", encoding="utf-8")
    assert main(asked) == 2
    assert "there is no track e1:8" in capsys.readouterr().err
    show.path("faces", "e1.parquet").unlink()
    assert main(asked) == 2
    assert "run snakemake --cores all faces" in capsys.readouterr().err
