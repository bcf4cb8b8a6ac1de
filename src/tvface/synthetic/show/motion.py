"""Smooth, seeded motion of synthetic actors: head pose, place, gaze, blinks, speech, expressions.

Every curve is a sum of sinusoids with random phases (band-limited noise), so a value at any time is computed alone
and a frame does not depend on the frames before it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tvface.synthetic.people.expressions import RESTING_LID, follow_gaze
from tvface.synthetic.people.face_units import code_of

TURN = 0.45  # seconds that a head takes to turn to somebody
ENTRANCE = 1.4  # seconds of a walk-in


@dataclass(frozen=True)
class Curve:
    """A band-limited random curve with standard deviation ``amplitude``."""

    frequencies: np.ndarray
    phases: np.ndarray
    amplitude: float

    @classmethod
    def draw(cls, generator: np.random.Generator, amplitude: float, low: float, high: float) -> Curve:
        """Draw a curve with five frequencies between ``low`` and ``high`` Hz."""
        return cls(generator.uniform(low, high, 5), generator.uniform(0, 2 * np.pi, 5), amplitude)

    def __call__(self, time: float) -> float:
        waves = np.sin(2 * np.pi * self.frequencies * time + self.phases)
        return float(self.amplitude * waves.sum() * np.sqrt(2 / len(waves)))


@dataclass(frozen=True)
class Glance:
    """A turn of the head by ``yaw`` rad between ``start`` and ``end`` seconds, with soft ends."""

    start: float
    end: float
    yaw: float

    def at(self, time: float) -> float:
        """Return the turn at a time."""
        return self.yaw * _eased((time - self.start) / TURN) * (1 - _eased((time - self.end) / TURN))


@dataclass(frozen=True)
class Performance:
    """The motion of one actor in one shot. Times are seconds from its start, angles radians, positions metres.

    ``glances``: turns to somebody else. ``enters``: metres to the side from which the actor walks in at the start.
    """

    yaw: Curve
    pitch: Curve
    roll: Curve
    sway: tuple[Curve, Curve, Curve]
    gaze: tuple[Curve, Curve]
    speech: Curve
    emphasis: Curve
    expressions: dict[str, Curve]
    base_expression: dict[str, float]
    blinks: tuple[float, ...]
    facing: tuple[float, float]
    place: tuple[float, float, float]
    glances: tuple[Glance, ...] = ()
    enters: float = 0.0

    def joints(self, time: float) -> np.ndarray:
        """Return axis-angle of root, neck, jaw, left and right eye, (15,) rad."""
        joints = np.zeros(15, np.float32)
        aside = sum(glance.at(time) for glance in self.glances)
        joints[0:3] = _axis_angle(
            self.facing[0] + aside + self.yaw(time), self.facing[1] + self.pitch(time), self.roll(time)
        )
        joints[6] = self._jaw(time)
        joints[9:12] = joints[12:15] = (self.gaze[1](time), self.gaze[0](time), 0.0)
        return joints

    def translation(self, time: float) -> np.ndarray:
        """Return the head origin in camera coordinates, (3,) m."""
        place = np.array(self.place) + [curve(time) for curve in self.sway]
        place[0] += self.enters * (1 - _eased(time / ENTRANCE))
        return place.astype(np.float32)

    def expression(self, time: float) -> np.ndarray:
        """Return the weights of the face units, (52,) float32."""
        values = dict(self.base_expression)
        for name, curve in self.expressions.items():
            values[name] = values.get(name, 0.0) + curve(time)
        closed = max((_blink(time - start) for start in self.blinks), default=0.0)
        values["lid"] = max(RESTING_LID, closed)
        speaking = self._speaking(time)
        values["lip_up"] = values.get("lip_up", 0.0) + 0.35 * speaking
        values["lip_down"] = values.get("lip_down", 0.0) + 0.35 * speaking
        code = np.clip(code_of(values), 0, 1)
        return follow_gaze(code, np.array([self.gaze[1](time), self.gaze[0](time)]))

    def _speaking(self, time: float) -> float:
        return float(np.clip(0.5 + self.emphasis(time), 0, 1))

    def _jaw(self, time: float) -> float:
        return float(np.clip(0.04 + 0.16 * self._speaking(time) * (0.5 + self.speech(time)), 0, 0.3))


def perform(
    generator: np.random.Generator,
    seconds: float,
    place: tuple[float, float, float],
    facing: tuple[float, float],
    lively: float,
) -> Performance:
    """Draw a performance.

    Args:
        generator: source of randomness.
        seconds: length of the shot, for the blinks.
        place: head origin in camera coordinates, m.
        facing: mean yaw and pitch, rad.
        lively: 1 is an ordinary conversation; larger moves more.
    """

    def curve(amplitude: float, low: float = 0.15, high: float = 0.7) -> Curve:
        return Curve.draw(generator, amplitude * lively, low, high)

    mood = generator.choice(["smile", "frown", "brow_up", "brow_furrow", "press"])
    blinks: list[float] = []
    time = generator.uniform(0.3, 2.0)
    while time < seconds:
        blinks.append(float(time))
        time += generator.uniform(1.5, 4.5)
    return Performance(
        yaw=curve(0.16),
        pitch=curve(0.07),
        roll=curve(0.05),
        sway=(curve(0.018, 0.1, 0.5), curve(0.010, 0.1, 0.5), curve(0.015, 0.1, 0.4)),
        gaze=(Curve.draw(generator, 0.06, 0.2, 1.0), Curve.draw(generator, 0.03, 0.2, 1.0)),
        speech=Curve.draw(generator, 0.5, 1.5, 4.0),
        emphasis=Curve.draw(generator, 0.5, 0.2, 0.6),
        expressions={
            name: curve(amplitude, 0.2, 0.8)
            for name, amplitude in (("smile", 0.25), ("brow_up", 0.2), ("pucker", 0.12), ("stretch", 0.12))
        },
        base_expression={str(mood): float(generator.uniform(0.2, 0.8))},
        blinks=tuple(blinks),
        facing=facing,
        place=place,
    )


def converse(performance: Performance, generator: np.random.Generator, seconds: float, towards: float) -> Performance:
    """Return a performance in which the actor turns to a partner time and again, by about ``towards`` rad."""
    glances = []
    time = float(generator.uniform(0.2, 1.5))
    while time < seconds:
        end = time + float(generator.uniform(0.8, 2.5))
        glances.append(Glance(time, end, float(towards * generator.uniform(0.6, 1.2))))
        time = end + float(generator.uniform(1.0, 3.0))
    return dataclasses.replace(performance, glances=tuple(glances))


def _eased(share: float) -> float:
    """Return a soft step from 0 at 0 to 1 at 1."""
    t = float(np.clip(share, 0, 1))
    return t * t * (3 - 2 * t)


def _blink(since: float, length: float = 0.28) -> float:
    """Return how closed the lids are (0..1) ``since`` seconds after the start of a blink."""
    if not 0 <= since <= length:
        return 0.0
    return float(np.sin(np.pi * since / length) ** 2)


def _axis_angle(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the rotation 'roll, then pitch, then yaw' as an axis-angle vector in the head's frame."""
    from scipy.spatial.transform import Rotation

    # Positive yaw turns to the picture's right (about +y), positive pitch looks down (about +x).
    return Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_rotvec().astype(np.float32)
