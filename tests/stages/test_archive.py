"""Stage archive: only the wanted episodes, whole or not at all, checked, restartable; then frames reads the stores."""

from __future__ import annotations

import logging
import tarfile
from pathlib import Path

import pytest

from tests import split_archive
from tests.stages.show import Show, talking
from tvface.episodes import EpisodeError
from tvface.manifests import read
from tvface.manifests.archive import ARCHIVE, CONTENTS, STORED
from tvface.manifests.frames import FRAMES
from tvface.media import parts as parts_module
from tvface.media.images import encode_jpeg, read_image
from tvface.media.parts import ArchiveError
from tvface.media.tarstore import read_bytes
from tvface.settings import Settings
from tvface.stages import archive, frames

# In the order of the archive: the clips of an episode lie apart, as a folder's listing has them.
CLIPS = (
    "castle_s01e02_seg01_clip_00",
    "castle_s01e01_seg02_clip_01",
    "castle_s01e02_seg02_clip_00",
    "castle_s01e01_seg01_clip_00",
    "friends_s06e24-25_seg02_clip_40",
    "s01e01_seg01_clip_00",
)
DOUBLE, UNPREFIXED = "friends_s06e24-25", "bbt_s01e01"


class Release:
    """The split archive of a small release, in a project folder with its sheet."""

    def __init__(self, show: Show) -> None:
        self.show = show
        drawn = show.pictures(talking(0, 3 * len(CLIPS)))
        self.pictures = {clip: [encode_jpeg(p) for p in drawn[3 * k : 3 * k + 3]] for k, clip in enumerate(CLIPS)}
        self.members = [member for clip in CLIPS for member in split_archive.clip(clip, self.pictures[clip])]

    def split(self, count: int = 6) -> list[Path]:
        return split_archive.split(self.show.folder / "parts", split_archive.tar_of(self.members), count)

    def settings(self, *clips: str) -> Settings:
        sheet = self.show.folder / "sheet.tsv"
        rows = []
        for clip in clips:
            episode = clip.partition("_seg")[0]
            show, name = ("bbt", f"bbt_{episode}") if episode.startswith("s0") else (episode.partition("_")[0], episode)
            rows.append(f"{show}\t{name}\tarchive:{clip}\n")
        sheet.write_text("show\tepisode\tsource\n" + "".join(rows))
        return self.show.settings(archive=str(self.show.folder / "parts"), sheet=str(sheet))

    def run(self, settings: Settings) -> None:
        archive.run(settings, {"parts": []}, {"manifest": self.show.path("", "archive.parquet")})

    def files(self) -> set[str]:
        folder = self.show.path("archive", "")
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.fixture
def release(show: Show) -> Release:
    return Release(show)


def test_wanted_episodes_are_taken_and_nothing_else(release: Release) -> None:
    release.split()
    release.run(release.settings(*CLIPS[4:]))
    assert release.files() == {
        *(f"{name}{end}" for name in (DOUBLE, UNPREFIXED) for end in (".tar", ".parquet")),
        "contents.parquet",
    }
    for name, clip in ((DOUBLE, CLIPS[4]), (UNPREFIXED, CLIPS[5])):
        rows = read(release.show.path("archive", f"{name}.parquet"), STORED).rows
        assert rows["source_frame"].tolist() == [1, 2, 3] and set(rows["clip"]) == {clip}
        stored = [read_bytes(r.image_file, r.image_offset, r.image_length) for r in rows.itertuples()]
        assert stored == release.pictures[clip], "the bytes are those of the archive"
    manifest = read(release.show.path("", "archive.parquet"), ARCHIVE)
    assert manifest.rows[["show", "frames", "missing"]].to_numpy().tolist() == [["bbt", 3, 0], ["friends", 3, 0]]
    assert manifest.dropped == {} and len(manifest.provenance["notes"]["md5"]) == 6
    contents = read(release.show.path("archive", "contents.parquet"), CONTENTS).rows
    assert contents["clip"].tolist() == sorted(CLIPS) and set(contents["frames"]) == {3}


