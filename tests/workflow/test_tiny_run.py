"""What second runs of the tiny workflow make anew after one setting has changed: real runs, in a copy each.

A change early in the workflow is followed up to the stages that read the changed files, not through the training that
comes after; the rows together follow every step from the show to the page.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import split_archive
from tests.workflow.checkout import Checkout
from tests.workflow.tiny import TinyRun, changed, job_of, made_anew
from tvface.dag.stages import STAGES
from tvface.manifests import read
from tvface.manifests.frames import FRAMES
from tvface.media.images import encode_jpeg, read_image
from tvface.settings import merge, nested

ALL: tuple[str, ...] = ()


def _made(*files: str) -> tuple[str, ...]:
    return tuple(f"results/ci/{file}" for file in files)


# Settings and their other values, targets, what is made anew.
CHANGES: tuple[tuple[dict[str, object], tuple[str, ...], set[str]], ...] = (
    ({"report.pictures": 2}, ALL, {"render", "report"}),
    ({"render.columns": 2}, ALL, {"render", "report"}),
    ({"evaluate.match_iou": 0.5}, ALL, {"evaluate", "report"}),
    ({"reconstruct.shared_identity": True}, ALL, {"reconstruct", "evaluate", "render", "report"}),
    (
        {"train.detail.steps": 5},
        _made("train/temporal/detail/weights.safetensors", "reconstruct/temporal.parquet"),
        {"train/temporal/detail", "reconstruct"},
    ),
    (
        {"head.uv_size": 128, "dataset.split.test": 0.3},
        _made("train/deca/pretrain/weights.safetensors"),
        {"head", "fit", "dataset/episode", "dataset", "train/deca/pretrain"},
    ),
    (
        {"fit.frames": 5},
        _made("fit/demo_s01e01.parquet", "dataset/demo_s01e01.parquet"),
        {"fit", "dataset/episode"},
    ),
    ({"dataset.flow.size": 96}, ("dataset",), {"dataset/episode", "dataset"}),
    (
        {"masks.context": 1.5, "landmarks.refine": 1},
        _made("dataset/demo_s01e01.parquet"),
        {"masks", "landmarks", "fit", "dataset/episode"},
    ),
    (
        {"sequences.crop_scale": 1.3},
        _made("landmarks/demo_s01e01.parquet", "masks/demo_s01e01.parquet"),
        {"sequences", "landmarks", "masks"},
    ),
    ({"identities.threshold": 0.8}, _made("sequences/demo_s01e01.parquet"), {"identities", "sequences"}),
    ({"faces.min_score": 0.9}, ("identities",), {"faces", "identities"}),
    ({"frames.jpeg_quality": 80}, _made("faces/demo_s01e01.parquet"), {"frames", "faces"}),
    ({"synth.supersampling": 2}, _made("frames/demo_s01e01.parquet"), {"synth", "frames"}),
)


def test_the_same_command_again_does_nothing(copy: TinyRun, tiny: TinyRun) -> None:
    output = copy.snakemake()
    assert "Nothing to be done" in output
    assert copy.state() == tiny.state(), "nor does it in another folder, where the first run was copied to"


@pytest.mark.parametrize(("settings", "targets", "anew"), CHANGES, ids=["-".join(row[0]) for row in CHANGES])
def test_a_changed_setting_makes_anew_what_depends_on_it(
    copy: TinyRun, settings: dict[str, object], targets: Sequence[str], anew: set[str]
) -> None:
    before = copy.state()
    copy.snakemake(*targets, changes=several(settings))
    after = copy.state()
    assert made_anew(before, after) == anew
    files = {stage_of(path) for path in changed(before, after)}
    assert {name.partition(".")[0] for name in settings} - {"report"} <= files, "the settings do something"


def several(settings: dict[str, object]) -> dict[str, object]:
    return functools.reduce(merge, (nested(name, value) for name, value in settings.items()), {})


def stage_of(path: str) -> str:
    return job_of(path).partition("/")[0]


def test_a_setting_put_back_gives_the_same_bytes_again(copy: TinyRun) -> None:
    first = copy.state()
    copy.snakemake(changes={"report": {"title": "Another title"}})
    between = copy.state()
    assert made_anew(first, between) == {"report"} and changed(first, between) == {"report.html"}
    copy.snakemake()
    assert made_anew(between, copy.state()) == {"report"} and changed(first, copy.state()) == set()


def test_every_stage_has_a_change() -> None:
    changed_ones = {name.partition(".")[0] for settings, _, _ in CHANGES for name in settings}
    assert changed_ones | {"archive"} == set(STAGES)


def test_an_archive_in_another_folder_is_read_again_and_its_episodes_stay(tiny: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "TVQA's archive"
    clips = ("castle_s01e01_seg01_clip_00", "castle_s01e01_seg01_clip_01")
    pictures = _pictures(tiny, 2 * 6)
    members = [split_archive.clip(name, pictures[6 * i : 6 * i + 6]) for i, name in enumerate(clips)]
    split_archive.split(folder, split_archive.tar_of([one for clip in members for one in clip]))
    film = folder / "The one with Bob's cat.mp4"
    shutil.copy(tiny.made_by("synth", tiny.episodes[0])["video"], film)
    rows = [("castle", "castle_s01e01", f"archive:{clip}") for clip in clips] + [("own", "own_s01e01", str(film))]
    sheet = folder / "sheet.tsv"
    sheet.write_text("\n".join("\t".join(row) for row in [("show", "episode", "source"), *rows]), encoding="utf-8")
    base = {"archive": str(folder), "sheet": str(sheet), "synth": {"enabled": False}}
    run = TinyRun(Checkout(tmp_path / tiny.folder.name), base)
    run.snakemake("frames")
    before = run.state()
    assert {job_of(path) for path in before} == {"archive", "frames"}
    frames_of = {episode: read(run.made_by("frames", episode)["manifest"], FRAMES).rows for episode in run.episodes}
    assert len(frames_of["castle_s01e01"]) == len(pictures)
    assert len(frames_of["own_s01e01"]) == round(tiny.settings.synth.seconds * tiny.settings.frames.fps)
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    run.snakemake("frames", changes={"archive": str(moved)})
    assert made_anew(before, run.state()) == {"archive"}


def _pictures(run: TinyRun, count: int) -> list[bytes]:
    rows = read(run.made_by("frames", run.episodes[0])["manifest"], FRAMES).rows[:count]
    with run.inside():
        return [
            encode_jpeg(read_image(row.image_file, row.image_offset, row.image_length), 95) for row in rows.itertuples()
        ]
