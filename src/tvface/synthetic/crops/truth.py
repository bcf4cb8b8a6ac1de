"""Crops with full ground truth: short shots of one person for training networks on synthetic faces.

A shot is 1..N pictures of one moving person with a constant background, light and camera. The stranger behind,
occluders, blur, compression and colours are constant too; only the sensor's noise is new in every picture. People,
poses, light and degradation are drawn as for :mod:`tvface.synthetic.crops.maker`.

Conventions, valid for every array of :data:`ARRAYS`:

* pixels: x right, y down, centres at integers, (0, 0) at the top left;
* camera coordinates: metres, x right, y up, z to the camera, which is at the origin and looks along -z; a point is
  projected to ``x = cx + focal X / -Z``, ``y = cy - focal Y / -Z``;
* depth, normals and flow refer to the pixels' centres and to the person without occluders; picture and classes average
  2 x 2 samples per pixel and include the occluder. A stranger behind counts as background.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from tvface.head.data import HeadData
from tvface.synthetic.camera.degrade import degrade
from tvface.synthetic.crops.maker import Cover, CropMaker
from tvface.synthetic.foreground.occluders import Covered
from tvface.synthetic.looks.tone import painted_skin
from tvface.synthetic.person import Person
from tvface.synthetic.places.surroundings import draw_surroundings
from tvface.synthetic.render import geometry
from tvface.synthetic.render.light import PointLight
from tvface.synthetic.render.scene import Camera, Frame, render_scene
from tvface.synthetic.render.surfaces import Posed

INTERVALS = (1 / 25, 1 / 3)  # seconds between the frames of a shot: from video rate to the rate of TVQA's pictures
LONGEST = 0.6  # seconds, so that the head stays in the crop
TURNING = np.radians([12.0, 25.0, 8.0])  # rad/s about x, y, z
DRIFT = np.array([0.06, 0.04, 0.05])  # m/s along x, y, z
CHANGE = 0.5  # seconds from one expression, jaw and gaze to another


@dataclass(frozen=True)
class Array:
    """One array of a shard: its layer, dtype, shape after the first axis, and meaning.

    In the shapes S is the side of the crops, V the head's vertices, I and E the lengths of its identity and expression
    bases. The first axis counts crops; in ``flow`` and ``flow_valid`` it counts pairs of frames.
    """

    layer: str
    dtype: type
    shape: tuple[str | int, ...]
    doc: str


ARRAYS = {
    "image": Array("image", np.uint8, ("S", "S", 3), "RGB, with occluders and damage"),
    "clean": Array("clean", np.uint8, ("S", "S", 3), "RGB as rendered, without occluders and damage"),
    "points": Array("points", np.float32, (68, 2), "px, 300-W order and convention, yaw-dependent contour"),
    "visible": Array("points", np.bool_, (68,), "points in the picture and not hidden, by the person or an occluder"),
    "labels": Array("labels", np.uint8, ("S", "S"), "zllrunning classes 0..18, 0 under occluders"),
    "occluder": Array("occluder", np.bool_, ("S", "S"), "pixels under things put in front of the picture"),
    "depth": Array("depth", np.float32, ("S", "S"), "m along the optical axis, +inf on the background"),
    "normals": Array(
        "normals", np.float16, ("S", "S", 3), "unit vectors of the mesh, camera axes; 0 on the background"
    ),
    "vertices": Array("vertices", np.float32, ("V", 3), "m, camera coordinates, the head without hair and clothes"),
    "shape": Array("parameters", np.float32, ("I",), "identity code"),
    "expression": Array("parameters", np.float32, ("E",), "expression code"),
    "joints": Array("parameters", np.float32, (15,), "rad, axis-angle of root, neck, jaw, left and right eye"),
    "translation": Array("parameters", np.float32, (3,), "m, the head's origin in camera coordinates"),
    "camera": Array("parameters", np.float32, (3,), "px: focal length, x and y of the optical axis"),
    "light": Array("parameters", np.float32, (9, 3), "spherical harmonics x RGB, DECA's basis, camera axes"),
    "lamp": Array("parameters", np.float32, (6,), "strongest lamp: place, m, camera coordinates; RGB at 1 m; 0: none"),
    "skin": Array("parameters", np.float32, (3,), "RGB in 0..1, mean painted colour of the face's skin"),
    "flow": Array("flow", np.float32, ("S", "S", 2), "px to the shot's next frame, x right, y down, 0 on background"),
    "flow_valid": Array("flow", np.bool_, ("S", "S"), "the next frame shows the same spot; no occluder on either"),
}
LAYERS = tuple(dict.fromkeys(array.layer for array in ARRAYS.values()))


@dataclass(frozen=True)
class Moment:
    """Parameters for :meth:`Person.place` at one time: expression (E,), joints (15,) rad, translation (3,) m."""

    expression: np.ndarray
    joints: np.ndarray
    translation: np.ndarray


@dataclass(frozen=True)
class Shot:
    """A shot: the requested arrays of :data:`ARRAYS`, stacked over its F frames (flow: over F - 1 pairs).

    ``facts`` holds per frame the columns of :data:`tvface.manifests.crops.CROPS` that depend on the crop alone: pose,
    distance, focal length, visible points, share of the picture under occluders, interval between frames, digest of the
    picture.
    """

    arrays: dict[str, np.ndarray]
    facts: list[dict[str, Any]]


def check_layers(layers: Collection[str]) -> frozenset[str]:
    """Return the layers as a set.

    Raises:
        ValueError: a layer is unknown, or there are no layers.
    """
    unknown = sorted(set(layers) - set(LAYERS))
    if unknown or not layers:
        raise ValueError(f"layers {', '.join(unknown) or '(none)'}: choose from {', '.join(LAYERS)}")
    return frozenset(layers)


class ShotMaker:
    """Render shots of one head model; all randomness comes from the generator passed to the methods.

    Args:
        head: the human head.
        size: side of the crops in pixels.
        frames: pictures per shot.
        layers: of :data:`LAYERS`; they select the returned arrays and never change the random draws.
        people: part of the population (:class:`tvface.synthetic.people.population.Population`).

    Raises:
        ValueError: the head is another one; an unknown layer or part; no frames.
    """

    def __init__(
        self,
        head: HeadData,
        size: int = 128,
        frames: int = 2,
        layers: Collection[str] = LAYERS,
        people: str = "all",
    ) -> None:
        if frames < 1:
            raise ValueError(f"frames per shot: {frames}, expected at least 1")
        self.crops = CropMaker(head, size, people=people)
        self.size, self.frames = size, frames
        self.layers = check_layers(layers)

    def motion(self, rng: np.random.Generator) -> tuple[list[Moment], float]:
        """Draw the person's parameters in the shot's frames, and the seconds between two frames."""
        crops = self.crops
        first, then = crops.mien(rng), crops.mien(rng)
        start, end = crops.joints(first, rng), crops.joints(then, rng)
        distance = np.exp(rng.uniform(np.log(0.55), np.log(4.0)))
        place = np.array([*(rng.normal(0, 0.12, 2) * distance), -distance])
        interval = float(np.exp(rng.uniform(*np.log(INTERVALS))))
        interval = min(interval, LONGEST / max(1, self.frames - 1))
        turning, drift = rng.normal(0, TURNING), rng.normal(0, DRIFT)
        root = Rotation.from_rotvec(start[:3])
        moments = []
        for time in interval * np.arange(self.frames):
            share = min(1.0, time / CHANGE)
            joints = start + share * (end - start)
            joints[:3], joints[3:6] = (Rotation.from_rotvec(turning * time) * root).as_rotvec(), start[3:6]
            moments.append(Moment(first.code + share * (then.code - first.code), joints, place + drift * time))
        return moments, interval

    def shot(self, person: Person, rng: np.random.Generator) -> Shot:
        """Draw motion, light, background and degradation of a person, and render the shot."""
        moments, interval = self.motion(rng)
        posed = [person.place(moment.expression, moment.joints, moment.translation) for moment in moments]
        middle = self.frames // 2
        place_of_head = posed[middle].landmarks.mean(0)
        around = draw_surroundings(self.size, place_of_head, np.array(person.texture.traits.skin), rng)
        others = self.crops.company(person, float(-moments[middle].translation[2]), rng)
        camera = self.crops.camera(posed[middle], rng)
        occluders = self.crops.covers(rng)
        occluder, degradation, grain = (int(seed) for seed in rng.integers(2**63, size=3))
        grains = np.random.default_rng(grain)
        columns: dict[str, list[np.ndarray]] = {}
        facts, covers = [], []
        skin = painted_skin(self.crops.stage.head, person.texture.colour, person.texture.labels)
        for moment, place in zip(moments, posed, strict=True):
            frame = render_scene([place, *others], camera, around.light, around.background, lamps=around.lamps)
            # Seeds, not generators: every frame of the shot has the same occluder at the same place.
            image, labels, cover = _cover(frame, occluders, np.random.default_rng(occluder))
            covers.append(cover)
            arrays = {
                "image": degrade(image, np.random.default_rng(degradation), grains),
                "clean": frame.image,
                "points": frame.points[0],
                "visible": frame.visible[0] & ~_at(cover, frame.points[0]),
                "labels": labels,
                "occluder": cover,
                "vertices": place.vertices,
                **_parameters(person, moment, camera, around.light, around.lamps),
                "skin": skin,
            }
            facts.append(_facts(place, moment, camera, arrays) | {"interval_s": interval})
            for name, value in arrays.items():
                columns.setdefault(name, []).append(value)
        for name, values in self._surfaces(posed, camera, covers).items():
            columns[name] = values
        return Shot({name: self._stack(name, columns[name]) for name in self.arrays}, facts)

    @property
    def arrays(self) -> list[str]:
        """Names of the arrays of the layers, without flow if a shot has one frame."""
        names = [name for name, array in ARRAYS.items() if array.layer in self.layers]
        return [name for name in names if self.frames > 1 or ARRAYS[name].layer != "flow"]

    def _surfaces(self, posed: list[Posed], camera: Camera, covers: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
        """Return depth, normals and flow, as far as the layers include them."""
        if not self.layers & {"depth", "normals", "flow"}:
            return {}
        views = [geometry.look(place, camera) for place in posed]
        surfaces: dict[str, list[np.ndarray]] = {}
        if "depth" in self.layers:
            surfaces["depth"] = [geometry.depth(view) for view in views]
        if "normals" in self.layers:
            surfaces["normals"] = [geometry.normals(view) for view in views]
        if "flow" in self.layers and self.frames > 1:
            pairs = [geometry.flow(*pair) for pair in itertools.pairwise(views)]
            surfaces["flow"] = [motion for motion, _ in pairs]
            # One occluder mask serves both frames: it is the same in all.
            surfaces["flow_valid"] = [
                valid & ~cover & ~_at(cover, _targets(motion))
                for (motion, valid), cover in zip(pairs, covers[1:], strict=True)
            ]
        return surfaces

    @staticmethod
    def _stack(name: str, values: list[np.ndarray]) -> np.ndarray:
        return np.stack([np.asarray(value, ARRAYS[name].dtype) for value in values])


def _cover(frame: Frame, occluders: Sequence[Cover], rng: np.random.Generator) -> Covered:
    """Apply occluders to a frame: image, labels of the first person and the covered area (S, S) bool."""
    image, cover = frame.image, np.zeros(frame.labels.shape, bool)
    labels = np.where(frame.person > 0, 0, frame.labels).astype(np.uint8)
    for occluder in occluders:
        image, labels, area = occluder(image, labels, rng)
        cover |= area
    return image, labels, cover


def _at(area: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Sample an area (S, S) bool at places (..., 2) in pixels; outside the picture use the nearest pixel."""
    x, y = (np.clip(np.round(places[..., k]), 0, area.shape[1 - k] - 1).astype(int) for k in (0, 1))
    return np.asarray(area[y, x])


def _targets(motion: np.ndarray) -> np.ndarray:
    """Return the place of each pixel's surface in the next frame: (S, S, 2) pixels."""
    rows, columns = np.mgrid[: motion.shape[0], : motion.shape[1]]
    return motion + np.stack([columns, rows], axis=2)


def _parameters(
    person: Person, moment: Moment, camera: Camera, light: np.ndarray, lamps: Sequence[PointLight]
) -> dict[str, np.ndarray]:
    near = [np.concatenate([lamp.position, lamp.colour]) for lamp in lamps]
    return {
        "shape": person.shape,
        "expression": moment.expression,
        "joints": moment.joints,
        "translation": moment.translation,
        "camera": np.array([camera.focal, *camera.centre]),
        "light": light,
        "lamp": near[0] if near else np.zeros(6),
    }


def _facts(place: Posed, moment: Moment, camera: Camera, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    yaw, pitch, roll = place.angles
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "distance": float(-moment.translation[2]),
        "focal": camera.focal,
        "visible_points": int(arrays["visible"].sum()),
        "covered": float(arrays["occluder"].mean()),
        "image_sha256": hashlib.sha256(arrays["image"].tobytes()).hexdigest(),
    }
