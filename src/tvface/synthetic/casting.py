"""The cast of the embedded show: each name has a fixed identity and fixed looks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tvface.head.data import HeadData
from tvface.synthetic.atlas import build_atlas
from tvface.synthetic.hair import Texture, procedural_texture
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.portrait import make_portrait
from tvface.synthetic.skin import SkinPainter
from tvface.synthetic.traits import draw_traits

# Identity codes are drawn with this standard deviation: varied people, none a caricature.
SPREAD = 0.8

# These two carry the faces of public-domain portraits; all others are painted.
PORTRAIT_OF = {"ann": "astronaut", "grace": "grace_hopper"}


@dataclass(frozen=True)
class Member:
    """A person, and the expression (E,) that their texture contains; it is added to every expression."""

    person: Person
    resting: np.ndarray


def expression_names(head: HeadData) -> list[str]:
    """Return the names of the head's expression columns.

    Raises:
        ValueError: the head is not the generic one, whose metadata names them.
    """
    names = head.notes.get("expression_names")
    if not names:
        source = head.notes.get("source")
        raise ValueError(f"the show needs the generic head, whose expressions have names; this is {source!r}")
    return list(names)


def cast_people(names: Iterable[str], head: HeadData, seed: int) -> dict[str, Member]:
    """Return the people of a show by name; the same name and seed give the same person in every episode."""
    stage = Stage(head, build_atlas(head))
    painter = SkinPainter(stage.atlas)
    people = {}
    for name in sorted(set(names)):
        if name in PORTRAIT_OF:
            portrait = make_portrait(PORTRAIT_OF[name], stage, painter)
            people[name] = Member(Person(stage, portrait.shape, portrait.texture), portrait.neutral)
            continue
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        shape = generator.normal(0, SPREAD, head.shape_basis.shape[2])
        resting = np.zeros(head.expression_basis.shape[2], np.float32)
        people[name] = Member(Person(stage, np.asarray(shape), _painted(generator, painter, head)), resting)
    return people


def _painted(generator: np.random.Generator, painter: SkinPainter, head: HeadData) -> Texture:
    """Paint a person; leads of a show do not hide their eyes behind sunglasses."""
    while True:
        seed = int(generator.integers(2**31))
        if draw_traits(seed).spectacles != "sun":
            return procedural_texture(painter, head.faces, seed)
