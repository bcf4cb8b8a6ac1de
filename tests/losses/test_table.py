"""The table of losses: its rows are whole, and everything that goes by it agrees with it."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from tvface.assets.registry import registry
from tvface.dag.code import closure
from tvface.losses.table import TERMS, Term, terms_of
from tvface.settings.model import Train
from tvface.settings.phases import PHASES
from tvface.training import loss_networks, phases

LOSSES = Path(__file__).resolve().parents[2] / "src" / "tvface" / "losses"
# Not a loss; what two losses share; an option of DECA that has no setting.
NO_TERMS = {"__init__", "table", "pairs", "jaw"}


def test_names_are_unique_and_phases_exist() -> None:
    assert len({term.name for term in TERMS}) == len(TERMS)
    assert {phase for term in TERMS for phase in term.phases} == set(PHASES) == set(phases.PHASES)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_every_row_resolves(term: Term) -> None:
    function = term.load()
    assert function.__module__ == term.function.partition(":")[0]
    parameters = inspect.signature(function).parameters.values()
    needed = [parameter for parameter in parameters if parameter.default is parameter.empty]
    assert len(needed) == len(term.takes)
    for phase in term.phases:
        inputs = phases.PHASES[phase].inputs
        known = set(dir(inputs)) | set(inspect.get_annotations(inputs)) | {"codes"}
        assert {name.partition(".")[0] for name in term.takes} <= known
        assert term.times is None or term.times in {other.name for other in terms_of(phase)}


@pytest.mark.parametrize("phase", PHASES)
def test_every_term_has_a_weight_in_the_settings_of_its_phases_and_there_are_no_others(phase: str) -> None:
    loss_weights = getattr(Train(), phase).loss_weights
    assert [field.name for field in dataclasses.fields(loss_weights)] == [term.name for term in terms_of(phase)]
    others = {term.name for term in TERMS} - {term.name for term in terms_of(phase)}
    assert set(loss_weights.ELSEWHERE) == others, "a term of another phase is told by that phase"


def test_every_file_of_losses_stands_in_the_table() -> None:
    files = {path.stem for path in LOSSES.glob("*.py")} - NO_TERMS
    assert {term.function.partition(":")[0] for term in TERMS} == {f"tvface.losses.{name}" for name in files}


def test_networks_are_registered_and_can_be_loaded() -> None:
    networks = {term.network for term in TERMS if term.network}
    assert networks <= set(registry()) and networks == set(loss_networks._LOADERS)


def test_functions_in_words_count_for_the_digest_of_the_training() -> None:
    assert {term.function.partition(":")[0] for term in TERMS} <= closure("tvface.stages.train")


def test_the_table_is_read_without_torch() -> None:
    code = "import sys, tvface.losses.table, tvface.dag.training_needs; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
