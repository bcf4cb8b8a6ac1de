"""Nothing in the tree points where a reader cannot follow: no unpublished page, no machine's folder, no package index.

A rule that trips over an honest text is told so in ``ALLOWED``, with the reason.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[1]

# Python's own words behind a variable of the name; anything else behind the bare word is a place in a document.
_CODE = r"(?!(?:and|as|else|for|if|in|is|not|or)\b)"
_ROOTS = "Users|Volumes|cluster|data|home|media|mnt|nfs|opt|private|root|scratch|srv|tmp|var|work"
RULES = {
    "a document that is not published; name paper and equation, the original's file, or a page under docs/": (
        rf"(?<![\w.'\"\[])(?i:spec) {_CODE}[\w#]",
        r"(?<![\w/])(?:\.{0,2}/)*(?:spec|shared)/(?=\w)",
        r"(?<![\w.])docs [A-Z]\d",
        r"(?<![\w.])[A-D]\d{1,2}(?:\.\d| #\d)",
        r"(?i)\bfact sheets?\b",
    ),
    "an absolute path of a machine; name it relative to the project": (
        rf"(?<![\w./~<>{{}}$*\\-])/(?:{_ROOTS})(?![\w-])",
        r"(?<!\w)[A-Z]:(?:\\{1,2}|/(?!/))\w",
    ),
    "a package index; the user's own configuration names it": (
        r"(?i)\b(?:test\.)?pypi\.org|pythonhosted\.org|\banaconda\.(?:org|com|cloud)|\bprefix\.dev",
        r"(?i)\bdownload\.pytorch\.org/whl|\bpypi\.\w+\.\w+|\bartifactory\b|/simple/?(?=[\s'\"]|$)",
        r"(?<!no-emit-)\bindex-url\b",
    ),
}
_PAGE = re.compile(r"(?<![\w./*{}<>$-])[\w./-]*\w\.(?:md|rst)\b")
# file: what stands there, and why it may
ALLOWED = {
    ".gitignore": ("/data/", "a pattern, anchored at the root of the project"),
    "tests/media/test_archive.py": ("C:/windows", "a member of a hostile archive, which must not be written there"),
    "tests/assets/test_registry.py": ("/tmp/", "a member of a hostile archive, which must not be written there"),
    "src/tvface/networks/torchscript.py": ("/data", "the end of a member's name in TorchScript archives"),
    "tests/networks/test_torchscript.py": ("/data", "the end of a member's name in TorchScript archives"),
}
OWN = Path(__file__).relative_to(ROOT).as_posix()  # plants what must be found


def files(root: Path) -> list[Path]:
    """Return the files under version control; without git, all that no .gitignore on the way excludes."""
    if (root / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            return [path for name in listed.stdout.split("\0") if name and (path := root / name).is_file()]
    return sorted(_walk(root, [".git"]))


def _walk(folder: Path, ignored: list[str]) -> Iterator[Path]:
    patterns = folder / ".gitignore"
    if patterns.is_file():
        ignored = [*ignored, *(line for line in patterns.read_text(encoding="utf-8").splitlines() if line[:1] != "#")]
    for path in folder.iterdir():
        hidden = False
        for pattern in filter(None, ignored):
            if fnmatch(path.name, pattern.lstrip("!").strip("/")):
                hidden = not pattern.startswith("!")
        if hidden or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path, ignored)
        elif path.is_file():
            yield path


def text_of(path: Path) -> str | None:
    """Return what a file says: a text's content, the metadata of weights; None for other binary files."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="np") as held:
            return "\n".join((held.metadata() or {}).values())
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def left_overs(text: str, place: str = "") -> list[str]:
    """Return a line for every breach in a text that lies at ``place``, but for what is allowed there."""
    if place in ALLOWED:
        text = text.replace(ALLOWED[place][0], "")
    return [
        f"{place}:{text.count(chr(10), 0, match.start()) + 1}: "
        f"...{' '.join(text[max(match.start() - 30, 0) : match.end() + 50].split())}...: {what}"
        for what, patterns in RULES.items()
        for pattern in patterns
        for match in re.finditer(pattern, text)
    ]


def unknown_pages(text: str, place: str, known: set[str]) -> list[str]:
    """Return a line for every page (.md, .rst) that a text names and the project does not hold."""
    last = {Path(name).name for name in known}
    return [
        f"{place}: {page[0]}: no such page in the project"
        for page in _PAGE.finditer(text)
        if not (Path(page[0]).name == page[0] and page[0] in last) and not _leads_to(page[0], place, known)
    ]


