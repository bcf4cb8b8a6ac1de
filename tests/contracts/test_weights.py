"""The files checked before the first job are those loaded later; one file with one row makes a backend with weights."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.published_files import WRITERS
from tvface import landmarkers
from tvface.assets import registry as assets
from tvface.assets.backends import Declared, declared
from tvface.assets.head_needs import located as head_files
from tvface.assets.registry import AssetError, MissingAsset
from tvface.cli import asset_loading
from tvface.dag.job import require_planned
from tvface.dag.needs import needs, require
from tvface.flow import create
from tvface.networks.bundles import LANDMARKS, save_bundle
from tvface.networks.compact import CompactLandmarks
from tvface.settings import Settings, SettingsError, parse_settings

MINE = '''
import numpy as np
import torch
from tvface.landmarkers.base import Landmarker
from tvface.assets.reports import LoadReport


class Backend(Landmarker):
    """Every point lies where the file says, in parts of the box."""

    needs = ("mine",)

    def __init__(self, settings, device):
        (self.places,) = self.load_needs(settings)

    @classmethod
    def load(cls, path):
        places = torch.load(path, weights_only=True)["places"]
        return places.numpy(), LoadReport(str(path), ("places",), (), ())

    def find(self, crops, boxes):
        corner, side = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
        return corner + self.places * side, np.ones((len(crops), 68))
'''
ROW = (
    "mine",
    "weights/mine.pt",
    "https://example.org/mine.pt",
    "",
    "",
    "",
    "CC0",
    "no",
    "landmarks.backend: mine",
    "",
    "",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of shared weights, in another working folder; the registry is the real one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(tmp_path / "shared"))
    assets.registry.cache_clear()
    yield tmp_path / "shared"
    assets.registry.cache_clear()


def digest_when_made(settings: Settings) -> str:
    (value,) = landmarkers.create("compact", settings.landmarks).weights.values()
    return value


def test_another_file_of_the_same_name_in_the_shared_folder_is_checked_and_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    (bundled,) = require(settings, "landmarks", "show_e1")
    assert digest_when_made(settings) == assets.sha256(bundled)
    torch.manual_seed(0)
    save_bundle(folder / LANDMARKS, CompactLandmarks(), 64, 1.5, {"another": "training"})
    assert require(settings, "landmarks", "show_e1") == [folder / LANDMARKS]
    assert digest_when_made(settings) == assets.sha256(folder / LANDMARKS) != assets.sha256(bundled)
    monkeypatch.delenv(assets.FOLDER_VARIABLE)
    assert require(settings, "landmarks", "show_e1") == [bundled]
    assert digest_when_made(settings) == assets.sha256(bundled)


def test_what_is_cut_short_is_refused_by_the_check_and_by_the_load(folder: Path) -> None:
    save_bundle(folder / LANDMARKS, CompactLandmarks(), 64, 1.5, {})
    (folder / LANDMARKS).write_bytes((folder / LANDMARKS).read_bytes()[:-9])
    with pytest.raises(AssetError, match="cut short"):
        require(Settings(), "landmarks", "show_e1")
    with pytest.raises(AssetError, match="cut short"):
        landmarkers.create("compact", Settings().landmarks)


def test_a_setting_at_its_default_finds_the_shared_folder_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tvface assets fetch` puts files there: the run must not look at the default path alone."""
    rows = assets.registry()
    rows |= {name: dataclasses.replace(row, size=None, sha256="") for name, row in rows.items()}
    settings = parse_settings({"head": {"model": "flame"}, "dataset": {"flow": {"backend": "spynet"}}})
    WRITERS["spynet"](folder / Path(rows["spynet"].file).name)
    (path,) = require(settings, "dataset", "show_e1")
    assert path.parent == folder
    assert create("spynet", settings.dataset.flow).weights == {path.name: assets.sha256(path)}
    for row, head_path in head_files(settings.head).values():
        shutil.copyfile(path, folder / Path(row.file).name)  # what it holds does not matter
        assert head_path == folder / head_path.name
    assert {need.path for need in needs(settings, "head")} == {path for _, path in head_files(settings.head).values()}


