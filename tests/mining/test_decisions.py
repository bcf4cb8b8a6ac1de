"""What a human decided about people: reading, contradictions, obedience of the clustering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.mining.test_people import looks
from tvface.mining.decisions import Constraints, DecisionError, joined, read_decisions
from tvface.mining.people import people

TEXT = """# the sheet of 3 May
same\te1:0\te2:4   # the same hat
apart\te1:0\te1:1

name\te2:4\tKate Beckett
drop\te1:7
"""
ROWS = {("e1", 0): 0, ("e1", 1): 1, ("e1", 7): 2, ("e2", 4): 3}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "castle.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_with_its_comments(tmp_path: Path) -> None:
    constraints = Constraints(read_decisions(written(tmp_path, TEXT)), ROWS)
    assert constraints.same == [(0, 3)] and constraints.apart == [(0, 1)] and constraints.drop == [2]
    assert constraints.names == {3} and constraints.count == 4
    assert constraints.named(np.array([0, 1, 2, 0], np.int32)) == {0: "Kate Beckett"}
    assert Constraints.none().count == 0 and Constraints.none().drop == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("merge\te1:0\te1:1", r"castle.tsv:1: 'merge' is no decision; one of same, apart, name, drop"),
        ("same e1:0 e1:1", r"castle.tsv:1: 'same e1:0 e1:1' is no decision"),
        ("\nsame\te1:0", r"castle.tsv:2: 'same' takes 2 values after it, separated by tabs; found 1"),
        ("drop\te1", r"castle.tsv:1: 'e1' is no track; write episode:track"),
        ("same\te1:0\te1:0", r"castle.tsv:1: e1:0 is on both sides"),
        ("drop\te9:0", r"castle.tsv:1: there is no track e9:0"),
        ("drop\te1:0\nname\te1:0\tA", r"dropped is also joined or named"),
    ],
)
def test_wrong_lines_are_told_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DecisionError, match=message):
        Constraints(read_decisions(written(tmp_path, text)), ROWS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("same\te1:0\te2:4\napart\te1:1\te1:0", r"castle.tsv:2: e1:1 and e1:0 are to be apart, but"),
        ("name\te1:0\tA\nname\te1:1\tB", r"castle.tsv:2: e1:1 is named 'B', but line 1 names the same person 'A'"),
    ],
)
def test_contradictions_are_told_once_people_are_known(tmp_path: Path, text: str, message: str) -> None:
    constraints = Constraints(read_decisions(written(tmp_path, text)), ROWS)
    with pytest.raises(DecisionError, match=message):
        constraints.named(np.array([0, 0, 1, 0], np.int32))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DecisionError, match="is not there"):
        read_decisions(tmp_path / "no.tsv")


def test_pairs_join_through_others() -> None:
    assert joined(5, [(0, 2), (2, 4)]).tolist() == [0, 1, 0, 2, 0]
    assert joined(3, []).tolist() == [0, 1, 2]


def test_decisions_hold_inside_and_across_episodes() -> None:
    rows = np.concatenate([looks(0, 2), looks(1, 1), looks(0, 1, seed=9), looks(2, 1, seed=9)])
    episode = np.array([0, 0, 0, 1, 1])
    together = {0: np.zeros((3, 3), bool), 1: np.zeros((2, 2), bool)}

    def persons(faces: int = 9, **decided: list[tuple[int, int]]) -> list[int]:
        return people(rows, episode, np.full(5, faces), together, 0.7, 3, **decided).tolist()

    assert persons() == [0, 0, 1, 0, 2]
    assert persons(apart=[(0, 1)]) in ([0, 1, 2, 0, 3], [0, 1, 2, 1, 3])
    assert persons(apart=[(1, 3)]) == [0, 0, 1, 2, 3]
    assert persons(same=[(2, 4)]) == [0, 0, 1, 0, 1]
    assert persons(same=[(2, 0)]) == [0, 0, 0, 0, 1]
    # Short tracks keep to themselves unless a human has placed them.
    assert persons(faces=1) == [0, 1, 2, 3, 4]
    assert persons(faces=1, same=[(0, 3)]) == [0, 1, 2, 0, 3]
