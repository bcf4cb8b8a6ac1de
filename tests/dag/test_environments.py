"""The conda environments: they parse, their pins are the lock's, and they hold what the stages import."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from rattler import MatchSpec

from tvface.dag.environments import GROUPS, environment_text, read_lock, third_party
from tvface.dag.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


def test_every_stage_belongs_to_one_group_and_its_rules_use_it() -> None:
    members = [stage for stages in GROUPS.values() for stage in stages]
    assert sorted(members) == sorted(STAGES)
    for group, stages in GROUPS.items():
        for stage in stages:
            text = (ROOT / "rules" / f"{stage}.smk").read_text()
            assert set(re.findall(r'"\.\./envs/(\w+)\.yaml"', text)) == {group}, stage


@pytest.mark.parametrize("group", GROUPS)
def test_stored_environment_has_not_drifted(group: str) -> None:
    stored = (ROOT / "envs" / f"{group}.yaml").read_text(encoding="utf-8")
    assert stored == environment_text(group), "run: tvface envs"


@pytest.mark.parametrize("group", GROUPS)
def test_specs_parse_and_pins_are_the_locks(group: str) -> None:
    content = yaml.safe_load((ROOT / "envs" / f"{group}.yaml").read_text(encoding="utf-8"))
    assert content["channels"] == ["conda-forge", "nodefaults"]
    *conda, pip = content["dependencies"]
    names = {MatchSpec(spec).name.normalized for spec in conda}
    assert {"python", "pip"} <= names
    pins = read_lock()
    for line in pip["pip"]:
        name, version = re.match(r"([^=]+)==([^ ]+)", line).groups()  # type: ignore[union-attr]
        assert pins[name].version == version
    held = {line.partition("==")[0] for line in pip["pip"]}
    assert third_party(GROUPS[group]) <= held


def test_lock_is_read_whole() -> None:
    pins = read_lock()
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if re.match(r"[a-z0-9]", line)]
    assert len(pins) == len({line.partition("==")[0] for line in lines})
    assert "torchvision" in pins["torch"].required_by
    assert "torch" in pins["nvidia-cublas"].required_by and "linux" in pins["nvidia-cublas"].marker
