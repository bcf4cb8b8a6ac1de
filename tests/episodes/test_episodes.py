"""Discovery and names of footage, and the errors of footage that cannot be used."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from pathlib import Path

import pytest

from tvface.episodes import EpisodeError, find_episode, list_episodes, parse_clip, safe_name
from tvface.settings import Settings, parse_settings

SILENT = {"synth": {"enabled": False}}


def settings(**values: object) -> Settings:
    return parse_settings({**SILENT, **values})


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("castle_s01e01_seg02_clip_03", ("castle", "s01e01", 2, 3)),
        ("friends_s06e24-25_seg02_clip_40", ("friends", "s06e24-25", 2, 40)),
        ("s01e01_seg01_clip_00", ("bbt", "s01e01", 1, 0)),
        ("met_s03e01_seg02_clip_100", ("met", "s03e01", 2, 100)),
        ("friends_s06e24-_seg02_clip_40", None),
        ("castle_s01e01_seg02", None),
        ("castle_s01e01_seg02_clip_03.jpg", None),
        (".DS_Store", None),
    ],
)
def test_parse_clip(name: str, expected: tuple[str, str, int, int] | None) -> None:
    assert parse_clip(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pilot", "pilot"),
        ("S.W.A.T. s01e01 (2017)", "S_W_A_T_s01e01_2017"),
        ("Amélie", "Amelie"),
        ("../../etc/passwd", "etc_passwd"),
        ("日本", "unnamed"),
        ("a-b_c", "a-b_c"),
    ],
)
def test_safe_name(text: str, expected: str) -> None:
    assert safe_name(text) == expected
    assert re.fullmatch(r"[A-Za-z0-9_-]+", safe_name(text))


def test_synthetic_names_and_places() -> None:
    episodes = list_episodes(parse_settings({"results": "out", "synth": {"episodes": 2}}))
    assert [episode.name for episode in episodes] == ["demo_s01e01", "demo_s01e02"]
    assert episodes[1].sources == (Path("out/synth/demo_s01e02.mp4"),)
    assert {episode.show for episode in episodes} == {"demo"}


def test_folder_of_videos(tmp_path: Path) -> None:
    for name in ("ep10.mp4", "ep2.MKV", "notes.txt", ".hidden.mp4", "sub/ep3.webm"):
        touch(tmp_path / "My Show" / name)
    episodes = list_episodes(settings(videos=str(tmp_path / "My Show")))
    assert [(episode.show, episode.name) for episode in episodes] == [
        ("ep2", "ep2"),
        ("ep10", "ep10"),
        ("sub", "ep3"),
    ]
    assert all(episode.kind == "video" and episode.clips == (episode.name,) for episode in episodes)


def test_list_of_files_and_folders_without_repetition(tmp_path: Path) -> None:
    first, second = touch(tmp_path / "a" / "x.mp4"), touch(tmp_path / "b" / "y.avi")
    episodes = list_episodes(settings(videos=[str(first), str(tmp_path / "b"), str(first)]))
    assert [episode.sources[0] for episode in episodes] == [first, second]


def test_same_stem_in_two_folders_gets_the_folder_in_front(tmp_path: Path) -> None:
    for show in ("castle", "friends"):
        touch(tmp_path / show / "pilot.mp4")
    episodes = list_episodes(settings(videos=str(tmp_path)))
    assert [(episode.show, episode.name) for episode in episodes] == [
        ("castle", "castle_pilot"),
        ("friends", "friends_pilot"),
    ]
    loose = list_episodes(settings(videos=[str(tmp_path / "castle"), str(tmp_path / "friends")]))
    assert [(episode.show, episode.name) for episode in loose] == [
        ("castle_pilot", "castle_pilot"),
        ("friends_pilot", "friends_pilot"),
    ]


def test_same_stem_in_one_folder_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "show" / "pilot.mp4")
    touch(tmp_path / "show" / "pilot.mkv")
    with pytest.raises(EpisodeError, match=r"two episodes would be called 'show_pilot'.*sample sheet"):
        list_episodes(settings(videos=str(tmp_path)))


def test_missing_empty_and_strange_places(tmp_path: Path) -> None:
    with pytest.raises(EpisodeError, match=r"nowhere does not exist \(seen from"):
        list_episodes(settings(videos=str(tmp_path / "nowhere")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(EpisodeError, match=r"empty holds no video \(avi, m4v"):
        list_episodes(settings(videos=str(tmp_path / "empty")))
    with pytest.raises(EpisodeError, match=r"song\.mp3 is not a video"):
        list_episodes(settings(videos=str(touch(tmp_path / "song.mp3"))))


def test_no_footage_at_all() -> None:
    with pytest.raises(EpisodeError, match=r"no footage: set one of 'videos'"):
        list_episodes(settings())


def test_find_episode_lists_the_others() -> None:
    chosen = parse_settings({"synth": {"episodes": 1}})
    assert find_episode(chosen, "demo_s01e01").show == "demo"
    with pytest.raises(EpisodeError, match=r"no episode 'x' in this run; there are: demo_s01e01"):
        find_episode(chosen, "x")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small TVQA tree, nested as an archive would unpack."""
    root = tmp_path / "tvqa_video_frames_fps3_hq" / "frames_hq"
    for folder, clips in {
        "castle_frames": ("castle_s01e01_seg02_clip_10", "castle_s01e01_seg02_clip_2", "castle_s01e01_seg01_clip_5"),
        "friends_frames": ("friends_s06e24-25_seg02_clip_40", "friends_s06e3_seg01_clip_00"),
        "bbt_frames": ("s01e01_seg01_clip_00",),
    }.items():
        for clip in clips:
            touch(root / folder / clip / "00001.jpg")
    return tmp_path


