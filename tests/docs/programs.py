"""Whether a command of a page would be accepted: parsed by the program that it calls, not run."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_args

from tests.docs.pages import ROOT
from tvface.dag.stages import STAGES
from tvface.settings import SettingsError, load, merge, parse_settings, read_yaml


class Accepted(BaseException):
    """A program has accepted its command line. Not an Exception, so that no program catches it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__()
        self.arguments = arguments


def check(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the program would accept the command. The working folder is a copy of the project.

    Raises:
        AssertionError: it would not; the message is the program's.
    """
    try:
        _check(words, monkeypatch)
    except SettingsError as error:
        raise AssertionError(f"{' '.join(words)}: {error}") from error


def _check(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = words
    program = program.removeprefix(".venv/bin/")
    if program == "make":
        _make(arguments)
    elif program == "snakemake":
        _snakemake(arguments)
    elif program == "tvface":
        _tvface(arguments, monkeypatch)
    elif program == "python":
        _python(arguments, monkeypatch)
    elif program == ".ci/run":
        assert os.access(ROOT / program, os.X_OK)
    else:
        assert program in ("git", "cd", "source"), f"{program}: teach tests/docs/programs.py to check it"


def _make(arguments: list[str]) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    variables = set(re.findall(r"^(\w+) [?:]=", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    parser = argparse.ArgumentParser()
    parser.add_argument("-C")
    parser.add_argument("words", nargs="*")
    for word in parser.parse_args(arguments).words:
        name, equals, _ = word.partition("=")
        assert name in (variables if equals else targets), f"make {word}: not in the Makefile"


def _rules() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk")]
    return {name for text in texts for name in re.findall(r"^rule (\w+):", text, re.MULTILINE)}


def _snakemake(arguments: list[str]) -> None:
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            _, given = parse_args(arguments)
    except SystemExit as ended:
        raise AssertionError(f"snakemake refuses {arguments}:\n{errors.getvalue()}") from ended
    unknown = {*given.targets, *(given.set_resources or {})} - {*STAGES, *_rules(), "all"}
    assert not unknown, f"snakemake has no target or rule {unknown}"
    values = {name: yaml.safe_load(value) for name, _, value in (word.partition("=") for word in given.config or ())}
    files = [Path("config.yaml"), *map(Path, given.configfile or [])]
    merged: dict = {}
    for mapping in (*map(read_yaml, files), values):
        merged = merge(merged, mapping)
    parse_settings(merged)


def _tvface(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from tvface.cli.options import settings_of

    if arguments == ["--help"]:
        return
    given = parsed(["-m", "tvface", *arguments], monkeypatch)
    if hasattr(given, "set"):
        settings_of(given)
    elif hasattr(given, "config"):
        load(given.config)


def _python(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if arguments[:2] == ["-m", "pytest"]:
        assert all((ROOT / word).exists() for word in arguments[2:]), f"no such tests: {arguments[2:]}"
    else:
        parsed(arguments, monkeypatch)


def parsed(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """Return what ``python ARGUMENTS`` parses; the program goes no further.

    Raises:
        AssertionError: it refuses its arguments, or takes none.
    """
    module = arguments[0] == "-m"
    name, *rest = arguments[1:] if module else arguments
    assert module or (ROOT / name).is_file(), f"no file {name}"
    original = argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        raise Accepted(original(self, args, namespace))

    errors = io.StringIO()
    with monkeypatch.context() as patch, _own_modules(), contextlib.redirect_stderr(errors):
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [name, *rest])
        patch.syspath_prepend(str((ROOT / name).parent))
        try:
            if module:
                runpy.run_module(name, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(str(ROOT / name), run_name="__main__")
        except Accepted as accepted:
            return accepted.arguments
        except SystemExit as ended:
            assert ended.code == 0 and "--help" in rest, f"{name} refuses {rest}:\n{errors.getvalue()}"
            return argparse.Namespace()
    raise AssertionError(f"{name} parses no arguments: it ran")


@contextlib.contextmanager
def _own_modules() -> Iterator[None]:
    """Forget the modules that a script imports from beside it."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if Path(file).parent == ROOT / "benchmarks" and "." not in name:
            del sys.modules[name]
