"""Held-out crops from the training generator, with truth that the training crops do not store: head angles and frontal
eye distance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tvface.bundled.crops import SIZE, WideCrops
from tvface.conventions.annotation import as_annotated
from tvface.conventions.points68 import OUTER_EYES
from tvface.head.data import HeadData
from tvface.synthetic.hair.texture import Texture
from tvface.synthetic.render.scene import Camera
from tvface.synthetic.render.surfaces import Posed

Array = NDArray[np.float64]
# Training crops come from other streams: [seed, 0x1A4D] (bundled.crops) and [seed, 0xFACE] (bundled.faces).
STREAM = 0x3E57


@dataclass(frozen=True)
class Render:
    """A crop with its truth.

    ``image`` (S, S, 3) uint8 RGB; ``points`` (68, 2) float32 crop pixels; ``labels`` (S, S) uint8 zllrunning classes;
    ``angles`` (3,) yaw, pitch and roll in degrees; ``frontal_eyes`` outer eye distance in pixels that this head has
    from the front at this distance.

    Convention: angles relative to the line of sight, signs as in :func:`tvface.evaluation.pose.head_angles`.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    labels: NDArray[np.uint8]
    angles: Array
    frontal_eyes: float


class _Recorder(WideCrops):
    """Wide crops that record the last pose."""

    angles: Array
    frontal_eyes: float

    def camera(self, posed: Posed, rng: np.random.Generator) -> Camera:
        camera = super().camera(posed, rng)
        self.angles = seen_angles(posed)
        self.frontal_eyes = frontal_eye_distance(posed, camera.focal)
        return camera


def renders(
    head: HeadData, count: int, seed: int, size: int = SIZE, portraits: Sequence[Texture] = ()
) -> Iterator[Render]:
    """Yield ``count`` crops; equal arguments give equal crops. No seed reproduces a training crop.

    Args:
        head: the human head.
        count: number of crops.
        seed: of the crops.
        size: side in pixels.
        portraits: photographic textures for a part of the persons, as in training.
    """
    maker = _Recorder(head, size, portraits)
    rng = np.random.default_rng([seed, STREAM])
    for person in maker.cast(count, rng):
        crop = maker.crop(person, rng)
        points = crop.points.astype(np.float32)
        yield Render(crop.image, points, crop.labels, maker.angles, maker.frontal_eyes)


def seen_angles(posed: Posed) -> Array:
    """Return yaw, pitch and roll in degrees of a head relative to the line from the camera to it, (3,).

    Off the camera's axis a head shows more of one side than its rotation implies. The pinhole picture equals, up to a
    small shear, the picture of a camera that points straight at the head.
    """
    away = posed.landmarks.mean(0).astype(np.float64)
    away /= np.linalg.norm(away)
    ahead = np.array([0.0, 0.0, -1.0])
    axis = np.cross(away, ahead)
    angle = np.arctan2(np.linalg.norm(axis), away @ ahead)
    facing = Rotation.from_rotvec(axis / max(float(np.linalg.norm(axis)), 1e-12) * angle)
    roll, yaw, pitch = (facing * Rotation.from_matrix(posed.rotation)).as_euler("ZYX", degrees=True)
    return np.array([yaw, pitch, roll])


def frontal_eye_distance(posed: Posed, focal: float) -> float:
    """Return the outer eye distance in pixels that a head would have if it faced the camera at its position.

    The points are rotated back to the front and scaled by ``focal`` over their mean depth. The eye corners follow
    the annotation of 300-W.
    """
    points = posed.landmarks.astype(np.float64)
    depth = float(-points[:, 2].mean())
    front = (points - points.mean(0)) @ posed.rotation
    flat = as_annotated(front[None, :, :2] * focal / depth)[0]
    return float(np.linalg.norm(flat[OUTER_EYES[0]] - flat[OUTER_EYES[1]]))
