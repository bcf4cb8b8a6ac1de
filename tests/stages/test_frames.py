"""Stage frames: videos, TVQA trees, damage, states, reruns."""

import tarfile

import numpy as np
import pytest

from tests.stages.show import Show, talking
from tvface.manifests import read
from tvface.manifests.frames import FRAMES
from tvface.media.images import MediaError, read_image
from tvface.settings import SettingsError
from tvface.stages.frames import run


def test_a_video_becomes_a_store_with_shots(show: Show) -> None:
    pictures = show.pictures(talking(0, 7), place=1) + show.pictures(talking(1, 5), place=2)
    path = show.video("pilot.mp4", pictures)
    settings = show.settings(videos=str(path))
    show.run_frames(settings, "pilot", path)
    manifest = read(show.path("frames", "pilot.parquet"), FRAMES)
    rows = manifest.rows
    assert rows["source_frame"].tolist() == rows["frame"].tolist() == list(range(12))
    assert np.allclose(rows["time_s"], np.arange(12) / 3, atol=2e-3)
    assert rows["shot"].tolist() == [0] * 7 + [1] * 5 and set(rows["episode"]) == {"pilot"}
    for row, picture in zip(rows.itertuples(), pictures, strict=True):
        stored = read_image(row.image_file, row.image_offset, row.image_length)
        assert np.abs(stored.astype(int) - picture).mean() < 6
    with tarfile.open(show.path("frames", "pilot.tar")) as tar:
        assert tar.getnames() == [f"{k:06d}.jpg" for k in range(12)]
    assert manifest.dropped == {} and manifest.provenance["notes"]["shots"] == 2


def test_states_and_shrinking(show: Show) -> None:
    pictures = show.pictures(talking(0, 6))
    pictures[2] = pictures[1]
    pictures[4] = np.zeros_like(pictures[4])
    path = show.video("pilot.mkv", pictures)
    show.run_frames(show.settings(videos=str(path), frames={"long_side": 160}), "pilot", [path])
    rows = read(show.path("frames", "pilot.parquet"), FRAMES).rows
    assert rows["state"][2] == "duplicate" and rows["state"][4] == "black"
    assert set(zip(rows["width"], rows["height"], strict=True)) == {(160, 120)}


@pytest.mark.parametrize(
    ("tree", "clip", "shard"),
    [
        ("friends", "friends_s06e24-25_seg02_clip_40", "friends_s06e24-25"),
        ("bbt", "s01e01_seg01_clip_00", "bbt_s01e01"),
    ],
)
def test_tvqa_frames_stay_where_they_are(show: Show, tree: str, clip: str, shard: str) -> None:
    folder = show.clip(tree, clip, show.pictures(talking(0, 5)))
    second = show.clip(tree, clip[:-2] + "41", show.pictures(talking(1, 4), place=2))
    show.run_frames(show.settings(tvqa="frames_hq", shows=[tree]), shard, [folder, second])
    rows = read(show.path("frames", f"{shard}.parquet"), FRAMES).rows
    assert rows["clip"].tolist() == [folder.name] * 5 + [second.name] * 4
    assert rows["source_frame"].tolist() == [1, 2, 3, 4, 5, 1, 2, 3, 4]
    assert rows["frame"].tolist() == list(range(9)) and rows["shot"].tolist() == [0] * 5 + [1] * 4
    assert rows["scene"].tolist() == [0] * 5 + [1] * 4 and rows["time_s"][5] == 0
    assert rows["image_file"][0] == f"frames_hq/{tree}_frames/{clip}/00001.jpg"
    with tarfile.open(show.path("frames", f"{shard}.tar")) as tar:
        assert tar.getnames() == []


def test_holes_broken_files_and_strangers_are_counted(show: Show) -> None:
    clip = show.clip("castle", "castle_s01e01_seg01_clip_00", show.pictures(talking(0, 9)))
    (clip / "00003.jpg").unlink()
    (clip / "00004.jpg").write_bytes(b"")
    (clip / "00005.jpg").write_bytes((clip / "00006.jpg").read_bytes()[:400])
    (clip / "Thumbs.db").write_bytes(b"?")
    (clip / "00009.jpg").unlink()
    show.run_frames(show.settings(tvqa="frames_hq", shows=["castle"]), "castle_s01e01", [clip])
    manifest = read(show.path("frames", "castle_s01e01.parquet"), FRAMES)
    assert manifest.rows["source_frame"].tolist() == [1, 2, 6, 7, 8]
    # A hole stays a gap in time: rules that count sampled frames must see it.
    assert manifest.rows["frame"].tolist() == [0, 1, 5, 6, 7]
    assert manifest.dropped == {"missing": 1, "undecodable": 2, "not_a_frame": 1}


