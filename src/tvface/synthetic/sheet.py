"""A sheet of the synthetic people for visual checks: identities, one face from all sides, expressions, ages.

    python -m tvface.synthetic.sheet docs/people.jpg

The rows: people of the training crops; one of them turned from profile to profile; expressions; a young and an old face
under the same movements, with their folds.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tvface.head import human
from tvface.media import drawing
from tvface.settings.model import Head
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.people.expressions import MIMES, RESTING_LID
from tvface.synthetic.people.face_units import JAW, code_of
from tvface.synthetic.people.traits import draw_traits
from tvface.synthetic.people.variety import vary
from tvface.synthetic.person import Person
from tvface.synthetic.render.light import directional_light, expose
from tvface.synthetic.render.scene import Camera, render_scene

SIDE = 224
COLUMNS = 9
DISTANCE = 1.6  # metres
YAWS = (-90, -60, -40, -20, 0, 20, 40, 60, 90)
EXPRESSIONS = ("smile", "grin", "laugh", "roar", "ah", "ee", "oo", "mm", "surprise")
MORE = ("anger", "disgust", "sadness", "smirk", "kiss", "puffed", "squinting", "asleep", "yawn")
MOVEMENTS = ("rest", "surprise", "anger", "grin")


class Studio:
    """Render people before a grey wall in one light."""

    def __init__(self) -> None:
        self.maker = CropMaker(human.build(Head()), SIDE)
        self.light = directional_light(np.array([0.5, 0.7, 0.8]), 0.5, 0.7, np.ones(3), np.ones(3))

    def person(self, seed: int, **traits: object) -> Person:
        """Return the person of a seed, with other ``traits``."""
        rng = np.random.default_rng([seed, 0x5EE7])
        if not traits:
            return self.maker.person(rng)
        shape, nature = self.maker.population.draw(rng)
        looks = dataclasses.replace(vary(draw_traits(seed, nature)), **traits)  # type: ignore[arg-type]
        return Person(
            self.maker.stage, shape, procedural_texture(self.maker.painter, self.maker.stage.head.faces, seed, looks)
        )

    def take(self, person: Person, mime: str = "rest", yaw: float = 0.0) -> np.ndarray:
        """Return the picture (SIDE, SIDE, 3) uint8 of a person in one of :data:`MIMES`, ``yaw`` in degrees."""
        code = code_of({"lid": RESTING_LID, **MIMES[mime][1]})
        joints = np.zeros(15)
        joints[1], joints[6] = np.radians(yaw), code[JAW] * self.maker.jaw_open
        code[JAW] = 0
        posed = person.place(code, joints, np.array([0.0, 0.0, -DISTANCE]))
        light = expose(self.light, np.array(person.texture.traits.skin), 0.5)
        camera = Camera(SIDE * DISTANCE / 0.27, SIDE, SIDE, (SIDE / 2, SIDE * 0.5))
        return render_scene([posed], camera, light, np.full((SIDE, SIDE, 3), 128, np.uint8), 3).image


def sheet(studio: Studio | None = None) -> np.ndarray:
    """Return the sheet, RGB uint8."""
    studio = studio or Studio()
    pictures: list[np.ndarray] = []
    captions: list[str] = []

    def add(caption: str, picture: np.ndarray) -> None:
        captions.append(caption)
        pictures.append(picture)

    turns = (0, -20, 25, 0, -35, 10, 0, 40, -10)
    for k, turn in enumerate(turns * 3):
        person = studio.person(k)
        nature = person.texture.traits.nature
        add(f"{'man' if nature.man else 'woman'} {nature.age:.0f}", studio.take(person, yaw=turn))
    plain = {"spectacles": "", "hat": "", "beard": 0.0, "moustache": 0.0}
    one = studio.person(21, **plain)
    for yaw in YAWS:
        add(f"yaw {yaw}", studio.take(one, yaw=yaw))
    for name in EXPRESSIONS:
        add(name, studio.take(one, name))
    other = studio.person(4, **plain)
    for name in MORE:
        add(name, studio.take(other, name))
    for age in (0.05, 0.95):
        aged = studio.person(21, **plain, age=age)
        for movement in MOVEMENTS:
            add(f"age {age:.2f} {movement}", studio.take(aged, movement))
    add("yawn", studio.take(one, "yawn"))
    return drawing.contact_sheet(pictures, captions, COLUMNS, (SIDE, SIDE))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m tvface.synthetic.sheet", description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    stored = cv2.imwrite(str(options.out), sheet()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not stored:
        raise SystemExit(f"{options.out}: could not be written; its folder must exist and its name end in .jpg or .png")


if __name__ == "__main__":
    main()
