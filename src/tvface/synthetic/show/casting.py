"""The cast of the embedded show: each name has a fixed identity and fixed looks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from tvface.head.data import HeadData
from tvface.synthetic.atlas import build_atlas
from tvface.synthetic.hair.texture import Texture, procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.population import Nature, Population
from tvface.synthetic.people.traits import draw_traits
from tvface.synthetic.people.variety import vary
from tvface.synthetic.person import Person, Stage


def cast_people(names: Iterable[str], head: HeadData, seed: int) -> dict[str, Person]:
    """Return the people of a show by name; the same name and seed give the same person in every episode.

    Raises:
        ValueError: the head is not the human one.
    """
    population = Population(head)
    stage = Stage(head, build_atlas(head))
    painter = SkinPainter(stage.atlas)
    people = {}
    for name in sorted(set(names)):
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        shape, nature = population.draw(generator)
        people[name] = Person(stage, shape, _painted(generator, nature, painter, head))
    return people


def _painted(generator: np.random.Generator, nature: Nature, painter: SkinPainter, head: HeadData) -> Texture:
    """Paint a person; leads of a show do not hide their eyes behind sunglasses."""
    while True:
        seed = int(generator.integers(2**31))
        traits = vary(draw_traits(seed, nature))
        if traits.spectacles != "sun":
            return procedural_texture(painter, head.faces, seed, traits)