def test_files_that_cannot_be_opened_are_counted(show: Show) -> None:
    clip = show.clip("castle", "castle_s01e01_seg01_clip_00", show.pictures(talking(0, 6)))
    for name in ("00002.jpg", "00005.jpg"):
        (clip / name).unlink()
    (clip / "00002.jpg").symlink_to(clip / "gone.jpg")
    (clip / "00005.jpg").mkdir()
    show.run_frames(show.settings(tvqa="frames_hq", shows=["castle"]), "castle_s01e01", [clip])
    manifest = read(show.path("frames", "castle_s01e01.parquet"), FRAMES)
    assert manifest.rows["frame"].tolist() == [0, 2, 3, 5]
    assert manifest.dropped == {"missing": 0, "unreadable": 2}


def test_sizes_may_change_inside_a_clip(show: Show) -> None:
    pictures = show.pictures(talking(0, 6))
    pictures[3:] = [np.ascontiguousarray(picture[:, 40:]) for picture in pictures[3:]]
    clip = show.clip("castle", "castle_s01e01_seg01_clip_00", pictures)
    show.run_frames(show.settings(tvqa="frames_hq", shows=["castle"]), "castle_s01e01", [clip])
    manifest = read(show.path("frames", "castle_s01e01.parquet"), FRAMES)
    assert manifest.rows["width"].tolist() == [320] * 3 + [280] * 3
    assert manifest.provenance["notes"]["clips_that_change_size"] == 1


def test_slower_sampling_of_tvqa(show: Show) -> None:
    clip = show.clip("castle", "castle_s01e01_seg01_clip_00", show.pictures(talking(0, 7)))
    show.run_frames(show.settings(tvqa="frames_hq", shows=["castle"], frames={"fps": 1.5}), "castle_s01e01", [clip])
    rows = read(show.path("frames", "castle_s01e01.parquet"), FRAMES).rows
    assert rows["source_frame"].tolist() == [1, 3, 5, 7] and rows["frame"].tolist() == [0, 1, 2, 3]


def test_footage_without_a_picture_is_an_error_that_leaves_nothing(show: Show) -> None:
    path = show.folder / "videos" / "broken.mp4"
    path.parent.mkdir()
    path.write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        show.run_frames(show.settings(videos=str(path)), "broken", path)
    empty = show.folder / "frames_hq" / "castle_frames" / "castle_s01e01_seg01_clip_00"
    empty.mkdir(parents=True)
    with pytest.raises(MediaError, match="castle_s01e01"):
        show.run_frames(show.settings(tvqa="frames_hq", shows=["castle"]), "castle_s01e01", [empty])
    assert not list((show.folder / "results").rglob("*.parquet")) and not list((show.folder / "results").rglob("*.tar"))


def test_unknown_episodes_are_refused(show: Show) -> None:
    path = show.video("pilot.mp4", show.pictures(talking(0, 2)))
    with pytest.raises(SettingsError, match=r"finale.*pilot"):
        show.run_frames(show.settings(videos=str(path)), "finale", path)


def test_memory_holds_thumbnails_not_pictures(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    from tvface.stages import frames

    alive, most = 0, 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    original = frames.VideoReader.sample

    def sample(self: frames.VideoReader, fps: float):
        nonlocal alive, most
        for frame in original(self, fps):
            counted = frame.image.view(Counted)
            alive += 1
            most = max(most, alive)
            yield frame.__class__(frame.index, frame.source_frame, frame.time_s, counted)
            del counted, frame

    monkeypatch.setattr(frames.VideoReader, "sample", sample)
    path = show.video("long.mp4", show.pictures(talking(0, 30)))
    run(
        show.settings(videos=str(path)),
        {"source": path},
        {"manifest": show.path("frames", "long.parquet"), "store": show.path("frames", "long.tar")},
        shard="long",
    )
    assert 0 < most <= 4


def test_an_unreadable_episode_stops_or_is_counted(show: Show) -> None:
    broken = show.folder / "videos" / "broken.mp4"
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_bytes(b"\0" * 4096)
    with pytest.raises(MediaError, match=r"broken\.mp4.*frames\.unreadable: skip"):
        show.run_frames(show.settings(videos=str(broken)), "broken", broken)
    assert not show.path("frames", "broken.parquet").exists()
    show.run_frames(show.settings(videos=str(broken), frames={"unreadable": "skip"}), "broken", broken)
    manifest = read(show.path("frames", "broken.parquet"), FRAMES)
    assert len(manifest.rows) == 0 and manifest.dropped == {"unreadable_episode": 1}
    assert "broken.mp4" in manifest.provenance["notes"]["unreadable"]
