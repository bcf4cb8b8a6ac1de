"""Who the synthetic people are: bone and looks of one nature."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tvface.head.data import HeadData
from tvface.synthetic.people.population import Nature, Population
from tvface.synthetic.people.traits import draw_traits


def test_people_come_from_the_table_and_vary(head: HeadData) -> None:
    population = Population(head)
    rng = np.random.default_rng(0)
    drawn = [population.draw(rng) for _ in range(400)]
    codes = np.stack([code for code, _ in drawn])
    assert codes.shape == (400, 100) and codes.std(0) == pytest.approx(1.0, abs=0.15)
    assert 0.4 < np.mean([nature.man for _, nature in drawn]) < 0.6
    assert min(nature.age for _, nature in drawn) >= 25


def test_one_who_resembles_another_has_the_sex_and_nearly_the_age(head: HeadData) -> None:
    population = Population(head)
    rng = np.random.default_rng(1)
    old = Nature(0.1, 70.0, 0.0, 0.9, 0.1)
    alike = [population.draw_like(old, rng)[1] for _ in range(60)]
    assert not any(nature.man for nature in alike)
    assert np.mean([abs(nature.age - 70) for nature in alike]) < 12
    assert np.mean([nature.asian for nature in alike]) > 0.5


def test_people_to_train_with_and_to_test_on_share_nobody(head: HeadData) -> None:
    everyone, train, test = (Population(head, part) for part in ("all", "train", "test"))
    assert len(train.codes) + len(test.codes) == len(everyone.codes) and len(test.codes) == len(everyone.codes) // 8
    rows = [{tuple(code) for code in part.codes} for part in (train, test)]
    assert not rows[0] & rows[1]
    # However a code is jittered, its nearest row is of its own part.
    rng = np.random.default_rng(2)
    drawn = np.stack([test.draw(rng)[0] for _ in range(100)])
    nearest = np.linalg.norm(everyone.codes[None] - drawn[:, None], axis=-1).argmin(1)
    assert {tuple(everyone.codes[row]) for row in nearest} <= rows[1]
    with pytest.raises(ValueError, match="part 'half' of the people: valid are all, train, test"):
        Population(head, "half")


def test_another_head_is_refused(head: HeadData) -> None:
    with pytest.raises(ValueError, match=r"need head\.model: human; this head is 'flame'"):
        Population(dataclasses.replace(head, meta='{"source": "flame", "licence": "x"}'))


def test_looks_agree_with_the_nature() -> None:
    african, caucasian = Nature(1.0, 30.0, 1.0, 0.0, 0.0), Nature(1.0, 30.0, 0.0, 0.0, 1.0)
    dark, light = ([draw_traits(seed, nature) for seed in range(60)] for nature in (african, caucasian))
    assert min(t.darkness for t in dark) > np.mean([t.darkness for t in light])
    assert max(np.mean(t.hair_colour) for t in dark) < 0.25 < max(np.mean(t.hair_colour) for t in light)
    women = [draw_traits(seed, dataclasses.replace(caucasian, male=0.0)) for seed in range(60)]
    assert not any(t.beard or t.moustache or t.stubble for t in women) and any(t.beard or t.stubble for t in light)
    old = [draw_traits(seed, dataclasses.replace(caucasian, age=78.0)) for seed in range(60)]
    assert (
        np.mean([np.ptp(t.hair_colour) < 0.1 for t in old])
        > 0.5
        > np.mean([np.ptp(t.hair_colour) < 0.1 for t in light])
    )
