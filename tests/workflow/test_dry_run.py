"""What Snakemake would do: the demo, the other configurations, and its refusals before the first job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout
from tvface.dag.layout import inputs, outputs
from tvface.dag.stages import STAGES
from tvface.episodes import list_episodes
from tvface.episodes.archive_stores import Stores, identity
from tvface.media.parts import find_parts
from tvface.settings import load, parse_settings
from tvface.settings.phases import PHASES


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


def stages(messages: list[str]) -> Counter[str]:
    return Counter(message.partition(":")[0] for message in messages)


def test_demo_has_every_stage(checkout: Checkout) -> None:
    counts = stages(checkout.messages())
    episodes = load([checkout.folder / "config.yaml"]).synth.episodes
    per_episode = ("synth", "frames", "faces", "sequences", "landmarks", "masks", "fit")
    assert {stage: counts[stage] for stage in STAGES} == {
        **dict.fromkeys(per_episode, episodes),
        "dataset": episodes + 1,
        "train": 2 * len(PHASES),
        "reconstruct": 2,
        **dict.fromkeys(("head", "identities", "evaluate", "render", "report"), 1),
        "archive": 0,
    }


def test_wrong_setting_is_named_with_its_nearest(checkout: Checkout) -> None:
    answer = checkout.snakemake("-n", "--config", "faces={min_fase: 30}")
    assert answer.returncode != 0
    assert "unknown setting 'faces.min_fase': did you mean min_face" in answer.stdout + answer.stderr


def test_a_key_that_stands_twice_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("faces:\n  min_face: 30\nseed: 1\nfaces:\n  batch: 8\n")
    answer = checkout.snakemake("-n", "--configfile", str(tmp_path / "mine.yaml"))
    assert answer.returncode != 0
    assert "mine.yaml: 'faces' occurs twice in one block, in line 1 and in line 4" in answer.stdout + answer.stderr


def test_paper_run_refuses_to_start_without_its_files(checkout: Checkout, tmp_path: Path) -> None:
    for clip in ("castle_frames/castle_s01e01_seg02_clip_00", "friends_frames/friends_s06e24-25_seg02_clip_40"):
        (tmp_path / clip).mkdir(parents=True)
    answer = checkout.snakemake("-n", "--configfile", "workflow/configs/tvqa.yaml", "--config", f"tvqa={tmp_path}")
    text = answer.stdout + answer.stderr
    assert answer.returncode != 0
    for name in ("flame", "fan", "bisenet", "inception_resnet", "spynet", "vggface2", "vgg19"):
        assert f"- {name} (stage " in text
    for part in ("licence:", "https://flame.is.tue.mpg.de", "resources/licensed/generic_model.pkl", "without it:"):
        assert part in text


def test_own_footage(checkout: Checkout, tmp_path: Path) -> None:
    arguments = ("--configfile", "workflow/configs/videos.yaml", "--config", f"videos={tmp_path}")
    answer = checkout.snakemake("-n", *arguments)
    assert answer.returncode != 0 and "holds no video" in answer.stdout + answer.stderr
    for name in ("one.mp4", "two.mkv"):
        (tmp_path / name).touch()
    counts = stages(checkout.messages(*arguments))
    assert (counts["synth"], counts["frames"], counts["identities"]) == (0, 2, 2)


def archive_run(folder: Path, clips: Sequence[str]) -> tuple[str, ...]:
    """The arguments of a run over TVQA's split archive, with empty parts and a sheet of these clips."""
    for suffix in ("aa", "ab"):
        part = folder / f"tvqa_video_frames_fps3_hq.tar.gz.{suffix}"
        if not part.exists():
            part.write_text(suffix)
    rows = [f"castle\t{clip.partition('_seg')[0]}\tarchive:{clip}\n" for clip in clips]
    (folder / "sheet.tsv").write_text("show\tepisode\tsource\n" + "".join(rows))
    values = f"archive={folder} sheet={folder / 'sheet.tsv'} results=results/tvqa".split()
    return ("--config", *values, "synth={enabled: false}")


def test_an_archive_is_one_job_and_one_more_clip_leaves_other_episodes_alone(
    checkout: Checkout, tmp_path: Path
) -> None:
    clips = ["castle_s01e01_seg01_clip_00", "castle_s01e01_seg02_clip_00", "castle_s01e02_seg01_clip_00"]
    arguments = archive_run(tmp_path, clips)
    counts = stages(checkout.messages(*arguments))
    assert (counts["archive"], counts["frames"], counts["faces"], counts["synth"]) == (1, 2, 2, 0)
    settings = parse_settings({"archive": str(tmp_path), "sheet": str(tmp_path / "sheet.tsv")})
    episodes = [episode for episode in list_episodes(settings) if episode.kind == "archive"]
    with Stores(checkout.folder / "results/tvqa/archive", episodes, identity(find_parts(tmp_path))) as stores:
        stores.publish_rest()
    checkout.pretend(*arguments)
    again = checkout.messages(*archive_run(tmp_path, [*clips, "castle_s01e02_seg01_clip_01"]))
    assert {message for message in again if message.startswith(("archive", "frames", "faces"))} == {
        f"archive: take the episodes out of {tmp_path}",
        "frames: sample castle_s01e02",
        "faces: detect, embed and track in castle_s01e02",
    }


