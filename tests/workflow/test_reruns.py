"""What runs again after a change: that stage and what depends on it, nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout

LAST = {"evaluate", "render", "report"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(tmp_path_factory.mktemp("finished"))
    checkout.pretend()
    assert checkout.messages() == [], "a finished run has nothing to do"
    return checkout


def stages(messages: list[str]) -> set[str]:
    return {message.partition(":")[0] for message in messages}


def test_edit_of_landmarks_code_reruns_landmarks_and_what_follows(checkout: Checkout) -> None:
    with checkout.edited("src/tvface/stages/landmarks.py", "from __future__", "CONSTANT = 2\nfrom __future__"):
        again = checkout.messages()
    assert stages(again) == {"landmarks", "fit", "dataset", "train", "reconstruct"} | LAST
    assert checkout.messages() == [], "a reverted edit leaves nothing to do"


def test_touch_reruns_nothing(checkout: Checkout) -> None:
    os.utime(checkout.folder / "src/tvface/stages/landmarks.py")
    os.utime(checkout.folder / "results/frames/demo_s01e01.parquet")
    assert checkout.messages() == []


def test_temporal_settings_leave_deca_alone(checkout: Checkout) -> None:
    again = checkout.messages("--config", "train={temporal: {max_residue: 7.0}}")
    assert {message for message in again if message.startswith("train")} == {
        f"train: temporal, {phase}" for phase in ("pretrain", "coarse", "detail")
    }
    assert [message for message in again if message.startswith("reconstruct")] == [
        "reconstruct: temporal on the test split"
    ]
    assert stages(again) == {"train", "reconstruct"} | LAST


def test_detail_settings_train_only_detail(checkout: Checkout) -> None:
    again = checkout.messages("--config", "train={detail: {steps: 77}}")
    assert {message for message in again if message.startswith("train")} == {
        "train: deca, detail",
        "train: temporal, detail",
    }


def test_thresholds_need_no_second_look(checkout: Checkout) -> None:
    mined = stages(checkout.messages("--config", "sequences={min_side: 50.0}"))
    assert mined == {"sequences", "landmarks", "masks", "fit", "dataset", "train", "reconstruct"} | LAST
    labelled = stages(checkout.messages("--config", "dataset={min_face: 0.2, min_confidence: 0.4}"))
    assert labelled == {"dataset", "train", "reconstruct"} | LAST


def test_render_settings_leave_training_alone(checkout: Checkout) -> None:
    assert stages(checkout.messages("--config", "render={tile: 96}")) == {"render", "report"}


def test_a_report_setting_runs_the_stages_that_read_it(checkout: Checkout) -> None:
    assert stages(checkout.messages("--config", "report={pictures: 3}")) == {"render", "report"}
    assert stages(checkout.messages("--config", "report={title: another}")) == {"report"}


def test_other_bundled_weights_run_what_loads_them(checkout: Checkout) -> None:
    parser = checkout.folder / "resources/weights/compact_parser.safetensors"
    times = parser.stat()
    content = parser.read_bytes()
    try:
        parser.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert stages(checkout.messages()) == {"masks", "fit", "dataset", "train", "reconstruct"} | LAST
    finally:
        parser.write_bytes(content)
        os.utime(parser, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_settings_of_how_and_where_run_nothing_again(checkout: Checkout) -> None:
    free = ("device=cpu", "faces={batch: 4}", "masks={batch: 4}", "train={threads: 2, checkpoint_every: 7}")
    assert checkout.messages("--config", *free) == []


def test_another_split_computes_no_flow_again(checkout: Checkout) -> None:
    again = checkout.messages("--config", "dataset={split: {test: 0.3}}")
    assert [message for message in again if message.startswith("dataset")] == [
        "dataset: split into training, validation and test"
    ]
    assert stages(again) == {"dataset", "train", "reconstruct"} | LAST


def test_one_more_video_adds_itself_and_the_aggregations(checkout: Checkout, tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        (tmp_path / name).write_text(name)
    arguments = ("--configfile", "workflow/configs/videos.yaml", "--config", f"videos={tmp_path}")
    checkout.pretend(*arguments)
    assert checkout.messages(*arguments) == []
    (tmp_path / "three.mp4").write_text("three")
    again = checkout.messages(*arguments)
    sharded = {"frames", "faces", "identities", "sequences", "landmarks", "masks", "fit", "dataset"}
    of_episodes = [message for message in again if message.partition(":")[0] in sharded]
    assert len(of_episodes) == len(sharded) + 1, of_episodes
    assert not [message for message in of_episodes if "one" in message.split() or "two" in message.split()]
    assert stages(again) == sharded | {"train", "reconstruct"} | LAST
