"""``tvface index``: the sheet describes the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import split_archive
from tvface.cli.main import main
from tvface.episodes import list_episodes
from tvface.settings import Settings, parse_settings
from tvface.settings.files import config_text

CLIPS = (
    "castle_s01e01_seg02_clip_00",
    "castle_s01e01_seg01_clip_00",
    "friends_s06e24-25_seg02_clip_40",
    "s01e01_seg01_clip_00",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.yaml").write_text(config_text(parse_settings({"synth": {"enabled": False}})))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sheet_of(project: Path, **values: object) -> Settings:
    return parse_settings({"synth": {"enabled": False}, "sheet": str(project / "sheet.tsv"), **values})


def test_folders_become_a_sheet(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for clip in CLIPS:
        (project / "tree" / f"{clip.split('_')[0] if clip[0] != 's' else 'bbt'}_frames" / clip).mkdir(parents=True)
    (project / "films" / "mine").mkdir(parents=True)
    (project / "films" / "mine" / "one.mp4").touch()
    arguments = ["--set", "tvqa=tree", "--set", "videos=films"]
    assert main(["index", "sheet.tsv", *arguments]) == 0
    output = capsys.readouterr()
    assert output.out == "sheet.tsv\n" and "3 episodes (castle 1, friends 1, mine 1), 4 clips" in output.err
    listed = list_episodes(parse_settings({"synth": {"enabled": False}, "tvqa": "tree", "videos": "films"}))
    assert list_episodes(sheet_of(project)) == listed
    assert main(["index", "--set", "sheet=sheet.tsv"]) == 0, "a sheet is checked and written out"
    assert capsys.readouterr().out == (project / "sheet.tsv").read_text()


def test_an_archive_by_names_is_not_read_and_without_names_it_is(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [item for clip in CLIPS for item in split_archive.clip(clip, [b"picture"])]
    split_archive.split(project / "parts", split_archive.tar_of(members))
    (project / "names.txt").write_text("\n".join(CLIPS))
    arguments = ["--set", "archive=parts"]
    with monkeypatch.context() as patch:
        patch.setattr("tvface.stages.archive.read_archive", lambda *_: pytest.fail("the archive is read"))
        assert main(["index", "sheet.tsv", *arguments, "--names", "names.txt"]) == 0
    by_names = (project / "sheet.tsv").read_text()
    assert by_names.splitlines()[1:] == [
        f"castle\tcastle_s01e01\t{CLIPS[1]}\tarchive:{CLIPS[1]}",
        f"castle\tcastle_s01e01\t{CLIPS[0]}\tarchive:{CLIPS[0]}",
        f"friends\tfriends_s06e24-25\t{CLIPS[2]}\tarchive:{CLIPS[2]}",
    ]
    assert main(["index", "sheet.tsv", *arguments]) == 0
    assert (project / "sheet.tsv").read_text() == by_names
    assert main(["index", "sheet.tsv", *arguments, "--set", "shows=[bbt]"]) == 0
    assert list_episodes(sheet_of(project, archive="parts"))[0].name == "bbt_s01e01"
    assert sorted(path.name for path in (project / "results" / "archive").iterdir()) == ["contents.parquet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no footage to list; set one of 'videos'"),
        (["--names", "x"], "--names lists clips of TVQA's split archive; set 'archive'"),
        (["--set", "archive=gone"], "gone holds no part of a split archive"),
        (["--set", "archive=gone", "--names", "names.txt"], "--names: no clips of friends in names.txt"),
        (["--set", "sheet=gone.tsv"], "sheet: gone.tsv does not exist"),
    ],
)
def test_wrong_input(project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    (project / "names.txt").write_text(CLIPS[0])
    assert main(["index", *arguments]) == 2
    assert message in capsys.readouterr().err
