"""Film the script of the embedded show: every video frame with its exact ground truth."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from tvface.head.data import HeadData
from tvface.settings.synth import Synth
from tvface.synthetic import mishaps
from tvface.synthetic.backgrounds import PICTURES, picture_background, room_background
from tvface.synthetic.casting import Member
from tvface.synthetic.light import directional_light
from tvface.synthetic.person import Posed
from tvface.synthetic.scene_render import Camera, Frame, average_frames, render_scene
from tvface.synthetic.script import Actor, Shot

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


def film(settings: Synth, shots: list[Shot], people: Mapping[str, Member], head: HeadData) -> Iterator[FilmedFrame]:
    """Yield every video frame of an episode.

    Args:
        settings: picture size, rate, supersampling.
        shots: the script.
        people: everyone in the script, by name.
        head: the human head, which ``people`` use.
    """
    for shot in shots:
        backdrop = _backdrop(settings, shot)
        grain = np.random.default_rng([shot.light_seed, 1])
        for number in range(shot.frames):
            time = number / settings.fps
            light = scene_light(shot, time) * mishaps.brightness(shot.mishaps, time)
            camera = Camera.central(shot.focal, settings.width, settings.height)
            moments = _exposure(shot, time, settings.fps)
            frames, middle = [], []
            for moment in moments:
                posed = [_pose(people[actor.person], actor, shot, moment) for actor in shot.actors]
                window = _window(backdrop, settings, shot, moment)
                frames.append(render_scene(posed, camera, light, window, settings.supersampling))
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
            yield FilmedFrame(shot.first + number, shot, image, frame.labels, light, takes, damage)


def scene_light(shot: Shot, time: float) -> np.ndarray:
    """Return the shot's light at ``time`` seconds, (9, 3): a lamp that wanders slowly over an ambient level."""
    generator = np.random.default_rng(shot.light_seed)
    tint = 1 + generator.normal(0, 0.05, 3)
    azimuth, height = generator.uniform(-1.1, 1.1), generator.uniform(0.1, 0.7)
    drift = 0.35 * np.sin(2 * np.pi * (0.08 * time + generator.uniform()))
    direction = np.array([np.sin(azimuth + drift), height, np.cos(azimuth + drift)])
    flicker = 1 + 0.08 * np.sin(2 * np.pi * (0.2 * time + generator.uniform()))
    ambient, gain = generator.uniform(0.45, 0.65), generator.uniform(0.35, 0.65) * flicker
    level = 0.42 if shot.dark else 1.0
    return directional_light(direction, level * ambient, level * gain, tint, tint)


def _exposure(shot: Shot, time: float, fps: float) -> list[float]:
    if not shot.blur:
        return [time]
    return [time + SHUTTER / fps * (k / (SUBFRAMES - 1) - 0.5) for k in range(SUBFRAMES)]


def _expression(member: Member, actor: Actor, time: float) -> np.ndarray:
    return (member.resting + actor.performance.expression(time)).astype(np.float32)


def _hidden(frame: Frame, shot: Shot, time: float) -> Frame:
    """Return a frame with the hands that pass before the first actor."""
    for mishap in shot.mishaps:
        if mishap.kind == "hand" and mishap.at(time) and shot.actors:
            image, labels, area = mishaps.pass_hand(frame.image, frame.labels, frame.points[0], mishap, time)
            x, y = (np.clip(np.round(frame.points[..., k]), 0, area.shape[1 - k] - 1).astype(int) for k in (0, 1))
            frame = dataclasses.replace(frame, image=image, labels=labels, visible=frame.visible & ~area[y, x])
    return frame


def _pose(member: Member, actor: Actor, shot: Shot, time: float) -> Posed:
    performance = actor.performance
    expression = _expression(member, actor, time)
    return member.person.place(expression, performance.joints(time), _place(actor, shot, time))


def _place(actor: Actor, shot: Shot, time: float) -> np.ndarray:
    """Return the head's origin before the moving camera, (3,) float32 m."""
    return (actor.performance.translation(time) + shot.camera.offset(time)).astype(np.float32)


def _take(
    actor: Actor,
    member: Member,
    shot: Shot,
    place: int,
    time: float,
    posed: list[Posed],
    frame: Frame,
) -> Take:
    return Take(
        person=actor.person,
        shape=member.person.shape,
        expression=_expression(member, actor, time),
        joints=actor.performance.joints(time),
        translation=_place(actor, shot, time),
        points=frame.points[place],
        visible=frame.visible[place],
        angles=posed[place].angles,
    )


def _backdrop(settings: Synth, shot: Shot) -> np.ndarray:
    """Draw the scene's set once, wider than the picture, so that a pan moves over it."""
    # The reverse shot of a conversation looks at another wall.
    wall = zlib.crc32(shot.actors[0].person.encode()) if shot.kind == "single" else 0
    generator = np.random.default_rng([shot.background, 11, wall])
    wide, high = round(settings.width * 1.25), round(settings.height * 1.1)
    if shot.background % 3 == 1:
        # Outdoors or a wall: a sample picture; the same set-up for all shots of the scene.
        room = picture_background(PICTURES[(shot.background + wall) % len(PICTURES)][0], wide, high, generator)
    else:
        room = _muted(room_background(wide, high, generator))
    if shot.kind != "empty":
        # Each set-up looks at another part of the set, nearer for one person than for two, and out of focus.
        zoom = 1.35 if shot.kind == "single" else 1.15
        generator = np.random.default_rng([shot.background, shot.index, 12])
        cut = (round(high / zoom), round(wide / zoom))
        y, x = (int(generator.integers(0, full - part + 1)) for full, part in zip((high, wide), cut, strict=True))
        room = cv2.resize(room[y : y + cut[0], x : x + cut[1]], (wide, high), interpolation=cv2.INTER_CUBIC)
        room = cv2.GaussianBlur(room, (0, 0), 2.0)
    return (room * (0.42 if shot.dark else 0.9)).astype(np.uint8)


def _muted(image: np.ndarray) -> np.ndarray:
    """Take most of the colour out: sets are painted in muted tones, and faces should stand out."""
    grey = image.mean(2, keepdims=True)
    return (grey + 0.4 * (image - grey)).astype(np.uint8)


def _window(backdrop: np.ndarray, settings: Synth, shot: Shot, time: float) -> np.ndarray:
    """Cut the visible part; a pan moves it by ``shot.pan`` pixels per second, to sub-pixels."""
    rest = backdrop.shape[1] - settings.width
    x = rest / 2 + np.clip(shot.pan * (time - 0.5 * shot.frames / settings.fps), -rest / 2 + 1, rest / 2 - 1)
    y = (backdrop.shape[0] - settings.height) / 2
    centre = (x + (settings.width - 1) / 2, y + (settings.height - 1) / 2)
    return cv2.getRectSubPix(backdrop, (settings.width, settings.height), centre)


def _expose(image: np.ndarray, shot: Shot, generator: np.random.Generator) -> np.ndarray:
    """Add the sensor's noise, stronger in the dark scene."""
    noise = generator.normal(0, 4.0 if shot.dark else 1.5, image.shape[:2])[..., None]
    return np.clip(image + noise, 0, 255).astype(np.uint8)
