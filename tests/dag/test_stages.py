"""The table of stages: its keys are real, a stage cannot read past it, and it decides what the rules depend on."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import Any

import pytest

from tvface.dag.provenance import provenance, stage_run
from tvface.dag.stages import FREE, STAGES, decisive, keys, lookup, only, stage_code, stage_settings
from tvface.settings import Settings, SettingsError, as_mapping, nested, parse_settings
from tvface.settings.phases import MODELS, PHASES
from tvface.settings.view import UndeclaredSetting, leaves, matching
from tvface.stages import render

TRAININGS = [f"{model}/{phase}" for model in MODELS for phase in PHASES]
SHARDS = {"train": TRAININGS, "dataset": ["", "show_e1"]}
JOBS = [(name, shard) for name in STAGES for shard in SHARDS.get(name, [""])]


@pytest.mark.parametrize(("name", "shard"), JOBS)
def test_every_declared_key_is_a_setting(name: str, shard: str) -> None:
    assert all(matching(Settings, key) for key in keys(name, shard)) and decisive(name, shard)
    assert set(STAGES[name].free) <= set(leaves(Settings)), "free settings are named one by one"


def test_every_free_setting_has_its_reason_and_its_reader() -> None:
    assert {name for stage in STAGES.values() for name in stage.free} == FREE.keys()
    for name, reason in FREE.items():
        assert len(reason) > 5, name
        assert "as " not in reason[:3] or reason[3:].split(";")[0] in FREE, f"{name} refers to another's reason"


@pytest.mark.parametrize("name", STAGES)
def test_every_run_is_given_what_the_table_declares_for_its_stage(name: str) -> None:
    run = importlib.import_module(f"tvface.stages.{name}").run
    assert run.__code__ is stage_run(name)(run).__code__, "decorated with stage_run"
    assert inspect.getclosurevars(run).nonlocals["name"] == name


@pytest.mark.parametrize(("name", "shard"), JOBS)
def test_a_job_reads_what_is_declared_and_nothing_else(name: str, shard: str) -> None:
    settings = Settings()
    seen = only(settings, name, shard)
    readable = decisive(name, shard) | set(STAGES[name].free)
    for setting in leaves(Settings):
        if setting in readable:
            assert lookup(seen, setting) == lookup(settings, setting)
        else:
            with pytest.raises(UndeclaredSetting) as caught:
                lookup(seen, setting)
            message = str(caught.value)
            assert message.startswith(f"stage {name} reads the setting '") and "tvface/dag/stages.py" in message
            assert any(f"'{setting[:end]}'" in message for end in range(1, len(setting) + 1)), (
                "it or its block is named"
            )
    assert only(seen, name, shard) == seen


@pytest.mark.parametrize(("name", "shard"), JOBS)
def test_rule_and_provenance_hold_what_decides_and_nothing_that_is_free(name: str, shard: str) -> None:
    recorded = stage_settings(name, Settings(), shard)
    assert set(dotted(recorded)) == decisive(name, shard)
    assert not decisive(name, shard) & set(STAGES[name].free)
    recorded_provenance = provenance(name, only(Settings(), name, shard), {}, shard=shard)
    assert recorded_provenance.settings == recorded and recorded_provenance.code == stage_code(name, Settings())
    assert recorded_provenance.seed == recorded.get("seed")


def dotted(mapping: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in mapping.items():
        found += dotted(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return found


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        ("report.pictures", {"render"}),
        ("report.title", {"report"}),
        ("masks.classes", {"masks", "train", "reconstruct", "evaluate"}),
        ("sequences.image_size", {"sequences", "fit", "evaluate", "render"}),
        ("faces.margin", {"faces", "identities"}),
        ("faces.tracks.distance", {"faces", "identities", "sequences"}),
        ("dataset.split.test", {"dataset", "render"}),
        ("train.validate_every", {"train"}),
        ("seed", {"synth", "train"}),
        *((name, set()) for name in FREE if name != "archive"),
    ],
)
def test_a_change_concerns_the_stages_that_read_it(change: str, stages: set[str]) -> None:
    old = Settings()
    new = parse_settings(nested(change, other_value(lookup(old, change))))
    assert as_mapping(new) != as_mapping(old)
    changed = {name for name, shard in JOBS if stage_settings(name, old, shard) != stage_settings(name, new, shard)}
    assert changed == stages


def other_value(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return "0.5" if value is None else f"{value}2"
    if isinstance(value, bool):
        return not value
    return value[:-1] if isinstance(value, tuple) else type(value)(value + 1 if isinstance(value, int) else value / 2)


def test_the_parts_of_a_dataset_depend_on_their_own_settings() -> None:
    assert {"dataset.split.test", "dataset.recap_distance"} <= decisive("dataset") - decisive("dataset", "show_e1")
    assert {"dataset.min_face", "dataset.flow.computed_at"} <= decisive("dataset", "show_e1") - decisive("dataset")


def test_a_shard_that_is_no_training_is_refused() -> None:
    for shard in ("", "deca", "deca/fine", "decca/coarse"):
        with pytest.raises(SettingsError, match="is not <model>/<phase>"):
            only(Settings(), "train", shard)


def test_a_stage_that_reads_past_its_declaration_fails(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """The table without `report.pictures`, which `render` reads: the run stops there and says what to declare."""
    without = tuple(key for key in STAGES["render"].reads if key != "report.pictures")
    monkeypatch.setitem(STAGES, "render", dataclasses.replace(STAGES["render"], reads=without))
    with pytest.raises(
        UndeclaredSetting, match=r"stage render reads the setting 'report'.*`reads` of 'render' in STAGES"
    ):
        render.run(Settings(), {}, {"pictures": tmp_path / "pictures", "manifest": tmp_path / "m.parquet"})
