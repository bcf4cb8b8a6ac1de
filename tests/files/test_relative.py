"""Stored texts name no folder of a machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tvface.files.relative import bare_path, project_path, without_absolute_paths
from tvface.manifests import Provenance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_paths_inside_and_beside_the_working_folder(project: Path) -> None:
    assert project_path(project / "results" / "a.tar") == "results/a.tar"
    assert project_path(project.parent / "footage") == "../footage"
    assert bare_path(project / "runs" / "landmarks-2") == "runs/landmarks-2"
    assert bare_path(project) == "."
    assert bare_path(project.parent / "footage" / "crops") == "crops"
    assert bare_path(project.parent / "run1" / "net.safetensors") == "run1/net.safetensors"
    assert bare_path("/etc") == "etc"


def test_paths_in_commands_and_messages_are_named_anew(project: Path) -> None:
    beside = project.parent / "run1"
    command = f"python -m x --crops {beside}/crops --start={beside}/n.safetensors --out '{beside}' # of ({beside}), a/b"
    assert without_absolute_paths(command, bare_path) == (
        "python -m x --crops crops --start=run1/n.safetensors --out 'run1' # of (run1), a/b"
    )
    message = f"{beside}/a.mp4: cannot be opened; see https://example.org/usr/a, 3 / 4 and //usr"
    assert without_absolute_paths(message) == message.replace(f"{beside}/", "../run1/")
    # White space and quotation marks end a path, and what is written still leads to the same place.
    assert without_absolute_paths(f"{project}/o'clock/a b") == "o'clock/a b"
    assert without_absolute_paths(f"{project}s/a b, {project}") == "../my projects/a b, ."


def test_values_of_every_shape_are_searched_and_the_rest_is_kept() -> None:
    value = {"a": ["/etc", 1, None], "b": {"c": ("x", "/etc/passwd")}, "d": 0.5, "e": True}
    assert without_absolute_paths(value, bare_path) == {
        "a": ["etc", 1, None],
        "b": {"c": ("x", "passwd")},
        "d": 0.5,
        "e": True,
    }
    assert value["a"] == ["/etc", 1, None], "the argument is not changed"


def test_provenance_holds_relative_paths(project: Path) -> None:
    outside = project.parent / "clips"
    provenance = Provenance(
        "frames",
        {"videos": [str(outside), "show"], "head": {"flame": str(project / "resources" / "f.pkl")}},
        notes={"unreadable": {"a": f"{outside}/a.mp4: no video"}},
    )
    assert provenance.settings == {"videos": ["../clips", "show"], "head": {"flame": "resources/f.pkl"}}
    assert provenance.notes == {"unreadable": {"a": "../clips/a.mp4: no video"}}
    assert str(project.parent) not in json.dumps([provenance.settings, provenance.notes])
