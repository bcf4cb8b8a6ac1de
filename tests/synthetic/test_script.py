"""The script covers every episode, gives each two leads and moves smoothly."""

import itertools

import numpy as np
import pytest

from tvface.head.human.units import NAMES
from tvface.settings.synth import Synth
from tvface.synthetic.people.expressions import RESTING_LID
from tvface.synthetic.show.motion import perform
from tvface.synthetic.show.script import leads, write_script


@pytest.mark.parametrize("index", range(4))
def test_shots_cover_the_episode_without_gap(index):
    settings = Synth()
    shots = write_script(settings, index, seed=0)
    assert shots[0].first == 0
    for before, after in itertools.pairwise(shots):
        assert before.first + before.frames == after.first
    assert shots[-1].first + shots[-1].frames == round(settings.seconds * settings.fps)
    assert {shot.kind for shot in shots} == {"empty", "two", "single"}
    assert sum(shot.dark for shot in shots) == 1


def test_episodes_have_leads_of_their_own_and_a_visitor():
    assert not set(leads(0)) & set(leads(1))
    people = {actor.person for shot in write_script(Synth(), 1, 0) for actor in shot.actors}
    assert leads(0)[0] in people


def test_script_is_a_function_of_the_seed():
    def first(seed):
        performance = write_script(Synth(), 0, seed)[2].actors[0].performance
        return performance.joints(1.0)

    assert np.array_equal(first(3), first(3))
    assert not np.array_equal(first(3), first(4))


def test_motion_is_smooth_and_blinks_close_the_lids():
    performance = perform(np.random.default_rng(0), 6.0, (0, 0, -1), (0, 0), 1.0)
    times = np.arange(0, 6, 0.04)
    joints = np.stack([performance.joints(t) for t in times])
    assert np.abs(np.diff(joints[:, :3], axis=0)).max() < 0.12
    assert (joints[:, 6] >= 0).all() and joints[:, 6].max() <= 0.3
    lids = np.array([performance.expression(t)[NAMES.index("eyeBlinkLeft")] for t in times])
    assert lids.max() > 0.8 and np.median(lids) == pytest.approx(RESTING_LID)
