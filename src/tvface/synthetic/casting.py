"""The cast of the embedded show: each name has its own, fixed identity and looks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from tvface.head.data import HeadData
from tvface.synthetic.atlas import build_atlas
from tvface.synthetic.hair import Texture, procedural_texture
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.skin import SkinPainter
from tvface.synthetic.traits import draw_traits

# Identity codes are drawn with this standard deviation: varied people, none a caricature.
SPREAD = 0.8


def expression_names(head: HeadData) -> list[str]:
    """Return the names of the head's expression columns.

    Raises:
        ValueError: the head is not the generic one, whose metadata names them.
    """
    names = head.notes.get("expression_names")
    if not names:
        raise ValueError(
            f"the show needs the generic head, whose expressions have names; this is {head.notes.get('source')!r}"
        )
    return list(names)


def cast_people(names: Iterable[str], head: HeadData, seed: int) -> dict[str, Person]:
    """Return the people of a show by name; the same name and seed give the same person in every episode."""
    stage = Stage(head, build_atlas(head))
    painter = SkinPainter(stage.atlas)
    people = {}
    for name in sorted(set(names)):
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        texture = _procedural(generator, painter, head)
        people[name] = Person(stage, generator.normal(0, SPREAD, head.shape_basis.shape[2]), texture)
    return people


def _procedural(generator: np.random.Generator, painter: SkinPainter, head: HeadData) -> Texture:
    """Paint a person; leads of a show do not hide their eyes behind sunglasses."""
    while True:
        seed = int(generator.integers(2**31))
        if draw_traits(seed).spectacles != "sun":
            return procedural_texture(painter, head.faces, seed)
