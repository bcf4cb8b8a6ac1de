"""Make the training faces of the bundled identity network.

    python -m tvface.bundled.faces --out .cache/faces --people 3600

Every person has their own face and texture, and two looks: clothes, stubble, spectacles, hats and make-up change, hair
and skin stay, as within a season of a show. Every second person has the skin tone and the hair of the person before, so
that these alone do not identify anyone. A person appears in takes, each with its own light, background, distance, pose
and degradation, and a take has a few faces. With more faces per take the takes are as long as real tracks; the
distances of the embedders are measured on those (:mod:`tvface.bundled.distances`).

The crops are cut as the pipeline cuts them, from five points with a detector's errors. People of the embedded show are
not among them: their textures come from other seeds, and the two portraits are not used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from tvface.bundled.commands import command_line, log_paths, makers_parser
from tvface.bundled.people import ARRAYS, People
from tvface.conventions.similarity import similarity
from tvface.embedders.base import SIDE
from tvface.embedders.crops import TEMPLATE, aligned_crop
from tvface.head.data import HeadData
from tvface.runtime.threads import one_thread
from tvface.synthetic.camera.degrade import degrade
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.crops.shard_files import HEAD, save_shard, sizes, write_head, write_missing
from tvface.synthetic.foreground.occluders import occlude
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.people.expressions import Mien
from tvface.synthetic.people.population import Population
from tvface.synthetic.people.traits import Traits, draw_traits, rgb
from tvface.synthetic.people.variety import vary
from tvface.synthetic.person import Person
from tvface.synthetic.places.surroundings import Surroundings, draw_surroundings
from tvface.synthetic.render.scene import Camera, render_scene

SIZE = 96  # of the stored crops, and the network's input
TEXELS = 256  # two per pixel of the largest face
TAKES, FACES = 5, 2  # per person, per take
ALIKE = 0.5  # of the people share skin and hair with the one before
WIDE = 1.4  # side of the rendered picture in sides of the crop: the crop may be turned and moved
EYES = (14.0, 60.0)  # pixels between the eyes in the picture
# Errors of a detector's five points in eye distances; MTCNN on the embedded show: .04 to .06 per point.
POINT_ERROR, SHIFT_ERROR, SCALE_ERROR, TURN_ERROR = 0.04, 0.02, 0.03, 1.5  # the last in degrees


@dataclasses.dataclass(frozen=True)
class Identity:
    """A person: ``shape`` code and two ``looks`` (traits of equal seed)."""

    shape: np.ndarray
    looks: tuple[Traits, Traits]


def draw_person(population: Population, like: Identity | None, rng: np.random.Generator) -> Identity:
    """Draw a person; with the sex, nearly the age and origin, and the skin tone and hair of ``like`` unless None."""
    seed = int(rng.integers(2**31))
    if like is None:
        shape, nature = population.draw(rng)
        traits = draw_traits(seed, nature)
    else:
        shape, nature = population.draw_like(like.looks[0].nature, rng)
        traits = draw_traits(seed, nature)
        model = like.looks[0]
        traits = dataclasses.replace(
            traits,
            skin=model.skin,
            darkness=model.darkness,
            hair_colour=model.hair_colour,
            hair_style=model.hair_style,
            brow_colour=model.brow_colour,
        )
    traits = vary(traits)
    return Identity(shape, (traits, _other_look(traits, rng)))


def _other_look(traits: Traits, rng: np.random.Generator) -> Traits:
    """Return the traits with changes from one day to another: clothes, stubble, spectacles, hat, make-up."""
    cloth = rng.uniform(0.06, 0.85) * (1 - rng.uniform(0, 0.7) * rng.uniform(0, 1, 3))
    look = dataclasses.replace(
        traits,
        cloth=rgb(cloth),
        cloth_stripes=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.3 else 0.0,
        stubble=float(np.clip(traits.stubble + rng.normal(0, 0.2), 0, 0.8)) if traits.stubble else 0.0,
        hat="",
    )
    if traits.spectacles == "sun" or (traits.spectacles and rng.random() < 0.25):
        look = dataclasses.replace(look, spectacles="")
    elif not traits.spectacles and rng.random() < 0.08:
        look = dataclasses.replace(look, spectacles=str(rng.choice(["round", "square"])))
    if rng.random() < 0.4:
        look = dataclasses.replace(look, eye_shadow=0.0, liner=0.0, liner_below=0.0, smoke=0.0)
    return look


def five_points(points: np.ndarray) -> np.ndarray:
    """Return eye centres, nose tip and mouth corners, (5, 2), from the 68 points, (68, 2)."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


def detected(five: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return five points (5, 2) with a detector's errors: of each point, and of all together."""
    eyes = np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]) / np.sqrt(np.linalg.det(similarity(five, TEMPLATE)[:, :2]))
    middle = five.mean(0)
    angle = np.radians(rng.normal(0, TURN_ERROR))
    turn = np.exp(rng.normal(0, SCALE_ERROR)) * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    moved = (five - middle) @ turn.T + middle + rng.normal(0, SHIFT_ERROR, 2) * eyes
    return np.asarray(moved + rng.normal(0, POINT_ERROR, (5, 2)) * eyes)