def test_frames_from_the_store_are_those_of_the_tree(release: Release) -> None:
    release.split()
    settings = release.settings(*CLIPS[1::2])
    release.run(settings)
    outputs = {
        name: release.show.path("frames", f"castle_s01e01{end}")
        for name, end in (("manifest", ".parquet"), ("store", ".tar"))
    }
    frames.run(settings, {"source": release.show.path("", "archive.parquet")}, outputs, shard="castle_s01e01")
    from_store = read(outputs["manifest"], FRAMES)
    folders = []
    for clip in (CLIPS[1], CLIPS[3]):
        folder = release.show.folder / "frames_hq" / "castle_frames" / clip
        folder.mkdir(parents=True)
        for number, data in enumerate(release.pictures[clip], 1):
            (folder / f"{number:05d}.jpg").write_bytes(data)
        folders.append(folder)
    tree = release.show.settings(tvqa="frames_hq", shows=["castle"])
    release.show.run_frames(tree, "castle_s01e01", sorted(folders))
    expected = read(outputs["manifest"], FRAMES)
    places = ["image_file", "image_offset"]
    assert from_store.rows["clip"].nunique() == 2 and from_store.dropped == expected.dropped
    # The sheet gives the clips in its own order, the tree in natural order.
    order = ["clip", "source_frame"]
    same = ["clip", "source_frame", "time_s", "image_length", "width", "height", "luma", "state"]
    both = [rows.sort_values(order)[same].reset_index(drop=True) for rows in (from_store.rows, expected.rows)]
    assert both[0].equals(both[1]) and not from_store.rows[places].equals(expected.rows[places])
    with tarfile.open(release.show.path("frames", "castle_s01e01.tar")) as tar:
        assert tar.getnames() == []
    assert read_image(*from_store.rows[["image_file", "image_offset", "image_length"]].iloc[0]).ndim == 3


