"""Files made from the settings classes have not drifted from them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tvface.configuration import config_text, leading_comment, schema_text
from tvface.settings import Settings, as_mapping, load, parse_settings
from tvface.settings.model import Train

ROOT = Path(__file__).resolve().parents[2]


def test_schema_has_not_drifted() -> None:
    stored = (ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text(encoding="utf-8")
    assert stored == schema_text(), "run: tvface schema workflow/schemas/config.schema.yaml"


def test_demo_configuration_has_every_key_and_comment() -> None:
    path = ROOT / "config.yaml"
    stored = path.read_text(encoding="utf-8")
    assert stored == config_text(load([path]), leading_comment(stored)), "run: tvface config config.yaml"


@pytest.mark.parametrize("name", ["tvqa", "videos", "ci"])
def test_other_configurations_parse_on_top_of_the_demo(name: str) -> None:
    path = ROOT / "workflow" / "configs" / f"{name}.yaml"
    assert load([ROOT / "config.yaml", path]).results == f"results/{name}"


def test_the_demo_needs_no_weights_of_others() -> None:
    from tvface.stages.needs import needs

    assert {need.asset.url for need in needs(load([ROOT / "config.yaml"]))} <= {""}


def test_paper_run_is_the_papers() -> None:
    train = load([ROOT / "config.yaml", ROOT / "workflow" / "configs" / "tvqa.yaml"]).train
    assert [getattr(train, phase).epochs for phase in ("pretrain", "coarse", "detail")] == [10000, 500, 10000]
    assert {getattr(train, phase).batch for phase in ("pretrain", "coarse", "detail")} == {2}
    assert {getattr(train, phase).learning_rate for phase in ("pretrain", "coarse", "detail")} == {1e-4}
    assert (train.frames, train.temporal.rnn_layers, train.deca.layers) == (5, 2, (3, 4, 6, 3))
    # All else is as published, whatever the demo, on top of which it is read, sets: the defaults are DECA's.
    assert _differences(as_mapping(train), as_mapping(Train())) == {
        *(f"{phase}.{name}" for phase in ("pretrain", "coarse", "detail") for name in ("epochs", "steps")),
        *("log_every", "validate_every", "checkpoint_every"),
    }


def _differences(ours: dict, others: dict, prefix: str = "") -> set[str]:
    names: set[str] = set()
    for name, value in ours.items():
        if isinstance(value, dict):
            names |= _differences(value, others[name], f"{prefix}{name}.")
        elif value != others[name]:
            names.add(prefix + name)
    return names


def test_config_text_reads_back() -> None:
    changed = parse_settings({"videos": ["a: b", "#c"], "train": {"coarse": {"learning_rate": 1e-5}}, "seed": 7})
    text = config_text(changed, "a head\nof two lines")
    assert parse_settings(yaml.safe_load(text)) == changed
    assert leading_comment(text) == "a head\nof two lines"
    assert "# sampling rate; TVQA's frames come at 3 [Hz] (0.1 .. 120)\n  fps: 3.0" in config_text(Settings(), "")