class FaceMaker(CropMaker):
    """Render takes of people; all randomness comes from the generators passed in."""

    def __init__(self, head: HeadData) -> None:
        super().__init__(head, SIZE, texels=TEXELS)

    def people(self, identity: Identity) -> tuple[Person, Person]:
        """Return the person in both looks."""
        first, second = (
            Person(
                self.stage,
                identity.shape,
                procedural_texture(self.painter, self.stage.head.faces, look.seed, look),
            )
            for look in identity.looks
        )
        return first, second

    def take(self, person: Person, rng: np.random.Generator, count: int = FACES) -> list[np.ndarray]:
        """Return ``count`` faces of one take, (SIZE, SIZE, 3) uint8 RGB each."""
        side = round(float(np.exp(rng.uniform(*np.log(EYES)))) * WIDE * SIDE / (TEMPLATE[1, 0] - TEMPLATE[0, 0]))
        distance = np.exp(rng.uniform(np.log(0.55), np.log(4.0)))
        place = np.array([*rng.normal(0, 0.12, 2) * distance, -distance])
        around = draw_surroundings(side, place, np.array(person.texture.traits.skin), rng)
        yaw = rng.uniform(-46, 46) if rng.random() < 0.5 else rng.normal(0, 14)
        pitch, mood = rng.normal(0, 9), self.mien(rng)
        faces = []
        degradation = int(rng.integers(2**31))  # a seed per take: one camera, one recording
        for _ in range(count):
            image, points = self._picture(person, (yaw, pitch), mood, place, around, rng)
            image = degrade(image, np.random.default_rng(degradation))
            crop = aligned_crop(image, detected(five_points(points), rng))
            faces.append(np.asarray(cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8))
        return faces

    def _picture(
        self,
        person: Person,
        pose: tuple[float, float],
        mood: Mien,
        place: np.ndarray,
        around: Surroundings,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        change, other = rng.uniform(0, 0.7), self.mien(rng)
        joints = self.joints(mood, rng)
        joints[6] += change * (other.jaw - mood.jaw)
        yaw, pitch, roll = np.clip(rng.normal((*pose, 0), (7, 5, 8)), (-50, -35, -35), (50, 30, 35))
        neck = Rotation.from_euler("YX", [0.3 * yaw, 0.3 * pitch], degrees=True)
        whole = Rotation.from_euler("ZYX", [roll, yaw, pitch], degrees=True)
        joints[:3], joints[3:6] = (whole * neck.inv()).as_rotvec(), neck.as_rotvec()
        posed = person.place((1 - change) * mood.code + change * other.code, joints, place)
        size = len(around.background)
        plain = five_points(Camera(1.0, 1, 1, (0.0, 0.0)).project(posed.landmarks)[:, :2])
        to_crop = similarity(plain, TEMPLATE)
        focal = size / WIDE / SIDE * float(np.sqrt(np.linalg.det(to_crop[:, :2])))
        centre = np.linalg.solve(to_crop[:, :2], np.full(2, (SIDE - 1) / 2) - to_crop[:, 2])
        off = rng.normal(0, 0.12 if rng.random() < 0.06 else 0.02, 2) * size  # some at the picture's edge
        axis = (size - 1) / 2 + off - centre * focal
        camera = Camera(focal, size, size, (float(axis[0]), float(axis[1])))
        frame = render_scene([posed], camera, around.light, around.background, lamps=around.lamps)
        image = frame.image
        if rng.random() < 0.12:
            image, _, _ = occlude(image, frame.labels, rng)
        return image, frame.points[0].astype(np.float64)


def make(head: HeadData, count: int, seed: int, per_take: int = FACES) -> People:
    """Return all faces of ``count`` people, numbered from 0; equal arguments give equal faces."""
    maker = FaceMaker(head)
    rng = np.random.default_rng([seed, 0xFACE])
    images, person, take = [], [], []
    before: Identity | None = None
    for number in range(count):
        identity = draw_person(maker.population, before if rng.random() < ALIKE else None, rng)
        looks = maker.people(identity)
        for index in range(TAKES):
            faces = maker.take(looks[index % 2], rng, per_take)
            images += faces
            person += [number] * len(faces)
            take += [index] * len(faces)
        before = identity
    return People(np.stack(images), np.array(person, np.int32), np.array(take, np.int32))


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard to write: ``count`` people from ``seed``, with ``per_take`` faces in each take."""

    path: Path
    count: int
    seed: int
    per_take: int


def _write_shard(shard: Shard) -> Path:
    with one_thread():
        people = make(HeadData.load(shard.path.parent / HEAD), shard.count, shard.seed, shard.per_take)
    return save_shard(shard.path, {name: getattr(people, name) for name in ARRAYS})


def write(
    folder: Path, people: int, seed: int, processes: int, per_shard: int = 50, per_take: int = FACES
) -> Iterator[Path]:
    """Write shards for :func:`tvface.bundled.people.load`; yield each path when its shard is written.

    Args:
        folder: of the shards; created if missing.
        people: number of people.
        seed: of the set; every shard has its own seed.
        processes: number of worker processes; it does not change the files.
        per_shard: number of people in a shard.
        per_take: number of faces in a take.

    Raises:
        CropsError: the folder holds crops of another head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_head(folder)
    shards = [
        Shard(folder / f"people_{index:04d}.npz", number, seed * 100_003 + index, per_take)
        for index, number in enumerate(sizes(people, per_shard))
    ]
    yield from write_missing(_write_shard, shards, processes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write faces."""
    parser = makers_parser("tvface.bundled.faces", __doc__)
    parser.add_argument("--people", type=int, default=3600)
    parser.add_argument("--faces", type=int, default=FACES, help="per take: more for distances between tracks")
    options = parser.parse_args(arguments)
    command = command_line("tvface.bundled.faces", arguments)
    shards = write(options.out, options.people, options.seed, options.processes, per_take=options.faces)
    log_paths(shards, options.out, command)


if __name__ == "__main__":
    main()
