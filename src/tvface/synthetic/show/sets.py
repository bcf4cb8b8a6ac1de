"""The sets of the embedded show: the light and what lies behind the actors, constant in a shot."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from tvface.settings.synth import Synth
from tvface.synthetic.places.backgrounds import scene_background
from tvface.synthetic.places.environments import Environment, draw_environment, expose_environment
from tvface.synthetic.render.light import PointLight
from tvface.synthetic.show.script import Shot

KINDS = ("indoors", "studio", "outdoors")  # of scenes 0, 1, 2 in turn, one episode after the other
DARK = 0.06  # share of the light in dark scenes
FLICKER = 0.03  # of the brightness, as of lamps on mains


@dataclass(frozen=True)
class SetLight:
    """light (9, 3) and lamps: for the renderer. truth (9, 3): all of it, shadows aside, in DECA's basis."""

    light: np.ndarray
    lamps: list[PointLight]
    truth: np.ndarray

    def at(self, level: float) -> SetLight:
        """Return the light at ``level`` times its brightness."""
        lamps = [dataclasses.replace(lamp, colour=lamp.colour * level) for lamp in self.lamps]
        return SetLight(self.light * np.float32(level), lamps, self.truth * np.float32(level))


@dataclass(frozen=True)
class Set:
    """A set: its light, and a backdrop wider than the picture, (H', W', 3) uint8, so that a pan moves over it."""

    light: SetLight
    backdrop: np.ndarray

    def window(self, settings: Synth, shot: Shot, time: float) -> np.ndarray:
        """Cut the visible part; a pan moves it by ``shot.pan`` pixels per second, to sub-pixels."""
        rest = self.backdrop.shape[1] - settings.width
        x = rest / 2 + np.clip(shot.pan * (time - 0.5 * shot.frames / settings.fps), -rest / 2 + 1, rest / 2 - 1)
        y = (self.backdrop.shape[0] - settings.height) / 2
        centre = (x + (settings.width - 1) / 2, y + (settings.height - 1) / 2)
        return cv2.getRectSubPix(self.backdrop, (settings.width, settings.height), centre)


def build_set(settings: Synth, shot: Shot, skin: np.ndarray, place: np.ndarray) -> Set:
    """Light and furnish the set of a shot.

    Args:
        skin: (3,) RGB display colour for which the camera exposes. place: (3,) of the first head, metres.
    """
    kind = KINDS[shot.background % len(KINDS)]
    generator = np.random.default_rng([shot.background, shot.light_seed, 13])
    environment = _environment(kind, generator)
    environment = expose_environment(environment, skin, generator)
    if shot.dark:
        environment = environment.scaled(DARK)
    light, lamps = environment.render(place)
    # The reverse shot of a conversation looks at another wall; the same set-up does not change within a scene.
    wall = zlib.crc32(shot.actors[0].person.encode()) if shot.kind == "single" else 0
    wide, high = round(settings.width * 1.25), round(settings.height * 1.1)
    backdrop = scene_background(
        kind, environment.behind, wide, high, np.random.default_rng([shot.background, 11, wall])
    )
    return Set(SetLight(light, lamps, environment.projected()), backdrop)


def _environment(kind: str, generator: np.random.Generator) -> Environment:
    """Draw an environment of a kind of scene."""
    while True:
        environment = draw_environment(generator)
        if environment.scene == kind:
            return environment
