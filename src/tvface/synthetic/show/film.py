"""Film the script of the embedded show: every video frame with its exact ground truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numba
import numpy as np

from tvface.settings.synth import Synth
from tvface.synthetic.person import Person
from tvface.synthetic.render.scene import Camera, Frame, average_frames, render_scene
from tvface.synthetic.render.surfaces import Posed
from tvface.synthetic.show import mishaps
from tvface.synthetic.show.script import Actor, Shot
from tvface.synthetic.show.sets import FLICKER, Set, build_set

# A film camera's shutter is open for half of a frame's time.
SHUTTER = 0.5
SUBFRAMES = 3


@dataclass(frozen=True)
class Take:
    """One actor in one video frame: head parameters, and points as the camera sees them."""

    person: str
    shape: np.ndarray
    expression: np.ndarray
    joints: np.ndarray
    translation: np.ndarray
    points: np.ndarray
    visible: np.ndarray
    angles: tuple[float, float, float]


@dataclass(frozen=True)
class FilmedFrame:
    """One video frame with its truth; ``light`` is (9, 3), ``labels`` (H, W) uint8 zllrunning classes, ``damage`` the
    mishaps of the frame, joined by +."""

    number: int
    shot: Shot
    image: np.ndarray
    labels: np.ndarray
    light: np.ndarray
    takes: tuple[Take, ...]
    damage: str


def film(settings: Synth, shots: list[Shot], people: Mapping[str, Person]) -> Iterator[FilmedFrame]:
    """Yield every video frame of an episode.

    Args:
        settings: picture size, rate, supersampling.
        shots: the script.
        people: everyone in the script, by name.
    """
    for shot in shots:
        built = _set(settings, shot, people)
        grain = np.random.default_rng([shot.light_seed, 1])
        for number in range(shot.frames):
            time = number / settings.fps
            level = _level(shot, time)
            light = built.light.at(level)
            camera = Camera.central(shot.focal, settings.width, settings.height)
            moments = _exposure(shot, time, settings.fps)
            frames, middle = [], []
            for moment in moments:
                posed = [_pose(people[actor.person], actor, shot, moment) for actor in shot.actors]
                window = cv2.convertScaleAbs(built.window(settings, shot, moment), alpha=level)
                frames.append(render_scene(posed, camera, light.light, window, settings.supersampling, light.lamps))
                if moment == moments[len(moments) // 2]:
                    middle = posed
            frame = average_frames(frames) if len(frames) > 1 else frames[0]
            at = moments[len(moments) // 2]
            frame = _hidden(frame, shot, time)
            takes = tuple(
                _take(actor, people[actor.person], shot, place, at, middle, frame)
                for place, actor in enumerate(shot.actors)
            )
            image = mishaps.starved(
                _expose(mishaps.blurred(frame.image, shot.mishaps, time), shot, grain), shot.mishaps, time
            )
            damage = mishaps.named(shot.mishaps, time)
            yield FilmedFrame(shot.first + number, shot, image, frame.labels, light.truth, takes, damage)


def _set(settings: Synth, shot: Shot, people: Mapping[str, Person]) -> Set:
    """Build the set of a shot; the camera exposes for the first actor."""
    if not shot.actors:
        return build_set(settings, shot, np.full(3, 0.5), np.array([0.0, 0.0, -1.5]))
    first = shot.actors[0]
    skin = np.array(people[first.person].texture.traits.skin)
    return build_set(settings, shot, skin, _place(first, shot, 0.5 * shot.frames / settings.fps))


def _level(shot: Shot, time: float) -> float:
    """Return the brightness of the light at a time: lamps on mains, and those that flicker."""
    return (1 + FLICKER * float(np.sin(1.3 * time + shot.light_seed % 7))) * mishaps.brightness(shot.mishaps, time)


def _exposure(shot: Shot, time: float, fps: float) -> list[float]:
    if not shot.blur:
        return [time]
    return [time + SHUTTER / fps * (k / (SUBFRAMES - 1) - 0.5) for k in range(SUBFRAMES)]


def _hidden(frame: Frame, shot: Shot, time: float) -> Frame:
    """Return a frame with the hands that pass before the first actor."""
    for mishap in shot.mishaps:
        if mishap.kind == "hand" and mishap.at(time) and shot.actors:
            image, labels, area = mishaps.pass_hand(frame.image, frame.labels, frame.points[0], mishap, time)
            x, y = (np.clip(np.round(frame.points[..., k]), 0, area.shape[1 - k] - 1).astype(int) for k in (0, 1))
            frame = dataclasses.replace(frame, image=image, labels=labels, visible=frame.visible & ~area[y, x])
    return frame


def _pose(person: Person, actor: Actor, shot: Shot, time: float) -> Posed:
    performance = actor.performance
    expression = performance.expression(time)
    return person.place(expression, performance.joints(time), _place(actor, shot, time))


def _place(actor: Actor, shot: Shot, time: float) -> np.ndarray:
    """Return the head's origin before the moving camera, (3,) float32 m."""
    return (actor.performance.translation(time) + shot.camera.offset(time)).astype(np.float32)


def _take(
    actor: Actor,
    person: Person,
    shot: Shot,
    place: int,
    time: float,
    posed: list[Posed],
    frame: Frame,
) -> Take:
    return Take(
        person=actor.person,
        shape=person.shape,
        expression=actor.performance.expression(time),
        joints=actor.performance.joints(time),
        translation=_place(actor, shot, time),
        points=frame.points[place],
        visible=frame.visible[place],
        angles=posed[place].angles,
    )


def _expose(image: np.ndarray, shot: Shot, generator: np.random.Generator) -> np.ndarray:
    """Add the sensor's noise, stronger in the dark scene."""
    noise = generator.normal(0, 4.0 if shot.dark else 1.5, image.shape[:2])
    result = np.empty_like(image)
    _add_noise(np.ascontiguousarray(image), noise, result)
    return result


@numba.njit(cache=True, nogil=True)
def _add_noise(image: np.ndarray, noise: np.ndarray, result: np.ndarray) -> None:
    """Write a picture (H, W, 3) uint8 with noise (H, W), the same for the colours of a pixel, into ``result``."""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            for k in range(3):
                result[y, x, k] = np.uint8(min(max(image[y, x, k] + noise[y, x], 0.0), 255.0))
