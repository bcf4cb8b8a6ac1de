"""``tvface assets check``: present, missing and damaged files of the registry, and their tensors."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.published_files import WRITERS
from tvface.assets import registry as assets
from tvface.assets.registry import registry
from tvface.cli import asset_loading
from tvface.cli.asset_check import check
from tvface.cli.main import main
from tvface.settings import Settings, parse_settings
from tvface.settings.files import config_text
from tvface.stages import head as head_stage

RESOURCES = Path(__file__).resolve().parents[2] / "resources"

# Loaded here through ``check``; the others take longer and are loaded by the tests of their networks.
QUICK = {
    "bisenet": ["191 loaded, 0 unused, 0 missing"],
    "spynet": ["60 loaded, 0 unused, 2 missing"],
    "spynet_basicsr": ["60 loaded, 0 unused, 2 missing"],
    "spynet_sniklaus": ["60 loaded, 0 unused, 2 missing"],
    "spynet_torch7_1": ["10 loaded, 0 unused, 0 missing"],
    "spynet_torch7_6": ["10 loaded, 0 unused, 0 missing"],
    "basicvsr": ["172 loaded, 103 unused, 515 missing"],
    "landmark_embedding": ["6 loaded, 0 unused, 0 missing"],
    "head_template": ["3 loaded, 1 unused, 0 missing"],
    "face_mask": ["1 loaded, 3 unused, 0 missing"],
    "face_eye_mask": ["1 loaded, 3 unused, 0 missing"],
    "fixed_displacement": ["1 loaded, 0 unused, 0 missing"],
    "dense_template": ["7 loaded, 0 unused, 0 missing"],
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder without any file; the registry has the real rows, but no checksums that filled files lack."""
    rows = list(csv.DictReader(assets.TABLE.read_text().splitlines(), delimiter="\t"))
    table = tmp_path / "assets.tsv"
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows({**row, "bytes": "", "sha256": ""} for row in rows)
    monkeypatch.setattr(assets, "TABLE", table)
    monkeypatch.setattr(assets, "ROOT", tmp_path / "elsewhere")
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    (tmp_path / "config.yaml").write_text(config_text(Settings()))
    monkeypatch.chdir(tmp_path)
    registry.cache_clear()
    yield tmp_path
    registry.cache_clear()


BUNDLED = {
    "compact_landmarks": "landmarks.backend: compact",
    "compact_parser": "masks.backend: compact",
    "human_head": "head.model: human",
    "compact_eyes": "the stage fit",
    "compact_shape": "fit.guess: 2",
    "light_prior": "the stage fit",
}
NO_WEIGHTS: list[str] = []  # but the bundled ones
for _phase, _term in (("coarse", "identity"), ("detail", "mrf")):
    NO_WEIGHTS += ["--set", f"train.{_phase}.loss_weights.{_term}=0"]


def test_every_row_has_a_loader_and_a_writer() -> None:
    registry.cache_clear()
    assert all(callable(asset_loading.loader(name)) for name in registry())
    registry()["net"] = dataclasses.replace(registry()["fan"], name="net")
    with pytest.raises(LookupError, match="nothing loads the asset 'net'"):
        asset_loading.loader("net")
    registry.cache_clear()
    assert registry().keys() - WRITERS.keys() == {
        *("compact_eyes", "compact_identity", "compact_landmarks", "compact_parser", "compact_shape"),
        *("features_deca", "features_temporal", "human_head", "light_prior"),
    }


def test_without_any_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assets", "check", *NO_WEIGHTS]) == 2
    blocks = capsys.readouterr().out
    for row in registry().values():
        needed = f"needed: {BUNDLED[row.name]}" if row.name in BUNDLED else "not needed by this run"
        assert f"\n{row.name:20} missing  {needed}\n" in f"\n{blocks}"
        for part in (row.licence, row.used_by, Path(row.file).name, row.url):
            assert part in blocks


