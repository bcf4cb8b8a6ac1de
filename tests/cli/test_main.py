"""``tvface <command>``: its output and its errors."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tvface.assets.registry import AssetError
from tvface.cli.main import INPUT_ERRORS, main
from tvface.dag.stages import STAGES
from tvface.settings import Settings, SettingsError
from tvface.settings.files import config_text


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.yaml").write_text(config_text(Settings()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_stage_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert set(STAGES) <= set(listed)


def test_episodes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["episodes", "--set", "synth.episodes=2"]) == 0
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == ["demo_s01e01", "demo_s01e02"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["episodes", "--set", "synth.episods=2"], "unknown setting 'synth.episods': did you mean episodes"),
        (["episodes", "--set", "seed"], "--set seed: write it as name=value"),
        (["episodes", "--config", "gone.yaml"], "gone.yaml: no such configuration file"),
        (["frames", "--episode", "nope"], "no episode 'nope' in this run; there are: demo_s01e01"),
        (["faces", "--episode", "demo_s01e01"], "faces reads files that are not there: results/frames/demo_s01e01"),
        (["reconstruct", "clip.mp4", "--model", "deca"], "name the folder for the results with --out"),
        (
            ["export", "now", "gone", "--model", "deca", "--out", "o"],
            "deca/detail/weights.safetensors: no trained weights",
        ),
        (["export", "parameters", "--model", "deca", "--out", "o"], "deca.parquet is missing; run snakemake"),
        (["assets", "fetch", "flame"], "flame cannot be downloaded by a program"),
        (["assets", "fetch", "flam"], "no asset 'flam'"),
    ],
)
def test_wrong_input_is_reported_without_a_traceback(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    stderr = capsys.readouterr().err
    assert message in stderr and "Traceback" not in stderr


def test_damaged_manifest_is_reported_without_a_traceback(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("demo_s01e01.parquet", "demo_s01e01.tar"):
        path = project / "results" / "frames" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"damaged")
    assert main(["faces", "--episode", "demo_s01e01"]) == 2
    assert "not a readable manifest" in capsys.readouterr().err


def test_head_runs_as_a_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["head", "--set", "head.uv_size=32"]) == 0
    assert capsys.readouterr().out.strip() == "results/head/head.npz"
    assert (project / "results/head/head.npz").stat().st_size > 1000


def test_config_prints_the_values_in_force(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--set", "seed=7"]) == 0
    text = capsys.readouterr().out
    assert "\nseed: 7\n" in text and "\n  min_face: 24\n" in text


def test_settings_shows_what_a_configuration_changes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "mine.yaml").write_text("faces: {min_face: 40}\n")
    assert main(["settings", "settings.md", "--config", "config.yaml", "--config", "mine.yaml"]) == 0
    assert capsys.readouterr().out == "settings.md\n"
    page = (project / "settings.md").read_text(encoding="utf-8")
    assert "| default | `mine.yaml` |" in page and "| `24` | `40` |" in page


def test_assets_check_names_what_the_run_misses(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assets", "check", "--set", "landmarks.backend=fan"]) == 2
    printed = capsys.readouterr()
    assert "fan is needed because of landmarks.backend: fan" in printed.err
    assert any(line.split()[:2] == ["fan", "missing"] for line in printed.out.splitlines())


def test_every_error_of_bad_input_ends_a_command_without_a_traceback() -> None:
    """But those of commands that are modules of their own: the trainers' (`bundled`) and the converter's (`wheel`)."""
    source = Path(__file__).resolve().parents[2] / "src"
    defined = {
        (".".join(path.relative_to(source).with_suffix("").parts), node.name)
        for path in source.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    }
    handled = {(module, name) for module, name in INPUT_ERRORS.items()}
    assert handled <= defined
    elsewhere = {("tvface.bundled.samples", "SamplesError"), ("tvface.head.human.wheel", "WheelError")}
    for module, name in defined - handled - elsewhere:
        assert issubclass(getattr(importlib.import_module(module), name), SettingsError | AssetError), (module, name)
