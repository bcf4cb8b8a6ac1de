"""Parsing of settings: what is accepted, and what an error says."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from tvface.settings import Settings, SettingsError, as_mapping, json_schema, load, merge, parse_settings


def test_defaults_survive_a_round_trip() -> None:
    assert parse_settings({}) == Settings()
    assert parse_settings(as_mapping(Settings())) == Settings()


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"facess": {}}, r"unknown setting 'facess': did you mean faces"),
        ({"faces": {"min_fase": 3}}, r"unknown setting 'faces.min_fase': did you mean min_face"),
        ({"faces": {"zzz": 3}}, r"unknown setting 'faces.zzz': valid here: .*detector"),
        (
            {"train": {"coarse": {"loss_weights": {"mrf": 0.1}}}},
            r"unknown setting 'train.coarse.loss_weights.mrf': a term of train.detail.loss_weights; valid here: .*eye",
        ),
        (
            {"train": {"detail": {"loss_weights": {"eye": 1}}}},
            r"'train.detail.loss_weights.eye': a term of train.pretrain.loss_weights and train.coarse.loss_weights; "
            r"valid here: .*mrf",
        ),
        ({"train": {"pretrain": {"loss_weights": {"lipp": 1}}}}, r"pretrain.loss_weights.lipp': did you mean lip"),
        ({"train": {"coarse": {"weights": {"eye": 1}}}}, r"'train.coarse.weights': called 'loss_weights' now"),
        ({"dataset": {"flow": {"weights": "a"}}}, r"'dataset.flow.weights': called 'weights_file' now"),
        ({"frames": {"fps": 0}}, r"frames.fps: 0 is outside 0.1 .. 120"),
        ({"frames": {"fps": "fast"}}, r"frames.fps: expected a number, got 'fast'"),
        ({"frames": {"fps": True}}, r"frames.fps: expected a number, got True"),
        ({"sequences": {"length": 2.5}}, r"sequences.length: expected a whole number, got 2.5"),
        ({"sequences": {"image_format": "gif"}}, r"sequences.image_format: 'gif' is not one of 'png', 'jpg'"),
        ({"sequences": {"aspect": [1]}}, r"sequences.aspect: expected 2 values, got 1"),
        ({"sequences": {"aspect": 1}}, r"sequences.aspect: expected a list, got 1"),
        ({"masks": {"classes": [1, 99]}}, r"masks.classes\[1\]: 99 is outside 0 .. 18"),
        ({"faces": 3}, r"faces: expected a block of settings, got 3"),
        ({"synth": {"enabled": "yes"}}, r"synth.enabled: expected true or false, got 'yes'"),
        ({"seed": None}, r"seed: expected a number, got None"),
        ({"faces": {"detector": 3}}, r"faces.detector: expected text, got 3"),
    ],
)
def test_wrong_settings_say_where_and_what_is_valid(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_settings(mapping)


def test_values_keep_their_types() -> None:
    settings = parse_settings(
        {"videos": ["a", "b"], "train": {"coarse": {"learning_rate": "1e-4", "epochs": 3, "steps": None}}}
    )
    assert settings.videos == ("a", "b")
    assert settings.train.coarse.learning_rate == pytest.approx(1e-4)
    assert (settings.train.coarse.epochs, settings.train.coarse.steps) == (3, None)
    assert parse_settings({"frames": {"fps": 5}}).frames.fps == 5.0


def test_nested_values_of_snakemakes_command_line_are_text() -> None:
    mapping = {"synth": {"enabled": "false", "episodes": "2"}, "train": {"coarse": {"epochs": "3", "steps": "null"}}}
    settings = parse_settings(mapping)
    assert (settings.synth.enabled, settings.synth.episodes) == (False, 2)
    assert (settings.train.coarse.epochs, settings.train.coarse.steps) == (3, None)
    jsonschema.validate(mapping, json_schema(Settings))


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().seed = 3  # type: ignore[misc]


def test_merge_goes_into_blocks() -> None:
    base = {"faces": {"min_face": 24, "tracks": {"iou": 0.3}}, "seed": 1}
    merged = merge(base, {"faces": {"tracks": {"shift": 1.0}}, "seed": 2})
    assert merged == {"faces": {"min_face": 24, "tracks": {"iou": 0.3, "shift": 1.0}}, "seed": 2}
    assert base["seed"] == 1


def test_load_puts_later_files_and_overrides_on_top(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("seed: 1\nfaces: {min_face: 20}\n")
    (tmp_path / "b.yaml").write_text("seed: 2\n")
    settings = load([tmp_path / "a.yaml", tmp_path / "b.yaml"], {"faces": {"batch": 3}})
    assert (settings.seed, settings.faces.min_face, settings.faces.batch) == (2, 20, 3)


def test_load_names_the_file_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.yaml: no such configuration file"):
        load([tmp_path / "gone.yaml"])
    (tmp_path / "bad.yaml").write_text("a: [1\n")
    with pytest.raises(SettingsError, match=r"bad\.yaml: not valid YAML"):
        load([tmp_path / "bad.yaml"])
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(SettingsError, match=r"list\.yaml: expected 'key: value'"):
        load([tmp_path / "list.yaml"])


def test_schema_accepts_what_the_parser_accepts() -> None:
    schema = json_schema(Settings)
    jsonschema.validate(as_mapping(Settings()), schema)
    jsonschema.validate({"train": {"coarse": {"learning_rate": "1e-4"}}}, schema)


@pytest.mark.parametrize(
    "mapping",
    [{"seeds": 1}, {"frames": {"fps": 1000}}, {"faces": {"thresholds": ["a"]}}, {"sequences": {"image_format": "gif"}}],
)
def test_schema_refuses_what_the_parser_refuses(mapping: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        parse_settings(mapping)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(mapping, json_schema(Settings))


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """YAML keeps the last of both: DECA's detail configuration lost its batch size that way."""
    path = tmp_path / "c.yaml"
    path.write_text("train:\n  frames: 3\n  coarse:\n    batch: 6\n  frames: 4\n")
    with pytest.raises(SettingsError, match=r"c\.yaml: 'frames' occurs twice in one block, in line 2 and in line 5"):
        load([path])
    path.write_text("base: &base {batch: 6}\ntrain:\n  frames: 3\n  coarse: {batch: 6}\n  detail: {batch: 6}\n")
    with pytest.raises(SettingsError, match="unknown setting 'base'"):
        load([path])  # equal names in different blocks are fine
