"""A sheet of the synthetic people for visual checks: identities, one face from all sides, expressions, ages.

    python -m tvface.synthetic.sheet docs/people.jpg

The rows: people of the training crops; people as in the show; one of them turned from profile to profile; the named
expressions at full strength; a young and an old face under the same movements, with their folds.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tvface.head import generic
from tvface.head.data import HeadData
from tvface.media import drawing
from tvface.settings.model import Head
from tvface.synthetic.crops import CropMaker
from tvface.synthetic.hair import procedural_texture
from tvface.synthetic.light import directional_light, expose
from tvface.synthetic.person import Person
from tvface.synthetic.scene_render import Camera, render_scene
from tvface.synthetic.traits import draw_traits

SIDE = 224
COLUMNS = 9
DISTANCE = 1.6  # metres
YAWS = (-90, -60, -40, -20, 0, 20, 40, 60, 90)
EXPRESSIONS = ("smile", "frown", "pucker", "lip_up", "press", "brow_up", "brow_furrow", "cheek_puff", "lid_L")
MOVEMENTS = ("", "brow_up", "brow_furrow", "smile")


class Studio:
    """Render people before a grey wall in one light.

    Args:
        head: with the painters' movements as expression columns; None: the generic head.
    """

    def __init__(self, head: HeadData | None = None) -> None:
        head = head or generic.build(Head())
        self.maker = CropMaker(head, SIDE)
        self.names = list(head.notes["expression_names"])
        self.full = float(head.notes["expression_full"])
        self.light = directional_light(np.array([0.5, 0.7, 0.8]), 0.5, 0.7, np.ones(3), np.ones(3))

    def person(self, seed: int, *, varied: bool = True, **traits: object) -> Person:
        """Return the person of a seed: ``varied`` as in the training crops, or as in the show."""
        rng = np.random.default_rng([seed, 0x5EE7])
        if varied:
            return self.maker.person(self.maker.texture(rng), rng)
        looks = dataclasses.replace(draw_traits(seed), **traits)  # type: ignore[arg-type]
        texture = procedural_texture(self.maker.painter, self.maker.stage.head.faces, seed, looks)
        return Person(self.maker.stage, rng.normal(0, 0.8, len(self.maker.shape_names)), texture)

    def take(self, person: Person, movement: str = "", yaw: float = 0.0, jaw: float = 0.0) -> np.ndarray:
        """Return the picture (SIDE, SIDE, 3) uint8 of a person with one full movement, ``yaw`` in degrees, ``jaw`` in
        radians."""
        joints = np.zeros(15)
        joints[1], joints[6] = np.radians(yaw), jaw
        code = np.zeros(len(self.names))
        if movement:
            code[self.names.index(movement)] = self.full
        posed = person.place(code, joints, np.array([0.0, 0.0, -DISTANCE]))
        light = expose(self.light, np.array(person.texture.traits.skin), 0.5)
        camera = Camera(SIDE * DISTANCE / 0.27, SIDE, SIDE, (SIDE / 2, SIDE * 0.5))
        return render_scene([posed], camera, light, np.full((SIDE, SIDE, 3), 128, np.uint8), 3).image


def sheet(studio: Studio | None = None) -> np.ndarray:
    """Return the sheet, RGB uint8, by default of the generic head."""
    studio = studio or Studio()
    pictures: list[np.ndarray] = []
    captions: list[str] = []

    def add(caption: str, picture: np.ndarray) -> None:
        captions.append(caption)
        pictures.append(picture)

    turns = (0, -20, 25, 0, -35, 10, 0, 40, -10)
    for k, turn in enumerate(turns * 2):
        add(f"crops {k}", studio.take(studio.person(k), yaw=turn))
    for k, turn in enumerate(turns):
        add(f"show {k + 20}", studio.take(studio.person(k + 20, varied=False), yaw=turn))
    one = studio.person(21, varied=False, hair_style="short", spectacles="", hat="", beard=0.0, moustache=0.0)
    for yaw in YAWS:
        add(f"yaw {yaw}", studio.take(one, yaw=yaw))
    for name in EXPRESSIONS:
        add(name, studio.take(one, name, jaw=0.2 if name == "lip_up" else 0.0))
    for age in (0.05, 0.95):
        aged = studio.person(
            21, varied=False, hair_style="short", spectacles="", hat="", beard=0.0, age=age, moustache=0.0
        )
        for movement in MOVEMENTS:
            add(f"age {age:.2f} {movement or 'at rest'}", studio.take(aged, movement))
    add("jaw open", studio.take(one, jaw=0.3))
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