def test_a_part_that_is_missing_stops_the_run_before_any_job(checkout: Checkout, tmp_path: Path) -> None:
    arguments = archive_run(tmp_path, ["castle_s01e01_seg01_clip_00"])
    (tmp_path / "tvqa_video_frames_fps3_hq.tar.gz.aa").unlink()
    answer = checkout.snakemake("-n", *arguments)
    assert answer.returncode != 0 and "tar.gz.aa is missing; download it again" in answer.stdout + answer.stderr


def test_target_by_name(checkout: Checkout) -> None:
    counts = stages(checkout.messages("dataset"))
    assert counts["dataset"] > 1 and counts["head"] == 1, "the fit needs the head"
    assert not counts["train"]


def test_commands_read_and_write_what_the_rules_do(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tvface <stage>` uses tvface.dag.layout, Snakemake the rules: both name the same files for every job."""
    checkout.pretend()
    monkeypatch.chdir(checkout.folder)
    monkeypatch.setattr("tvface.assets.registry.ROOT", checkout.folder)
    settings = load(["config.yaml"])
    rows = {row["output_file"]: row for row in checkout.summary() if row["rule"] not in ("-", "")}
    trained = {path.split("/train/")[1]: row["input-file(s)"] for path, row in rows.items() if "/train/" in path}
    for model in ("deca", "temporal"):
        for phase in PHASES:
            loaded = [
                name
                for name in ("features_deca", "features_temporal")
                if name in trained[f"{model}/{phase}/curve.parquet"]
            ]
            assert loaded == ([f"features_{model}"] if phase == PHASES[0] else [])
    seen = set()
    for stage, shard in jobs(settings.synth.episodes):
        written = flat(outputs(stage, settings, shard).values())
        read = flat(inputs(stage, settings, shard).values())
        for path in written:
            assert path in rows, f"no rule makes {path}"
            assert set(rows[path]["input-file(s)"].split(",")) - {"", "-"} == set(read), path
        seen |= set(written)
    assert seen == set(rows)


def test_one_file_and_one_row_make_a_backend_whose_weights_are_checked_and_followed(checkout: Checkout) -> None:
    """No job starts without its file; with it the file is an input of the jobs that load it."""
    (checkout.folder / "src/tvface/landmarkers/mine.py").write_text(
        "import module_that_is_not_there\n\n\nclass Backend:\n    needs = ('mine',)\n"
    )
    table = checkout.folder / "resources/assets.tsv"
    cells = ("mine", "weights/mine.pt", "https://example.org/mine.pt", "", "", "", "CC0", "no", "a setting", "", "")
    before = table.read_text()
    table.write_text(before.rstrip("\n") + "\n" + "\t".join(cells) + "\n")
    try:
        arguments = ("landmarks", "--config", "landmarks={backend: mine}", "results=results/mine")
        answer = checkout.snakemake("-n", *arguments)
        text = answer.stdout + answer.stderr
        assert answer.returncode != 0
        for part in ("- mine (stage landmarks", "resources/weights/mine.pt is missing", "licence: CC0", "example.org"):
            assert part in text
        (checkout.folder / "resources/weights/mine.pt").write_text("weights")
        checkout.pretend(*arguments)
        rows = [row for row in checkout.summary(*arguments) if row["rule"] == "landmarks_episode"]
        assert rows and all("resources/weights/mine.pt" in row["input-file(s)"].split(",") for row in rows)
        assert not any("compact_landmarks" in row["input-file(s)"] for row in rows)
    finally:
        table.write_text(before)


def test_an_unknown_backend_stops_the_run_before_any_job(checkout: Checkout) -> None:
    answer = checkout.snakemake("-n", "landmarks", "--config", "landmarks={backend: fam}")
    assert answer.returncode != 0
    assert "landmarks.backend: 'fam' is not registered; valid: compact, fan" in answer.stdout + answer.stderr


def jobs(episodes: int) -> list[tuple[str, str]]:
    names = [f"demo_s01e{number:02d}" for number in range(1, episodes + 1)]
    sharded = ("synth", "frames", "faces", "sequences", "landmarks", "masks", "fit", "dataset")
    return [
        *((stage, name) for stage in sharded for name in names),
        ("identities", "demo"),
        *(("train", f"{model}/{phase}") for model in ("deca", "temporal") for phase in PHASES),
        ("reconstruct", "deca"),
        ("reconstruct", "temporal"),
        *((stage, "") for stage in ("head", "dataset", "evaluate", "render", "report")),
    ]


def flat(values: object) -> list[str]:
    return [str(path) for value in values for path in (value if isinstance(value, list) else [value])]  # type: ignore[attr-defined]
