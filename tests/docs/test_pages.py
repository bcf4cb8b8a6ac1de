"""The pages for users: their commands are accepted, their links, settings and files exist."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT, Page, all_pages
from tests.docs.programs import check
from tvface.settings import Settings, as_mapping, parse_settings

PAGES = all_pages()
COMMANDS = [
    pytest.param(page, words, id=f"{page}: {' '.join(words)}"[:100]) for page in PAGES for words in page.commands()
]
BLOCKS = {field.name for field in dataclasses.fields(Settings)}
FILES = re.compile(r"(?:src|tests|benchmarks|docs|rules|workflow|resources|envs|\.ci|\.github)/[\w./-]+")
# Made by a run, or put there by the user.
MADE = ("resources/licensed/", "resources/weights/")
SUFFIXES = (".parquet", ".tar", ".json", ".tsv", ".npz", ".html")


def _dotted(mapping: dict, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all blocks and settings."""
    for name, value in mapping.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{name}.")


SETTINGS = list(_dotted(as_mapping(Settings())))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the project's configurations."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    (tmp_path / "slurm").symlink_to("workflow/profiles/slurm")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "words"), COMMANDS)
def test_commands_are_accepted(page: Page, words: list[str], project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "mine.yaml").write_text("\n".join(page.blocks("yaml")[:1]), encoding="utf-8")
    check(words, monkeypatch)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("tvface faces --episode x --colour red", "unrecognized arguments: --colour red"),
        ("tvface episodes --set faces.min_fase=3", "did you mean min_face"),
        ("tvface episodes --config gone.yaml", "no such configuration file"),
        ("tvface nothing", "invalid choice: 'nothing'"),
        ("snakemake --cores 2 datasets", "no target or rule {'datasets'}"),
        ("snakemake --cores 2 --config faces='{min_fase: 3}'", "did you mean min_face"),
        ("snakemake --cores 2 --configfile workflow/configs/gone.yaml", "gone.yaml"),
        ("snakemake --cores 2 --set-resources face:runtime=240", "no target or rule {'face'}"),
        ("snakemake --colours 2", "unrecognized arguments: --colours"),
        ("make everything", "make everything: not in the Makefile"),
        ("make COLOURS=2 demo", "make COLOURS=2: not in the Makefile"),
        ("python benchmarks/gone.py", "no file benchmarks/gone.py"),
        ("python benchmarks/recaps.py clips --colour red", "unrecognized arguments: --colour red"),
        ("python -m pytest tests/gone", "no such tests"),
        ("rm -r results", "teach tests/docs/programs.py"),
    ],
)
def test_wrong_commands_are_refused(wrong: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.md"
    path.write_text(f"```bash\n{wrong}\n```\n")
    [words] = Page(path).commands()
    with pytest.raises(AssertionError, match=re.escape(message)):
        check(words, monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links():
        file, _, anchor = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.exists(), f"{page}: no file {file}"
        assert target.is_relative_to(ROOT)
        assert not anchor or anchor in Page(target).anchors(), f"{page}: no heading #{anchor} in {target.name}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_settings_exist_with_the_values_named(page: Page) -> None:
    for name in page.names():
        match = re.fullmatch(r"([a-z_]+(?:\.(?:[a-z_0-9]+|<phase>|\*))+)(?:: (.+))?", name)
        if not match or match[1].split(".")[0] not in BLOCKS or name.endswith(SUFFIXES):
            continue
        if str(page) == "CHANGELOG.md":  # tells of former names
            continue
        pattern = re.escape(match[1]).replace(r"\*", r"\w+").replace("<phase>", "(?:pretrain|coarse|detail)")
        assert any(re.fullmatch(pattern, setting) for setting in SETTINGS), (
            f"{page}: no `{match[1]}`; {_near(match[1])}"
        )
        if match[2] and "<" not in name and "*" not in name:
            parse_settings(_nested(match[1], yaml.safe_load(match[2])))


def _near(dotted: str) -> str:
    return f"did you mean {' or '.join(difflib.get_close_matches(dotted, SETTINGS, cutoff=0))}?"


def _nested(dotted: str, value: object) -> dict:
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_exist(page: Page) -> None:
    for name in page.names():
        if FILES.fullmatch(name) and not name.startswith(MADE) and "mine" not in name:
            assert (ROOT / name).exists(), f"{page}: no file {name}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_code_of_the_project_exists(page: Page) -> None:
    """Names such as ``tvface.networks.files`` in backticks, and the imports of Python examples."""
    imports = [
        f"{node.module}.{alias.name}"
        for block in page.blocks("python")
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    for name in [*imports, *(name for name in page.names() if re.fullmatch(r"tvface(\.\w+)+", name))]:
        _resolve(name)


def _resolve(name: str) -> None:
    parts = name.split(".")
    value = importlib.import_module(parts[0])
    for index, part in enumerate(parts[1:], 2):
        if not hasattr(value, part):
            importlib.import_module(".".join(parts[:index]))
        value = getattr(value, part)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_configurations_parse(page: Page) -> None:
    for block in page.blocks("yaml"):
        parse_settings(yaml.safe_load(block))


def test_the_readme_fits_a_screen_or_two() -> None:
    assert len(Page(ROOT / "README.md").text.splitlines()) <= 90


def test_the_index_lists_every_page() -> None:
    index = Page(ROOT / "docs" / "README.md")
    pages = {page.path for page in PAGES if page.path.parent == index.path.parent} - {index.path}
    assert pages == {
        path for link in index.links() if (path := (index.path.parent / link).resolve()).parent == ROOT / "docs"
    }


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    text = Page(ROOT / "CHANGELOG.md").text
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