def test_a_damaged_part_is_named_and_what_lay_before_it_is_kept(
    release: Release, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(parts_module, "CHUNK", 1 << 12)
    monkeypatch.setattr("tvface.media.archive._BUFFER", 1 << 12)
    paths = release.split(12)
    whole = paths[-1].read_bytes()
    paths[-1].write_bytes(whole[:-200] + bytes(200))
    settings = release.settings(*CLIPS)
    with pytest.raises(ArchiveError, match=rf"{paths[-1].name} is damaged: its md5 .* download this part again"):
        release.run(settings)
    kept = {"castle_s01e01.tar", "castle_s01e01.parquet", "castle_s01e02.tar", "castle_s01e02.parquet"}
    assert kept <= release.files() and f"{UNPREFIXED}.tar" not in release.files()
    assert not any("partial" in name or name == "contents.parquet" for name in release.files())
    assert not release.show.path("", "archive.parquet").exists()
    before = {name: release.show.path("archive", name).stat().st_mtime_ns for name in kept}
    paths[-1].write_bytes(whole)
    caplog.clear()  # the first run's lines, where an earlier test has raised the level
    with caplog.at_level(logging.INFO):
        release.run(settings)
    message = next(record.message for record in caplog.records if "are to be taken out" in record.message)
    assert int(message.split()[0]) + len(kept) // 2 <= 4
    assert {name: release.show.path("archive", name).stat().st_mtime_ns for name in kept} == before
    assert read(release.show.path("", "archive.parquet"), ARCHIVE).rows["frames"].tolist() == [3] * 6


def test_an_episode_is_not_published_before_its_part_is_verified(release: Release) -> None:
    paths = release.split(1)  # all in one part, whose end is wrong
    paths[0].write_bytes(paths[0].read_bytes() + b"tail")
    with pytest.raises(ArchiveError, match="is damaged"):
        release.run(release.settings(*CLIPS))
    assert release.files() == set()


def test_a_killed_pass_leaves_no_half_written_episode(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    release.split()
    settings = release.settings(*CLIPS)
    taken = archive.Stores.add
    count = 0

    def add(self: archive.Stores, *frame: object) -> None:
        nonlocal count
        count += 1
        if count == 10:
            raise KeyboardInterrupt
        taken(self, *frame)

    monkeypatch.setattr(archive.Stores, "add", add)
    with pytest.raises(KeyboardInterrupt):
        release.run(settings)
    assert not any("partial" in name for name in release.files())
    monkeypatch.setattr(archive.Stores, "add", taken)
    # A kill that no handler sees leaves partial files; the next pass removes them.
    (release.show.path("archive", "").joinpath(".castle_s01e01.tar.partial")).write_bytes(b"half")
    release.run(settings)
    assert len(release.files()) == 2 * 4 + 1


def test_a_finished_archive_is_not_read_again(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    release.split()
    settings = release.settings(*CLIPS)
    release.run(settings)
    manifest = release.show.path("", "archive.parquet")
    first = manifest.read_bytes()
    manifest.unlink()
    monkeypatch.setattr(archive, "PartStream", lambda parts: pytest.fail("the archive is read again"))
    release.run(settings)
    assert manifest.read_bytes() == first


def test_one_more_clip_writes_only_its_episode(release: Release) -> None:
    release.split()
    release.run(release.settings(*CLIPS[1:]))
    store = release.show.path("archive", f"{DOUBLE}.tar")
    before, other = store.stat().st_mtime_ns, release.show.path("archive", "castle_s01e02.parquet").read_bytes()
    release.run(release.settings(*CLIPS))
    assert store.stat().st_mtime_ns == before
    assert release.show.path("archive", "castle_s01e02.parquet").read_bytes() != other
    assert read(release.show.path("archive", "castle_s01e02.parquet"), STORED).rows["clip"].nunique() == 2


def test_a_store_that_was_cut_is_written_again(release: Release) -> None:
    release.split()
    settings = release.settings(*CLIPS)
    release.run(settings)
    store = release.show.path("archive", f"{DOUBLE}.tar")
    whole = store.read_bytes()
    store.write_bytes(whole[:-100])
    release.run(settings)
    assert store.read_bytes() == whole


def test_holes_strangers_and_repetitions_are_counted(release: Release, caplog: pytest.LogCaptureFixture) -> None:
    folder = f"{split_archive.ROOT}/castle_frames"
    first = f"{folder}/{CLIPS[1]}"
    picture = release.pictures[CLIPS[1]][0]
    release.members += [
        split_archive.member(f"{folder}/castle_s01e03_seg01_clip_00/00002.jpg", picture),
        split_archive.member(f"{folder}/castle_s01e03_seg01_clip_00/00002.jpg", b"again"),
        split_archive.member(f"{folder}/castle_s01e03_seg01_clip_00/00007.jpg", picture),
        split_archive.member(f"{folder}/castle_s01e03_seg01_clip_00/Thumbs.db", b"?"),
        split_archive.member(f"{folder}/castle_s01e03_seg01_clip_00/00000.jpg", picture),
        split_archive.member(f"{folder}/castle_s01e03_seg01_clip_00/00001.jpg", kind=tarfile.SYMTYPE, target="/etc/x"),
        split_archive.member(f"{first}/00009.jpg", picture),
    ]
    release.split()
    settings = release.settings(CLIPS[1], "castle_s01e03_seg01_clip_00", "castle_s01e03_seg01_clip_01")
    with caplog.at_level(logging.WARNING):
        release.run(settings)
    manifest = read(release.show.path("", "archive.parquet"), ARCHIVE)
    assert manifest.dropped == {
        "repeated": 1,
        "not_a_frame": 2,
        "clip_missing": 1,
        "refused": 1,
        "late": 1,
        "clip_not_on_sheet": 3,
    }
    rows = manifest.rows.set_index("clip")
    assert rows.loc["castle_s01e03_seg01_clip_00", ["frames", "missing"]].tolist() == [2, 5]
    assert rows.loc["castle_s01e03_seg01_clip_01", "frames"] == 0
    notes = manifest.provenance["notes"]
    assert notes["clips_missing"] == ["castle_s01e03_seg01_clip_01"] and "00001.jpg" in notes["refused"][0]
    assert "refused" in caplog.text and "3 clips of these shows are not on the sheet" in caplog.text


def test_a_sheet_of_other_clips_is_refused(release: Release) -> None:
    release.split()
    settings = release.settings("house_s01e01_seg01_clip_00")
    for _ in range(2):  # the second time it is known without reading
        with pytest.raises(
            ArchiveError, match="none of the clips on the sample sheet, but clips of bbt, castle, friends"
        ):
            release.run(settings)
    assert release.files() == {"contents.parquet"}


def test_without_clips_of_the_archive_there_is_nothing_to_do(release: Release) -> None:
    release.split()
    folder = release.show.clip("castle", CLIPS[0], release.show.pictures(talking(0, 2)))
    sheet = release.show.folder / "other.tsv"
    sheet.write_text(f"show\tepisode\tsource\ncastle\tcastle_s01e02\t{folder}\n")
    with pytest.raises(EpisodeError, match="archive: nothing to take out"):
        release.run(release.show.settings(archive=str(release.show.folder / "parts"), sheet=str(sheet)))


def test_stores_do_not_depend_on_how_often_the_pass_was_interrupted(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "CHUNK", 1 << 12)
    monkeypatch.setattr("tvface.media.archive._BUFFER", 1 << 12)
    paths = release.split(12)
    settings = release.settings(*CLIPS)
    whole = paths[-1].read_bytes()
    paths[-1].write_bytes(whole[:-1] + b"?")
    with pytest.raises(ArchiveError):
        release.run(settings)
    assert release.files()
    paths[-1].write_bytes(whole)
    release.run(settings)
    interrupted = {name: release.show.path("archive", name).read_bytes() for name in release.files()}
    for name in interrupted:
        release.show.path("archive", name).unlink()
    release.run(settings)
    assert {name: release.show.path("archive", name).read_bytes() for name in release.files()} == interrupted