def test_a_job_that_would_load_another_file_than_was_checked_stops(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bundle(folder / LANDMARKS, CompactLandmarks(), 64, 1.5, {})
    planned = require(Settings(), "landmarks", "show_e1")
    require_planned("landmarks", Settings(), "show_e1", planned)
    require_planned("sequences", Settings(), "show_e1", [])
    monkeypatch.delenv(assets.FOLDER_VARIABLE)
    with pytest.raises(
        AssetError, match=r"planned with .*shared.*this job would load .*TVFACE_WEIGHTS is not set here"
    ):
        require_planned("landmarks", Settings(), "show_e1", planned)
    with pytest.raises(AssetError, match="planned with no weight file"):
        require_planned("landmarks", Settings(), "show_e1", [])


@pytest.fixture
def mine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new backend: one file beside the registered ones, and one row."""
    written = folder.parent / "backends" / "mine.py"
    written.parent.mkdir()
    written.write_text(MINE)
    monkeypatch.setattr(landmarkers, "__path__", [*landmarkers.__path__, str(written.parent)])
    monkeypatch.delitem(sys.modules, "tvface.landmarkers.mine", raising=False)  # another test's
    table = folder.parent / "assets.tsv"
    table.write_text(assets.TABLE.read_text().rstrip("\n") + "\n" + "\t".join(ROW) + "\n")
    monkeypatch.setattr(assets, "TABLE", table)
    assets.registry.cache_clear()
    return written


def test_one_file_and_one_row_make_a_backend_with_weights(mine: Path, folder: Path) -> None:
    settings = parse_settings({"landmarks": {"backend": "mine"}})
    assert landmarkers.available() == ["compact", "fan", "mine"]
    with pytest.raises(MissingAsset) as caught:
        require(settings, "landmarks", "show_e1")
    for part in (
        f"- mine (stage landmarks, because of landmarks.backend: mine): {folder / 'mine.pt'} is missing",
        "licence: CC0",
        "https://example.org/mine.pt",
        "without it: landmarks.backend: compact or fan",
    ):
        assert part in str(caught.value)
    with pytest.raises(MissingAsset, match=r"mine\.pt is missing"):
        landmarkers.create("mine", settings.landmarks)
    torch.save({"places": torch.full((68, 2), 0.5)}, folder / "mine.pt")
    assert require(settings, "landmarks", "show_e1") == [folder / "mine.pt"]
    landmarker = landmarkers.create("mine", settings.landmarks)
    assert landmarker.weights == {"mine.pt": assets.sha256(folder / "mine.pt")}
    points, _ = landmarker.locate(np.zeros((1, 8, 8, 3), np.uint8), np.array([[0, 0, 4, 8]]))
    np.testing.assert_array_equal(points[0, 5], [2, 4])
    (report,) = asset_loading.loader("mine")(folder / "mine.pt")
    assert report.loaded == ("places",)


def test_what_a_backend_needs_is_read_without_importing_it(mine: Path) -> None:
    mine.write_text("raise RuntimeError('imported')\n" + MINE)
    assert declared("landmarkers", "mine") == Declared(("mine",))
    (need,) = needs(parse_settings({"landmarks": {"backend": "mine"}}), "landmarks")
    assert need.asset.name == "mine"
    mine.write_text(MINE.replace('("mine",)', 'tuple(["mine"])'))
    with pytest.raises(TypeError, match=r"mine\.py, line \d+: needs of a backend is read without running it"):
        declared("landmarkers", "mine")
    with pytest.raises(SettingsError, match=r"'mime' is not registered; valid: compact, fan, mine"):
        declared("landmarkers", "mime")
