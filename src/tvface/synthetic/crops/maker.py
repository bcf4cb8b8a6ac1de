"""Training crops of synthetic people for the landmark and parsing networks, with exact points and classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from tvface.head.data import HeadData
from tvface.synthetic.atlas import build_atlas
from tvface.synthetic.camera.degrade import degrade
from tvface.synthetic.foreground.occluders import Covered, letterbox, occlude
from tvface.synthetic.hair.texture import Texture, procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.expressions import Mien, draw_mien
from tvface.synthetic.people.population import Nature, Population
from tvface.synthetic.people.traits import draw_traits
from tvface.synthetic.people.variety import vary
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.places.surroundings import draw_surroundings
from tvface.synthetic.render.scene import Camera, render_scene
from tvface.synthetic.render.surfaces import Posed

Cover = Callable[[np.ndarray, np.ndarray, np.random.Generator], Covered]

TEXTURE_EVERY = 4  # crops per procedural texture
PERSON_EVERY = 2  # crops per identity
STRANGER_SHARE = 0.12  # of the crops
LETTERBOX_SHARE = 0.05
PORTRAIT_SHARE = 0.1  # of the looks, if there are portraits
WIDEST = 80.0  # degrees of yaw


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
        head: the human head.
        size: side of the crops in pixels.
        portraits: photographic textures to use beside the procedural ones.
        texels: side of the textures.
        people: part of the population (:class:`Population`).

    Raises:
        ValueError: the head is another one.
    """

    def __init__(
        self,
        head: HeadData,
        size: int = 128,
        portraits: Sequence[Texture] = (),
        texels: int = 512,
        people: str = "all",
    ) -> None:
        self.population = Population(head, people)
        self.jaw_open = float(head.notes["jaw_open_angle"])
        self.size = size
        self.portraits = tuple(portraits)
        self.stage = Stage(head, build_atlas(head, texels))
        self.painter = SkinPainter(self.stage.atlas)

    def texture(self, nature: Nature, rng: np.random.Generator) -> Texture:
        """Paint new looks for a nature."""
        seed = int(rng.integers(2**31))
        return procedural_texture(self.painter, self.stage.head.faces, seed, vary(draw_traits(seed, nature)))

    def person(self, rng: np.random.Generator) -> Person:
        """Draw a new person: bone from the table of people, and looks that fit it, or those of a portrait."""
        shape, nature = self.population.draw(rng)
        texture = self.texture(nature, rng)
        if self.portraits and rng.random() < PORTRAIT_SHARE:
            texture = self.portraits[int(rng.integers(len(self.portraits)))]
        return Person(self.stage, shape, texture)

    def sibling(self, person: Person, rng: np.random.Generator) -> Person:
        """Return a person with the same looks and the bone of another one of nearly the same nature: a new texture
        costs more than the rest of a crop."""
        nature = person.texture.traits.nature
        return Person(self.stage, self.population.draw_like(nature, rng)[0], person.texture)

    def cast(self, count: int, rng: np.random.Generator) -> Iterator[Person]:
        """Yield the person of each of ``count`` crops or shots: new looks every :data:`TEXTURE_EVERY`, another bone
        every :data:`PERSON_EVERY`. It is lazy: ``rng`` is used between the draws for one crop and the next.
        """
        for index in range(count):
            if index % TEXTURE_EVERY == 0:
                person = self.person(rng)
            elif index % PERSON_EVERY == 0:
                person = self.sibling(person, rng)
            yield person

    def mien(self, rng: np.random.Generator) -> Mien:
        """Draw an expression with its jaw and gaze."""
        return draw_mien(rng, self.jaw_open)

    @staticmethod
    def joints(mien: Mien, rng: np.random.Generator) -> np.ndarray:
        """Draw joint rotations (15,) around a mien's jaw and gaze: four of ten heads turned evenly within
        +-:data:`WIDEST` degrees, others near the front."""
        yaw = rng.uniform(-WIDEST, WIDEST) if rng.random() < 0.4 else rng.normal(0, 20)
        pitch = rng.uniform(-35, 30) if rng.random() < 0.15 else rng.normal(0, 11)
        yaw, pitch, roll = np.clip(yaw, -WIDEST, WIDEST), np.clip(pitch, -38, 32), np.clip(rng.normal(0, 10), -35, 35)
        whole = Rotation.from_euler("ZYX", [roll, yaw, pitch], degrees=True)
        share = rng.uniform(0.1, 0.5)
        neck = Rotation.from_euler("YX", [share * yaw, share * pitch], degrees=True)
        joints = np.zeros(15)
        joints[:3] = (whole * neck.inv()).as_rotvec()
        joints[3:6] = neck.as_rotvec()
        joints[6] = mien.jaw
        joints[9:11] = joints[12:14] = mien.gaze
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

        The network only has to learn that a second face beside the first is not its target.
        """
        other, mien = self.sibling(person, rng), self.mien(rng)
        away = distance + rng.uniform(0.3, 2.5)
        side = (1 if rng.random() < 0.5 else -1) * rng.uniform(0.14, 0.4) * away / distance
        place = np.array([side, rng.normal(0, 0.12), -away], np.float32)
        return other.place(mien.code, self.joints(mien, rng), place)

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
        mien = self.mien(rng)
        posed = person.place(mien.code, self.joints(mien, rng), np.array([*shift, -distance]))
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