def _leads_to(page: str, place: str, known: set[str]) -> bool:
    beside = Path("/", place).parent.joinpath(page).resolve().relative_to("/").as_posix()
    return beside in known or page in known


TREE = files(ROOT)
NAMES = {path.relative_to(ROOT).as_posix() for path in TREE}


def test_the_tree_holds_none() -> None:
    assert {"README.md", "config.yaml", "resources/weights/compact_parser.safetensors", OWN} <= NAMES
    found = []
    for path in TREE:
        name, text = path.relative_to(ROOT).as_posix(), text_of(path)
        if text is not None and name != OWN:
            found += left_overs(text, name)
            found += unknown_pages(text, name, NAMES)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "Source: spec deca.md 7.1.",
        "(spec B5.4, 5, 7, 11)",
        "weights of DECA (spec 7.2)",
        "# Spec A2 #6: no history",
        "as measured (spec temporal_encoder A1.5)",
        "names of its clips (spec/data.md B1)",
        "the real clips of ``../shared/media``",
        "see docs B3",
        "in BasicVSR++ (A1.8)",
        "section 5.3 of the fact sheet",
        "python -m tvface.bundled.crops --out /tmp/compact_crops",
        "--crops=/work/exp/crops3",
        '"start": "/home/somebody/runs/weights.safetensors"',
        "(/Users/somebody/tvface)",
        r"C:\Users\somebody",
        "D:/footage",
        "https://pypi.org/simple/torch",
        "https://files.pythonhosted.org/packages/aa/torch.whl",
        "uv pip install --index-url https://example.org/simple",
        "https://conda.anaconda.org/conda-forge",
        "--find-links https://download.pytorch.org/whl/cpu",
    ],
)
def test_a_planted_one_is_found(line: str) -> None:
    assert left_overs(f"a line before\n{line}\n", "src/tvface/planted.py")[0].startswith("src/tvface/planted.py:2: ")


@pytest.mark.parametrize(
    "line",
    [
        "model.spec.image_size, read_spec(path), ModelSpec, {MatchSpec(spec).name for spec in conda}",
        'if spec is not None and metadata["spec"] else spec.model',
        "the specification of DECA's released model; their specs parse",
        "videos=path/to/folder, DIR/work/codes, ../../media/clip.mp4, <results>/home, f'{folder}/data/{key}'",
        "#!/usr/bin/env bash and /etc/passwd",
        'print(f"{name}:\\n"); a = x[A:B]; "https://example.org/data"',
        "--generate-hashes --no-emit-index-url; channels: conda-forge; https://download.pytorch.org/models/vgg19.pth",
        "Table 1, equations 6 to 8; a shared folder; mean over B T maps, down to B2; docs/deca_differences.md",
    ],
)
def test_honest_lines_pass(line: str) -> None:
    assert not left_overs(line)


def test_pages_are_looked_up_from_the_root_and_from_beside() -> None:
    known = {"README.md", "docs/synthetic.md", "workflow/report/report.rst"}
    assert not unknown_pages("docs/synthetic.md, README.md, synthetic.md", "src/tvface/cli/main.py", known)
    assert not unknown_pages('"../workflow/report/report.rst", <weights>.md, *.md', "rules/report.smk", known)
    assert len(unknown_pages("spec/data.md, deca.md, docs/gone.md, ../README.rst", "docs/a.md", known)) == 4


def test_without_git_the_same_files_are_found(tmp_path: Path) -> None:
    for name in ("a.py", "b/c.md", ".venv/d.py", "results/e.md", "weights/f.pth", "weights/.gitignore", "data/g.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("# made\n.venv/\nresults/\n/data/\n")
    (tmp_path / "weights" / ".gitignore").write_text("*\n!.gitignore\n")
    names = [path.relative_to(tmp_path).as_posix() for path in files(tmp_path)]
    assert names == [".gitignore", "a.py", "b/c.md", "weights/.gitignore"]


def test_every_exception_is_needed() -> None:
    for name, (allowed, reason) in ALLOWED.items():
        assert reason and allowed in (text_of(ROOT / name) or ""), f"{name} no longer holds {allowed}"
        assert left_overs(text_of(ROOT / name) or "", "elsewhere"), f"{name} needs no exception any more"