def test_tvqa_episodes_in_natural_order(tree: Path) -> None:
    episodes = list_episodes(settings(tvqa=str(tree)))
    assert [episode.name for episode in episodes] == ["castle_s01e01", "friends_s06e3", "friends_s06e24-25"]
    castle = episodes[0]
    assert castle.clips == ("castle_s01e01_seg01_clip_5", "castle_s01e01_seg02_clip_2", "castle_s01e01_seg02_clip_10")
    assert [source.name for source in castle.sources] == list(castle.clips)
    assert castle.kind == "tvqa"


def test_tvqa_clips_without_prefix_are_the_big_bang_theory(tree: Path) -> None:
    (only,) = list_episodes(settings(tvqa=str(tree), shows=["bbt"]))
    assert (only.show, only.name, only.clips) == ("bbt", "bbt_s01e01", ("s01e01_seg01_clip_00",))


def test_tvqa_root_may_be_a_frame_folder_itself(tree: Path) -> None:
    folder = next(tree.rglob("castle_frames"))
    assert len(list_episodes(settings(tvqa=str(folder), shows=["castle"]))) == 1


def test_tvqa_missing_show_names_those_there(tree: Path) -> None:
    with pytest.raises(EpisodeError, match=r"no clips of house .*'shows' can name bbt, castle, friends"):
        list_episodes(settings(tvqa=str(tree), shows=["castle", "house"]))


def test_tvqa_clip_in_two_places_is_refused(tree: Path) -> None:
    touch(tree / "older" / "castle_frames" / "castle_s01e01_seg02_clip_2" / "00001.jpg")
    with pytest.raises(EpisodeError, match=r"castle_s01e01_seg02_clip_2 stands in .* and in "):
        list_episodes(settings(tvqa=str(tree)))


def test_tvqa_strange_folders_are_counted(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    (next(tree.rglob("castle_frames")) / "extras").mkdir()
    with caplog.at_level(logging.WARNING):
        list_episodes(settings(tvqa=str(tree)))
    assert "1 folders are not named as TVQA clips and are left out: castle_frames/extras" in caplog.text


def test_tvqa_folder_without_frames(tmp_path: Path) -> None:
    with pytest.raises(EpisodeError, match="no '<show>_frames' folder below"):
        list_episodes(settings(tvqa=str(tmp_path)))
    with pytest.raises(EpisodeError, match="is not a folder"):
        list_episodes(settings(tvqa=str(tmp_path / "nowhere")))


def test_castle_and_friends_are_listed_in_three_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,035 clips, as the paper's two shows have: the frame folders are read, none of the clips in them is."""
    for show, season_clips in (("castle", 4698), ("friends", 5337)):
        folder = tmp_path / f"{show}_frames"
        folder.mkdir()
        for number in range(season_clips):
            (
                folder / f"{show}_s{number // 600 + 1:02d}e{number // 25 % 24 + 1:02d}_seg02_clip_{number % 25:02d}"
            ).mkdir()
    looks: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr("os.scandir", lambda path: looks.append(Path(path).name) or scandir(path))
    episodes = list_episodes(settings(tvqa=str(tmp_path)))
    assert sum(len(episode.clips) for episode in episodes) == 10_035
    assert sorted(looks) == sorted([tmp_path.name, "castle_frames", "friends_frames"])


def test_sources_together(tmp_path: Path) -> None:
    video = touch(tmp_path / "home.mp4")
    both = dataclasses.replace(parse_settings({"synth": {"episodes": 1}}), videos=str(video))
    assert [episode.name for episode in list_episodes(both)] == ["demo_s01e01", "home"]


def test_a_sheet_stands_instead_of_the_folders(tmp_path: Path) -> None:
    video = touch(tmp_path / "home.mp4")
    listed = tmp_path / "sheet.tsv"
    listed.write_text(f"show\tepisode\tsource\none\tone_1\t{video}\n")
    gone = settings(sheet=str(listed), videos=str(tmp_path / "gone"), tvqa=str(tmp_path / "gone"))
    assert [episode.name for episode in list_episodes(gone)] == ["one_1"]


def test_an_archive_needs_a_sheet(tmp_path: Path) -> None:
    with pytest.raises(EpisodeError, match=r"archive: .* Write a sample sheet first.*tvface index clips\.tsv"):
        list_episodes(settings(archive=str(tmp_path)))
