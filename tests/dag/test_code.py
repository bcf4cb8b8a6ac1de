"""The digest of a stage's code: which edits change it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tvface.dag import code
from tvface.dag.code import closure, code_digest
from tvface.dag.stages import STAGES, stage_code, stage_settings
from tvface.settings import Settings, parse_settings
from tvface.settings.phases import MODELS, PHASES

MODULES = {
    "__init__.py": "",
    "stages/__init__.py": "",
    "stages/faces.py": "from tvface.stages import base\nfrom tvface.media.images import a\nimport tvface.mathematics",
    "stages/frames.py": "def run():\n    from tvface.media import images\n",
    "dag/provenance.py": "import tvface.settings\n",
    "settings/__init__.py": "",
    "media/__init__.py": "from . import images\n",
    "media/images.py": "from ..mathematics import root\n",
    "mathematics.py": "root = 2\n",
    "unused.py": "",
    "detectors/__init__.py": "",
    "detectors/mtcnn.py": "",
    "detectors/other.py": "import tvface.unused\n",
}


TRAININGS = [f"{model}/{phase}" for model in MODELS for phase in PHASES]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = tmp_path / "tvface"
    for name, text in MODULES.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code, "SOURCE", source)
    code._imports.cache_clear()
    code._named.cache_clear()
    yield source
    code._imports.cache_clear()
    code._named.cache_clear()


def test_closure_follows_all_kinds_of_imports(tree: Path) -> None:
    assert closure("tvface.stages.faces", {"detectors": "mtcnn"}) == {
        "tvface",
        "tvface.stages",
        "tvface.stages.faces",
        "tvface.media",
        "tvface.media.images",
        "tvface.mathematics",
        "tvface.detectors",
        "tvface.detectors.mtcnn",
    }
    assert "tvface.media.images" in closure("tvface.stages.frames"), "imports inside functions count"


def test_closure_follows_functions_in_words_where_they_are_called(tree: Path) -> None:
    (tree / "stages/frames.py").write_text('ROWS = ("tvface.unused:function", "tvface.nowhere:function")\n')
    assert "tvface.unused" in closure("tvface.stages.frames")
    assert "tvface.unused" not in closure("tvface.stages.frames", words=False)


def test_edit_changes_and_revert_restores(tree: Path) -> None:
    before = code_digest("tvface.stages.faces")
    path = tree / "mathematics.py"
    text = path.read_text()
    path.write_text("root = 3\n")
    assert code_digest("tvface.stages.faces") != before
    path.write_text(text)
    assert code_digest("tvface.stages.faces") == before


def test_touch_and_unrelated_edits_change_nothing(tree: Path) -> None:
    before = code_digest("tvface.stages.faces", {"detectors": "mtcnn"})
    os.utime(tree / "mathematics.py", (1, 1))
    for name in ("unused.py", "detectors/other.py", "settings/__init__.py", "dag/provenance.py"):
        (tree / name).write_text("changed = 1\n")
    assert code_digest("tvface.stages.faces", {"detectors": "mtcnn"}) == before


def test_a_new_import_is_followed(tree: Path) -> None:
    before = code_digest("tvface.stages.frames")
    os.utime(tree / "stages/frames.py", (1, 1))
    (tree / "stages/frames.py").write_text("import tvface.unused\n")
    first = code_digest("tvface.stages.frames")
    (tree / "unused.py").write_text("x = 1\n")
    assert len({before, first, code_digest("tvface.stages.frames")}) == 3


def test_data_files_count_where_the_stage_reads_them(tree: Path) -> None:
    template = tree / "media" / "page.j2"
    template.write_text("a")
    with_data, without = code_digest("tvface.stages.frames", data=["tvface.media"]), code_digest("tvface.stages.frames")
    template.write_text("b")
    assert code_digest("tvface.stages.frames", data=["tvface.media"]) != with_data
    assert code_digest("tvface.stages.frames") == without


def test_chosen_backend_counts(tree: Path) -> None:
    first, second = (code_digest("tvface.stages.faces", {"detectors": name}) for name in ("mtcnn", "other"))
    assert first != second


def test_every_stage_of_the_table_has_rule_script_and_settings() -> None:
    root = Path(__file__).resolve().parents[2]
    for name in STAGES:
        assert (root / "rules" / f"{name}.smk").is_file()
        assert (root / "workflow" / "scripts" / f"{name}.py").is_file()
        assert len(stage_code(name, Settings())) == 16


def test_real_closures_hold_their_own_code() -> None:
    copied = closure("tvface.stages.frames")
    assert {"tvface.stages.frames", "tvface.manifests.frames", "tvface.media.tarstore"} <= copied
    assert not any(name.startswith(("tvface.networks", "tvface.training")) for name in copied)


@pytest.mark.parametrize(
    ("change", "affected"),
    [
        ({"temporal": {"blocks": 3}}, {("temporal", phase) for phase in PHASES}),
        ({"residual": {"attention": 0}}, {("residual", phase) for phase in PHASES}),
        ({"deca": {"width": 32}}, {("deca", phase) for phase in PHASES}),
        ({"detail": {"steps": 7}}, {(model, "detail") for model in MODELS}),
        ({"coarse": {"loss_weights": {"eye": 2.0}}}, {(model, "coarse") for model in MODELS}),
        ({"frames": 3}, {(model, phase) for model in MODELS for phase in PHASES}),
        ({"checkpoint_every": 7, "keep_checkpoints": 1, "models": ["deca"], "threads": 1}, set()),
        ({"warm_start": {"resnet50": "a.pth"}}, {(model, "pretrain") for model in MODELS}),
        ({"warm_start": {"basicvsr": "a.pth"}}, {("temporal", "pretrain")}),
    ],
)
def test_train_settings_hold_only_what_decides(change: dict[str, object], affected: set[tuple[str, str]]) -> None:
    old, new = (
        {s: stage_settings("train", of, s) for s in TRAININGS} for of in (Settings(), parse_settings({"train": change}))
    )
    assert {tuple(shard.split("/")) for shard in TRAININGS if old[shard] != new[shard]} == affected


def test_copied_tree_has_the_same_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = code_digest("tvface.stages.frames")
    shutil.copytree(code.SOURCE, tmp_path / "tvface", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "SOURCE", tmp_path / "tvface")
    assert code_digest("tvface.stages.frames") == original
