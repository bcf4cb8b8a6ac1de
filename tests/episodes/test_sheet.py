"""The sample sheet: read, checked row by row, written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvface.episodes import EpisodeError, list_episodes
from tvface.episodes.sheet import sheet_text
from tvface.settings import Settings, parse_settings


def settings(**values: object) -> Settings:
    return parse_settings({"synth": {"enabled": False}, **values})


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def sheet(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "sheet.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_sheet(tmp_path: Path) -> None:
    video = touch(tmp_path / "a b.mp4")
    clips = [touch(tmp_path / f"clip{i}" / "00001.jpg").parent for i in range(2)]
    path = sheet(
        tmp_path,
        "show\tepisode\tsource",
        f"one\tone_1\t{video}",
        f"two\ttwo_1\t{clips[0]}",
        f"two\ttwo_1\t{clips[1]}",
    )
    first, second = list_episodes(settings(sheet=str(path)))
    assert (first.show, first.name, first.kind, first.sources) == ("one", "one_1", "video", (video,))
    assert (second.kind, second.clips) == ("tvqa", ("clip0", "clip1"))


def test_sheet_names_every_wrong_line(tmp_path: Path) -> None:
    video = touch(tmp_path / "a.mp4")
    path = sheet(
        tmp_path,
        "show\tepisode\tsource",
        f"one\tfine\t{video}",
        f"one\t\t{video}",
        f"one\tbad name\t{video}",
        "one\tgone\tnowhere.mp4",
        f"one\ttwice\t{video}",
        f"one\ttwice\t{video}",
        "one\tshort",
    )
    with pytest.raises(EpisodeError) as caught:
        list_episodes(settings(sheet=str(path)))
    message = str(caught.value)
    assert "line 3: episode is empty; write the episode there, or take the line away" in message
    assert "line 4: episode 'bad name' may hold only letters, digits, '_' and '-'; try 'bad_name'" in message
    assert "line 5: source nowhere.mp4 does not exist" in message
    assert "lines 6, 7: episode twice has several sources" in message
    assert "line 8: source is empty" in message
    assert "line 2" not in message


def test_sheet_without_columns_or_rows(tmp_path: Path) -> None:
    with pytest.raises(EpisodeError, match="no column source"):
        list_episodes(settings(sheet=str(sheet(tmp_path, "show\tepisode\tfile", "a\tb\tc"))))
    with pytest.raises(EpisodeError, match="holds no rows"):
        list_episodes(settings(sheet=str(sheet(tmp_path, "show\tepisode\tsource"))))


def wrong(tmp_path: Path, *lines: str, **more: object) -> str:
    with pytest.raises(EpisodeError) as caught:
        list_episodes(settings(sheet=str(sheet(tmp_path, *lines)), **more))
    return str(caught.value)


def test_clips_may_be_named_and_come_in_the_order_of_the_sheet(tmp_path: Path) -> None:
    folders = [touch(tmp_path / place / "shots" / "00001.jpg").parent for place in "ab"]
    path = sheet(
        tmp_path,
        "notes\tclip\tshow\tepisode\tsource",
        f"fine\tsecond\tone\tone_1\t{folders[1]}",
        f"\tfirst\tone\tone_1\t{folders[0]}",
    )
    (episode,) = list_episodes(settings(sheet=str(path)))
    assert episode.clips == ("second", "first") and episode.sources == (folders[1], folders[0])
    unnamed = [f"one\tone_1\t{folder}" for folder in folders]
    message = wrong(tmp_path, "show\tepisode\tsource", *unnamed)
    assert "line 3: clip shots of episode one_1 stands in line 2 as well; take one away, or tell them apart" in message


def test_clips_of_the_archive(tmp_path: Path) -> None:
    names = ["friends_s06e24-25_seg02_clip_40", "friends_s06e24-25_seg01_clip_00"]
    rows = [f"friends\tfriends_s06e24-25\tarchive:{name}" for name in names]
    path = sheet(tmp_path, "show\tepisode\tsource", *rows)
    (episode,) = list_episodes(settings(sheet=str(path), archive="parts", results="out"))
    assert episode.kind == "archive" and episode.clips == tuple(names)
    assert episode.sources == (Path("out/archive.parquet"),)
    message = wrong(tmp_path, "show\tepisode\tsource", *rows)
    assert "line 2: source archive:friends_s06e24-25_seg02_clip_40 lies in TVQA's archive; set 'archive'" in message


def test_rows_that_are_wrong_in_other_ways(tmp_path: Path) -> None:
    video, folder = touch(tmp_path / "a.mp4"), touch(tmp_path / "clip" / "00001.jpg").parent
    message = wrong(
        tmp_path,
        "show\tepisode\tclip\tsource",
        "one\tone_1\t\tarchive:holiday",
        "one\tone_1\tcastle_s01e01_seg01_clip_01\tarchive:castle_s01e01_seg01_clip_00",
        f"one\tone_1\t\t{touch(tmp_path / 'song.mp3')}",
        f"one\tone_1\ta clip\t{folder}",
        f"one\tone_1\t\t{folder}\tand more",
        f"one\tmixed\t\t{folder}",
        f"one\tmixed\t\t{video}",
        archive="parts",
    )
    assert "line 2: source archive:holiday names no TVQA clip; write it as archive:castle_s01e01" in message
    assert "line 3: clip castle_s01e01_seg01_clip_01 and source archive:castle_s01e01_seg01_clip_00 differ" in message
    assert "line 4: source" in message and "neither a folder of frames nor a video this reads (avi, m4v" in message
    assert "line 5: clip 'a clip' may hold only letters" in message and "try 'a_clip'" in message
    assert "line 6: more cells than the first line has columns, from 'and more' on" in message
    assert "lines 7, 8: episode mixed mixes tvqa, video sources; give each kind its own episode" in message


def test_many_wrong_rows_are_counted(tmp_path: Path) -> None:
    message = wrong(tmp_path, "show\tepisode\tsource", *(f"one\te{k}\tgone_{k}" for k in range(300)))
    assert "line 11: source gone_9" in message and "gone_10" not in message and "and 290 more" in message


def test_a_sheet_that_is_not_there_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(EpisodeError, match=r"gone\.tsv does not exist .* write it with: tvface index"):
        list_episodes(settings(sheet=str(tmp_path / "gone.tsv")))


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    video = touch(tmp_path / "a.mp4")
    clips = [touch(tmp_path / f"clip_{i}" / "00001.jpg").parent for i in range(2)]
    path = sheet(
        tmp_path,
        "show\tepisode\tsource",
        *(f"two\ttwo_1\t{clip}" for clip in clips),
        f"one\tone_1\t{video}",
        "castle\tcastle_s01e01\tarchive:castle_s01e01_seg01_clip_00",
    )
    chosen = settings(sheet=str(path), archive="parts")
    first = list_episodes(chosen)
    path.write_text(sheet_text(first))
    assert list_episodes(chosen) == first
