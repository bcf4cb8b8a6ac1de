"""The show: mishaps of single frames with their truth, sets, people who turn to each other and walk in."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from tvface.head.data import HeadData
from tvface.settings.synth import Synth
from tvface.synthetic.show import mishaps
from tvface.synthetic.show.casting import cast_people
from tvface.synthetic.show.film import FilmedFrame, film
from tvface.synthetic.show.mishaps import Mishap, draw_mishaps
from tvface.synthetic.show.motion import converse, perform
from tvface.synthetic.show.script import write_script

SETTINGS = Synth(seconds=8.0, width=160, height=90, fps=5.0, supersampling=1)


def frames(head: HeadData, *events: Mishap, number: int = 2) -> list[FilmedFrame]:
    """Film one shot of one person with these mishaps, and no others."""
    shot = dataclasses.replace(write_script(SETTINGS, 0, 3)[number], mishaps=events, frames=5)
    people = cast_people({actor.person for actor in shot.actors}, head, 3)
    return list(film(SETTINGS, [shot], people))


@pytest.fixture(scope="module")
def plain(head: HeadData) -> list[FilmedFrame]:
    return frames(head)


@pytest.mark.parametrize("kind", mishaps.KINDS)
def test_a_mishap_hurts_the_frames_of_its_time_alone_and_is_noted(
    head: HeadData, plain: list[FilmedFrame], kind: str
) -> None:
    event = Mishap(kind, 0.3, 0.9, 1.0, 5)  # frames at .4, .6 and .8 s
    hurt = frames(head, event)
    assert [frame.damage for frame in hurt] == ["", "", kind, kind, kind]
    for one, other in zip(hurt[:2], plain[:2], strict=True):
        np.testing.assert_array_equal(one.image, other.image)
    difference = [np.abs(a.image.astype(int) - b.image).mean() for a, b in zip(hurt, plain, strict=True)]
    assert max(difference[2:]) > 1.0
    for one, other in zip(hurt, plain, strict=True):
        np.testing.assert_array_equal(one.takes[0].points, other.takes[0].points)


def test_a_hand_takes_classes_and_visibility_away(head: HeadData, plain: list[FilmedFrame]) -> None:
    hurt = frames(head, Mishap("hand", 0.1, 0.7, 1.0, 5))  # before the face at .4 s
    covered, free = hurt[2], plain[2]
    assert covered.takes[0].visible.sum() < free.takes[0].visible.sum() - 10
    x, y = np.clip(np.round(covered.takes[0].points).astype(int).T, 0, ((159,), (89,)))
    hidden = free.takes[0].visible & ~covered.takes[0].visible
    assert (covered.labels[y, x][hidden] == 0).all() and (free.labels[y, x][hidden] > 0).mean() > 0.8


def test_mishaps_do_not_overlap_and_some_shots_have_none() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_mishaps(rng, 10.0) for _ in range(200)]
    assert 0.25 < np.mean([not events for events in drawn]) < 0.5
    assert {event.kind for events in drawn for event in events} == set(mishaps.KINDS)
    for events in drawn:
        assert all(one.end < other.start for one, other in itertools.pairwise(events))
    hurt = np.mean([bool(mishaps.named(events, time)) for events in drawn for time in np.arange(0, 10, 0.2)])
    assert 0.1 < hurt < 0.4


def test_people_turn_to_their_partner_and_come_from_the_side() -> None:
    rng = np.random.default_rng(1)
    still = perform(rng, 8.0, (0, 0, -1.0), (0.0, 0.0), 1.0)
    times = np.arange(0, 8, 0.1)
    turned = converse(still, rng, 8.0, 0.6)
    yaw = np.array([turned.joints(t)[1] - still.joints(t)[1] for t in times])
    assert 0.3 < yaw.max() < 0.9 and (yaw > 0.25).mean() > 0.2 and (np.abs(yaw) < 0.02).mean() > 0.2
    enters = dataclasses.replace(still, enters=0.8)
    aside = np.array([enters.translation(t)[0] - still.translation(t)[0] for t in times])
    assert aside[0] == pytest.approx(0.8) and (np.diff(aside) <= 1e-6).all() and np.abs(aside[20:]).max() < 1e-6


def test_the_truth_of_the_light_is_all_of_it(plain: list[FilmedFrame]) -> None:
    light = plain[0].light
    assert light.shape == (9, 3) and light[0].min() > 0
    assert np.abs(light[1:]).max() > 0.02 * light[0].mean()  # not even from all sides