def test_files_of_every_layout(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in QUICK:
        WRITERS[name](project / "weights" / Path(registry()[name].file).name)
    for name in BUNDLED:
        file = Path(registry()[name].file)
        shutil.copyfile(RESOURCES / file, project / "weights" / file.name)
    assert main(["assets", "check", "--json", "found.json", *NO_WEIGHTS]) == 0
    blocks = capsys.readouterr().out
    found = {entry["name"]: entry for entry in json.loads(Path("found.json").read_text())}
    assert found.keys() == registry().keys()
    for name, expected in QUICK.items():
        assert found[name]["state"] == "present" and found[name]["checksum"] == "sha256 not published"
        tensors = [
            f"{t['loaded']} loaded, {t['unused']} unused, {t['missing']} missing" for t in found[name]["tensors"]
        ]
        assert tensors == expected, name
        assert all(text in blocks for text in expected)
    for name in BUNDLED:
        (part,) = found[name]["tensors"]
        assert part["loaded"] > 7 and not part["unused"] and not part["missing"]
    assert "not yet: 'snakemake head' writes results/head/head.npz" in found["face_mask"]["converted"]
    assert "read as it is" in found["spynet"]["converted"]


def test_damaged_files_give_exit_code_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "weights"
    WRITERS["spynet"](folder / "spynet_20210409-c6c1bd09.pth")
    whole = (folder / "spynet_20210409-c6c1bd09.pth").read_bytes()
    (folder / "spynet_20210409-c6c1bd09.pth").write_bytes(whole[:100_000])
    (folder / "79999_iter.pth").write_text("<!DOCTYPE html> Quota exceeded")
    np.save(folder / "fixed_displacement_256.npy", np.zeros((3, 4)))
    assert main(["assets", "check", *NO_WEIGHTS]) == 2
    output = capsys.readouterr()
    for name, problem in (
        ("spynet", "is not a plain checkpoint"),
        ("bisenet", "this is a web page"),
        ("fixed_displacement", "expected a square map"),
    ):
        block = next(part for part in output.out.split("\n") if part.startswith(f"{name} "))
        assert block.split()[1] == "damaged" and problem in output.err
    assert "Traceback" not in output.err


def test_a_wrong_checksum_is_reported_beside_the_counts(project: Path) -> None:
    path = project / "weights" / "network-sintel-final.pytorch"
    WRITERS["spynet_sniklaus"](path)
    row = dataclasses.replace(registry()["spynet_sniklaus"], sha256="0" * 64)
    registry()["spynet_sniklaus"] = row
    status = next(found for found in check(Settings()) if found.name == row.name)
    assert status.state == "damaged" and "not the published file" in status.problem
    assert [part.loaded for part in status.tensors] == [60]


def test_conversion_is_seen(project: Path) -> None:
    from tests.head import synthetic_flame

    folder = project / "made"
    folder.mkdir()
    named, _ = synthetic_flame.write_all(folder)
    size = {"n_shape": 4, "n_expression": 3, "n_texture": 2, "uv_size": 32}
    settings = parse_settings({"head": {**named, **size}})
    head_stage.run(settings, {}, {"head": Path("results/head/head.npz")})
    found = {status.name: status for status in check(settings, load=False)}
    assert found["flame"].converted == "yes, in results/head/head.npz" and found["flame"].needed == "head.model: flame"
    (folder / "fixed.npy").write_bytes((folder / "fixed.npy").read_bytes() + b"0")
    again = {status.name: status for status in check(settings, load=False)}
    assert again["fixed_displacement"].converted.startswith("not yet")


def test_planning_a_run_of_every_file_imports_no_torch() -> None:
    """What backends, head and training need is known without importing them."""
    settings_values = {
        "head": {"model": "flame"},
        "faces": {"embedder": "inception_resnet"},
        "landmarks": {"backend": "fan"},
        "masks": {"backend": "bisenet"},
        "dataset": {"flow": {"backend": "spynet"}},
        "train": {"temporal": {"flow": "tuned"}, "warm_start": {"features": "a_{model}.safetensors"}},
    }
    program = (
        "import sys\n"
        "from tvface.settings import parse_settings\n"
        "from tvface.dag.needs import needs\n"
        f"print(' '.join(need.asset.name for need in needs(parse_settings({settings_values!r}))))\n"
        "sys.exit(next((name for name in ('torch', 'cv2', 'safetensors', 'numpy') if name in sys.modules), 0))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    files = {"flame", "inception_resnet", "fan", "bisenet", "spynet", "features", "vggface2", "vgg19"}
    assert files <= set(ran.stdout.split())


def test_parsing_the_workflow_and_help_import_no_torch() -> None:
    program = (
        "import sys, tvface.cli.main, tvface.dag.job, tvface.dag.layout, tvface.assets.registry\n"
        "import tvface.cli.asset_check\n"
        "try: tvface.cli.main.main(['assets', 'check', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(next((name for name in ('torch', 'cv2', 'safetensors') if name in sys.modules), 0))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
