"""Training crops of synthetic people for the landmark and parsing networks, with exact points and classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from tvface.head.data import HeadData
from tvface.synthetic.atlas import build_atlas
from tvface.synthetic.degrade import degrade
from tvface.synthetic.hair import Texture, procedural_texture
from tvface.synthetic.occluders import Covered, letterbox, occlude
from tvface.synthetic.person import Person, Posed, Stage
from tvface.synthetic.scene_render import Camera, render_scene
from tvface.synthetic.skin import SkinPainter
from tvface.synthetic.surroundings import draw_surroundings
from tvface.synthetic.traits import draw_traits
from tvface.synthetic.variety import draw_identity, vary

Cover = Callable[[np.ndarray, np.ndarray, np.random.Generator], Covered]

TEXTURE_EVERY = 4  # crops per procedural texture
PERSON_EVERY = 2  # crops per identity
STRANGER_SHARE = 0.12  # of the crops
LETTERBOX_SHARE = 0.05
PORTRAIT_SHARE = 0.2  # of the persons, if there are portraits


@dataclass(frozen=True)
class Crop:
    """A training crop.

    ``image`` (S, S, 3) uint8 RGB; ``points`` (68, 2) float32, may lie outside; ``visible`` (68,) bool, neither hidden
    nor outside; ``labels`` (S, S) uint8 zllrunning classes. Class 6 covers frames and dark lenses; pixels seen through
    clear lenses keep their class.

    Convention: points in pixels, x right, y down, centres at integers; 300-W order with the contour of the 2D
    convention.
    """

    image: np.ndarray
    points: np.ndarray
    visible: np.ndarray
    labels: np.ndarray


class CropMaker:
    """Render crops of one head model; all randomness comes from the generator passed to the methods.

    Args:
        head: the generic head (its metadata names the expression modes).
        size: side of the crops in pixels.
        portraits: photographic textures to use beside the procedural ones.
        texels: side of the textures.

    Raises:
        ValueError: the head's metadata names no expression modes.
    """

    def __init__(self, head: HeadData, size: int = 128, portraits: Sequence[Texture] = (), texels: int = 512) -> None:
        notes = head.notes
        if "expression_names" not in notes:
            raise ValueError(
                "crops need a head whose metadata has expression_names (the generic head); "
                f"this one comes from {notes.get('source')!r}"
            )
        self.names: list[str] = list(notes["expression_names"])
        self.full = float(notes["expression_full"])
        self.size = size
        self.portraits = tuple(portraits)
        self.stage = Stage(head, build_atlas(head, texels))
        self.painter = SkinPainter(self.stage.atlas)
        names = list(notes.get("shape_names", ()))
        self.shape_names = [*names, *[""] * head.shape_basis.shape[2]][: head.shape_basis.shape[2]]

    def texture(self, rng: np.random.Generator) -> Texture:
        """Paint a new procedural person."""
        seed = int(rng.integers(2**31))
        return procedural_texture(self.painter, self.stage.head.faces, seed, vary(draw_traits(seed)))

    def person(self, texture: Texture, rng: np.random.Generator) -> Person:
        """Draw an identity for a texture, or for a portrait."""
        if self.portraits and rng.random() < PORTRAIT_SHARE:
            texture = self.portraits[int(rng.integers(len(self.portraits)))]
        return Person(self.stage, draw_identity(self.shape_names, rng), texture)

    def cast(self, count: int, rng: np.random.Generator) -> Iterator[Person]:
        """Yield the person of each of ``count`` crops or shots: new looks every :data:`TEXTURE_EVERY`, a new identity
        every :data:`PERSON_EVERY`. It is lazy: ``rng`` is used between the draws for one crop and the next.
        """
        for index in range(count):
            if index % TEXTURE_EVERY == 0:
                texture = self.texture(rng)
            if index % PERSON_EVERY == 0:
                person = self.person(texture, rng)
            yield person

    def expression(self, rng: np.random.Generator) -> np.ndarray:
        """Draw an expression code: half of the named modes, lids closed in one of eight, asymmetries, small bumps."""
        code = np.zeros(len(self.names))
        closed = rng.random() < 0.12
        closing = rng.uniform(0.3, 1.0)
        for i, name in enumerate(self.names):
            if name in ("lid_L", "lid_R"):
                one_eye = rng.random() < 0.06
                code[i] = closing if closed or one_eye else np.clip(rng.normal(0, 0.1), -0.1, 0.3)
            elif name.startswith("bump"):
                code[i] = rng.normal(0, 0.12)
            elif rng.random() < (0.2 if name.endswith(("_L", "_R")) else 0.5):
                code[i] = np.clip(rng.normal(0, 0.35), -0.35, 1.1)
        return code * self.full

    @staticmethod
    def joints(rng: np.random.Generator) -> np.ndarray:
        """Draw joint rotations (15,): four of ten heads turned evenly within +-72 degrees, others near the front."""
        yaw = rng.uniform(-72, 72) if rng.random() < 0.4 else rng.normal(0, 20)
        pitch = rng.uniform(-35, 30) if rng.random() < 0.15 else rng.normal(0, 11)
        yaw, pitch, roll = np.clip(yaw, -72, 72), np.clip(pitch, -38, 32), np.clip(rng.normal(0, 10), -35, 35)
        whole = Rotation.from_euler("ZYX", [roll, yaw, pitch], degrees=True)
        share = rng.uniform(0.1, 0.5)
        neck = Rotation.from_euler("YX", [share * yaw, share * pitch], degrees=True)
        joints = np.zeros(15)
        joints[:3] = (whole * neck.inv()).as_rotvec()
        joints[3:6] = neck.as_rotvec()
        joints[6] = min(abs(rng.normal(0, 0.13)), 0.38) if rng.random() < 0.6 else 0.0
        gaze = np.clip(rng.normal(0, [0.08, 0.16]), -0.35, 0.35)
        joints[9:11], joints[12:14] = gaze, gaze
        return joints

    def camera(self, posed: Posed, rng: np.random.Generator) -> Camera:
        """Return a camera that frames the head like the pipeline's crop of a detector's box, or looser for the parser.

        On photographs MTCNN's box is 1.22-1.47 times as high as the landmark box, and its centre lies .09-.23 of that
        height above the landmark box's centre.
        """
        plain = Camera(1.0, 1, 1, (0.0, 0.0)).project(posed.landmarks)[:, :2]
        low, high = plain.min(0), plain.max(0)
        height = high[1] - low[1]
        centre = 0.5 * (low + high)
        box_height = height * rng.uniform(1.22, 1.47)
        side = box_height * rng.uniform(0.85, 0.95)
        centre = centre + np.array([rng.normal(0, 0.03), -rng.uniform(0.09, 0.23)]) * height
        centre[1] += 0.12 * side
        crop = 1.25 * side * rng.uniform(0.9, 1.12)
        if rng.random() < 0.5:
            crop *= rng.uniform(1.0, 1.6)
        centre = centre + rng.normal(0, 0.03, 2) * crop
        focal = self.size / crop
        middle = (self.size - 1) / 2
        return Camera(
            float(focal), self.size, self.size, (float(middle - centre[0] * focal), float(middle - centre[1] * focal))
        )

    def stranger(self, person: Person, distance: float, rng: np.random.Generator) -> Posed:
        """Draw another person behind a person ``distance`` metres away: same looks, another head shape, any pose.

        Another texture would cost more than the rest of the crop. The network only has to learn that a second face
        beside the first is not its target.
        """
        other = Person(self.stage, draw_identity(self.shape_names, rng), person.texture)
        away = distance + rng.uniform(0.3, 2.5)
        side = (1 if rng.random() < 0.5 else -1) * rng.uniform(0.14, 0.4) * away / distance
        return other.place(
            self.expression(rng), self.joints(rng), np.array([side, rng.normal(0, 0.12), -away], np.float32)
        )

    def company(self, person: Person, distance: float, rng: np.random.Generator) -> list[Posed]:
        """Draw the stranger behind a person ``distance`` metres away, or none."""
        return [self.stranger(person, distance, rng)] if rng.random() < STRANGER_SHARE else []

    @staticmethod
    def covers(rng: np.random.Generator) -> list[Cover]:
        """Draw the occluders of the picture, in the order in which they are applied."""
        covers: list[Cover] = [occlude] * (int(rng.integers(1, 3)) if rng.random() < 0.3 else 0)
        return covers + [letterbox] * (rng.random() < LETTERBOX_SHARE)

    def crop(self, person: Person, rng: np.random.Generator) -> Crop:
        """Draw pose, light, background and degradation of a person, and render the crop."""
        distance = np.exp(rng.uniform(np.log(0.55), np.log(4.0)))
        shift = rng.normal(0, 0.12, 2) * distance
        posed = person.place(self.expression(rng), self.joints(rng), np.array([*shift, -distance]))
        around = draw_surroundings(self.size, posed.landmarks.mean(0), np.array(person.texture.traits.skin), rng)
        people = [posed, *self.company(person, distance, rng)]
        frame = render_scene(people, self.camera(posed, rng), around.light, around.background, lamps=around.lamps)
        image, visible = frame.image, frame.visible[0].copy()
        labels = np.where(frame.person > 0, 0, frame.labels).astype(np.uint8)
        points = frame.points[0]
        for cover in self.covers(rng):
            image, labels, covered = cover(image, labels, rng)
            place = np.clip(np.round(points), 0, self.size - 1).astype(int)
            visible &= ~covered[place[:, 1], place[:, 0]]
        return Crop(degrade(image, rng), points, visible, labels)

    def crops(self, count: int, rng: np.random.Generator) -> Iterator[Crop]:
        """Yield ``count`` crops of the people of :meth:`cast`; equal arguments give equal crops."""
        for person in self.cast(count, rng):
            yield self.crop(person, rng)
