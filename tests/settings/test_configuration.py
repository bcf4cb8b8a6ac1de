"""Files made from the settings classes have not drifted from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tvface.settings import Settings, as_mapping, load, parse_settings
from tvface.settings.files import config_text, schema_text
from tvface.settings.model import Train
from tvface.settings.page import settings_page

ROOT = Path(__file__).resolve().parents[2]


def test_schema_has_not_drifted() -> None:
    stored = (ROOT / "workflow" / "schemas" / "config.schema.json").read_text(encoding="utf-8")
    assert stored == schema_text(), "run: tvface schema workflow/schemas/config.schema.json"


def test_the_page_of_settings_has_not_drifted() -> None:
    stored = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert stored == settings_page(load([ROOT / "config.yaml"]), "config.yaml"), "run: tvface settings docs/settings.md"


def test_the_page_says_unit_range_default_and_what_a_configuration_sets() -> None:
    page = settings_page(parse_settings({"faces": {"min_face": 40}, "landmarks": {"decode": "quarter"}}), "mine.yaml")
    lines = page.splitlines()
    assert "| setting | meaning | unit | values | default | `mine.yaml` |" in lines
    face = next(line for line in lines if line.startswith("| `faces.min_face` |"))
    assert face.endswith("| px | whole number >= 12 | `24` | `40` |")
    decode = next(line for line in lines if line.startswith("| `landmarks.decode` |"))
    assert decode.endswith("| `gaussian`, `quarter`, `integer` | `gaussian` | `quarter` |")
    names = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert names == list(_flat(as_mapping(Settings()))), "each setting once, in the order of the configuration"


def _flat(mapping: dict, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of the plain settings of a block, then those of the blocks inside."""
    yield from (prefix + name for name, value in mapping.items() if not isinstance(value, dict))
    for name, value in mapping.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")


def test_the_demo_is_read_in_two_minutes() -> None:
    """``config.yaml`` holds the demo's own choices; a list of all settings is for ``docs/settings.md``."""
    lines = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 100 and max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", ["tvqa", "videos", "ci"])
def test_other_configurations_parse_on_top_of_the_demo(name: str) -> None:
    path = ROOT / "workflow" / "configs" / f"{name}.yaml"
    assert load([ROOT / "config.yaml", path]).results == f"results/{name}"


def test_the_demo_needs_no_weights_of_others() -> None:
    from tvface.dag.needs import needs

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
    text = config_text(changed)
    assert parse_settings(yaml.safe_load(text)) == changed
    assert text.startswith("# Every setting with its value in force")
    assert "# sampling rate; TVQA's frames come at 3 [Hz] (0.1 .. 120)\n  fps: 3.0" in config_text(Settings())
