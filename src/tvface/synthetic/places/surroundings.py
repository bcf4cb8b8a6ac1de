"""Light and background of one picture, which belong together: colour, brightness, indoors or out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvface.synthetic.places.backgrounds import random_background
from tvface.synthetic.places.environments import draw_environment, expose_environment
from tvface.synthetic.render.light import PointLight


@dataclass(frozen=True)
class Surroundings:
    """light: (9, 3) in DECA's basis, camera axes; lamps: the strongest first, perhaps none; background: (S, S, 3)
    uint8 RGB."""

    light: np.ndarray
    lamps: list[PointLight]
    background: np.ndarray


def draw_surroundings(size: int, head: np.ndarray, skin: np.ndarray, rng: np.random.Generator) -> Surroundings:
    """Draw the light about a head and the background of the picture.

    Args:
        size: side of the picture in pixels.
        head: (3,) place of the head in camera coordinates, metres.
        skin: (3,) RGB display colour of the skin, for the exposure.
    """
    environment = expose_environment(draw_environment(rng), np.asarray(skin), rng)
    light, lamps = environment.render(head)
    return Surroundings(light, lamps, random_background(size, size, rng, environment.scene, environment.behind))
