"""The script of the embedded show: who is on screen, when, where, in which light.

Each episode has its own two leads, so that splits by identity and by episode exist. The first lead of the first episode
also appears in two-person shots of the second one, so that people must be recognised across episodes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tvface.settings.synth import Synth
from tvface.synthetic.show.mishaps import Mishap, draw_mishaps
from tvface.synthetic.show.motion import Curve, Performance, converse, perform

SHOW = "demo"

CAST = ("ann", "ben", "grace", "cleo", "dan", "eve", "finn", "gina", "hugo", "iris", "jack", "kate")

WALK_INS = 0.2  # of the shots of one person begin before they have come

Kind = Literal["single", "two", "empty"]

# (kind, lead, part of the episode, scene, lively, dark): parts add up to one.
_SHOTS: tuple[tuple[Kind, int, float, int, float, bool], ...] = (
    ("empty", 0, 0.03, 0, 1.0, False),
    ("two", 0, 0.09, 0, 1.0, False),
    ("single", 0, 0.20, 0, 1.0, False),
    ("single", 1, 0.20, 0, 1.1, False),
    ("two", 0, 0.07, 1, 1.3, False),
    ("single", 1, 0.15, 1, 1.6, False),
    ("single", 0, 0.12, 2, 1.0, True),
    ("single", 0, 0.14, 1, 1.4, False),
)


@dataclass(frozen=True)
class Actor:
    """A person in a shot, and their motion."""

    person: str
    performance: Performance


@dataclass(frozen=True)
class CameraMove:
    """Motion of the camera: held by hand (curves in metres at the actors' distance) and pushed in or pulled back with
    ``speed``, m/s towards the actors."""

    hand: tuple[Curve, Curve]
    speed: float

    def offset(self, time: float) -> np.ndarray:
        """Return how far the actors move before the camera, (3,) metres."""
        return np.array([self.hand[0](time), self.hand[1](time), self.speed * time])


@dataclass(frozen=True)
class Shot:
    """One continuous take. ``first`` and ``frames`` count video frames of the episode."""

    index: int
    scene: int
    kind: Kind
    first: int
    frames: int
    actors: tuple[Actor, ...]
    focal: float
    dark: bool
    background: int
    light_seed: int
    pan: float
    blur: bool
    camera: CameraMove
    mishaps: tuple[Mishap, ...]


def episode_name(index: int) -> str:
    """Return the shard name of the ``index``-th episode (0-based)."""
    return f"{SHOW}_s01e{index + 1:02d}"


def leads(index: int) -> tuple[str, str]:
    """Return the two leads of an episode; beyond the named cast people are numbered."""

    def name(position: int) -> str:
        return CAST[position] if position < len(CAST) else f"guest{position:02d}"

    return name(2 * index), name(2 * index + 1)


def write_script(settings: Synth, index: int, seed: int) -> list[Shot]:
    """Return the shots of one episode, in order, covering it without a gap."""
    generator = np.random.default_rng([seed, 7, index])
    total = round(settings.seconds * settings.fps)
    ends = np.round(np.cumsum([part for _, _, part, *_ in _SHOTS]) * total).astype(int)
    ends[-1] = total
    shots = []
    for number, (kind, lead, _, scene, lively, dark) in enumerate(_SHOTS):
        first = int(ends[number - 1]) if number else 0
        frames = int(ends[number]) - first
        focal = settings.width * generator.uniform(1.35, 1.5)
        people = _people(kind, lead, index, number)
        actors = tuple(
            Actor(person, _direct(generator, settings, kind, place, focal, frames / settings.fps, lively))
            for place, person in enumerate(people)
        )
        shots.append(
            Shot(
                index=number,
                scene=scene,
                kind=kind,
                first=first,
                frames=frames,
                actors=actors,
                focal=float(focal),
                dark=dark,
                background=3 * index + scene,
                light_seed=int(generator.integers(2**31)),
                pan=float(generator.uniform(-12, 12)),
                blur=lively > 1.5,
                camera=_camera_move(generator, lively),
                mishaps=draw_mishaps(generator, frames / settings.fps),
            )
        )
    return shots


def _people(kind: Kind, lead: int, index: int, number: int) -> tuple[str, ...]:
    pair = leads(index)
    if kind == "empty":
        return ()
    if kind == "single":
        return (pair[lead],)
    if index == 1 and number == 1:
        return (pair[0], leads(0)[0])  # the visitor of the first episode
    return pair


def _direct(
    generator: np.random.Generator, settings: Synth, kind: Kind, place: int, focal: float, seconds: float, lively: float
) -> Performance:
    """Place an actor so that the face is 38-52 % (alone) or 27-33 % (of two) of the picture's height."""
    part = generator.uniform(0.38, 0.52) if kind == "single" else generator.uniform(0.27, 0.33)
    face = 0.185  # metres from forehead to chin
    distance = focal * face / (part * settings.height)
    if kind == "single":
        x = generator.uniform(-0.10, 0.10) * settings.width
        yaw = generator.uniform(-0.35, 0.35)
    else:
        x = (-0.21 if place == 0 else 0.21) * settings.width * generator.uniform(0.9, 1.1)
        yaw = (0.30 if place == 0 else -0.30) * generator.uniform(0.3, 1.2)
    y = generator.uniform(-0.01, 0.05) * settings.height
    position = (float(x * distance / focal), float(y * distance / focal), float(-distance))
    pitch = float(generator.uniform(-0.08, 0.10))
    performance = perform(generator, seconds, position, (float(yaw), pitch), lively)
    if kind == "two":
        # The one on the left looks to the right.
        return converse(performance, generator, seconds, 0.6 if place == 0 else -0.6)
    if generator.random() < WALK_INS:
        side = 1.0 if generator.random() < 0.5 else -1.0
        performance = dataclasses.replace(performance, enters=side * 0.6 * settings.width * distance / focal)
    return performance


def _camera_move(generator: np.random.Generator, lively: float) -> CameraMove:
    """Draw the camera's motion: on a tripod, by hand in lively shots, and sometimes nearing."""
    held = 0.004 if lively > 1.2 else 0.0008
    hand = Curve.draw(generator, held, 0.5, 2.0), Curve.draw(generator, held, 0.5, 2.0)
    return CameraMove(hand, float(generator.uniform(-0.02, 0.02)) if generator.random() < 0.4 else 0.0)
