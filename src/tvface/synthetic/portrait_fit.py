"""Fit of the head to an annotated portrait: pose, identity and expression from 68 points."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import matplotlib.cbook
import matplotlib.image
import numpy as np
from scipy.optimize import least_squares
from skimage import data

from tvface.synthetic.person import Stage, rotation_matrix
from tvface.synthetic.render.scene import Camera

POINTS_FILE = Path(__file__).resolve().parents[3] / "resources" / "portraits.tsv"
PORTRAITS = ("astronaut", "grace_hopper")
FOCAL_PER_SIDE = 3.0  # pitch and focal length are confounded in one view; a portrait lens
N_SHAPE = 40
# Units that the points of a portrait cannot tell apart from others, or that would move what is painted.
STILL = ("eyeBlink", "eyeLook", "jawOpen", "tongueOut", "mouthClose", "jawForward")


@dataclass(frozen=True)
class PortraitFit:
    """The head that explains a portrait.

    shape (S,), expression (E,): codes; joints (15,): axis-angle, radians; translation (3,): metres, camera
    coordinates; camera: of the photograph; error: mean distance of the 68 points in percent of the outer eye distance.
    """

    shape: np.ndarray
    expression: np.ndarray
    joints: np.ndarray
    translation: np.ndarray
    camera: Camera
    error: float


def portrait_picture(name: str) -> np.ndarray:
    """Return the photograph, RGB uint8 (H, W, 3): NASA's portrait of Eileen Collins (public domain, in scikit-image) or
    the US Navy's of Grace Hopper (public domain, in matplotlib).

    Raises:
        KeyError: the name is not one of :data:`PORTRAITS`.
    """
    if name == "astronaut":
        return np.ascontiguousarray(data.astronaut()[:, :, :3])
    if name == "grace_hopper":
        path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
        return np.ascontiguousarray(matplotlib.image.imread(str(path))[:, :, :3])
    raise KeyError(f"no portrait named {name!r}; valid: {', '.join(PORTRAITS)}")


def portrait_points(name: str, path: Path = POINTS_FILE) -> np.ndarray:
    """Read the 68 points of a portrait: (68, 2) float64 pixels, centres at integers, 300-W order.

    Raises:
        ValueError: the table has not exactly the points 0..67 of this portrait.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["portrait"] == name]
    if [int(row["point"]) for row in rows] != list(range(68)):
        raise ValueError(f"{path}: expected the points 0..67 of {name!r} in order, found {len(rows)} rows")
    return np.array([(float(row["x"]), float(row["y"])) for row in rows])


def fit_portrait(stage: Stage, points: np.ndarray, width: int, height: int) -> PortraitFit:
    """Fit the human head to 68 points by least squares.

    Residuals are in percent of the outer eye distance, weighted (jaw .45, chin, inner lips and ridge .8);
    priors pull the codes to the mean.

    Args:
        stage: of the human head.
        points: (68, 2) pixels; width, height: of the photograph.

    Raises:
        RuntimeError: the optimizer did not converge.
    """
    fit = _Fit(stage, points, Camera.central(FOCAL_PER_SIDE * max(width, height), width, height))
    low, high = fit.bounds()
    scale = fit.scale()

    def jacobian(x: np.ndarray) -> np.ndarray:
        # The head is computed in float32: steps of a thousandth of each scale stay well above its rounding.
        base, columns = fit.residuals(x), []
        for index, step in enumerate(1e-3 * scale):
            moved = x.copy()
            moved[index] += step if x[index] + step <= high[index] else -step
            columns.append((fit.residuals(moved) - base) / (moved[index] - x[index]))
        return np.stack(columns, axis=1)

    best = least_squares(fit.residuals, fit.start(), jacobian, bounds=(low, high), x_scale=scale, max_nfev=40)
    if best.status < 0:
        raise RuntimeError(f"the portrait fit did not converge: {best.message}")
    return fit.result(best.x)


class _Fit:
    """The least-squares problem of one portrait. Its unknowns are, in this order: the root's rotation (3), its place in
    metres (3), the jaw's opening (1), the shape (N_SHAPE), the face units that may move."""

    def __init__(self, stage: Stage, points: np.ndarray, camera: Camera) -> None:
        self.stage, self.points, self.camera = stage, points, camera
        names = stage.head.notes["expression_names"]
        self.moving = [i for i, name in enumerate(names) if not name.startswith(STILL)]
        self.unit = np.linalg.norm(points[45] - points[36]) / 100
        self.weight = np.ones(68)
        self.weight[:17], self.weight[8], self.weight[60:], self.weight[27:31] = 0.45, 0.8, 0.8, 0.8
        self.prior = np.concatenate([[4.0], np.ones(N_SHAPE), np.full(len(self.moving), 1.5)])
        self.count = 7 + N_SHAPE + len(self.moving)

    def unpack(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return shape, expression, joints and translation."""
        expression = np.zeros(self.stage.expression.shape[1])
        expression[self.moving] = x[7 + N_SHAPE :]
        joints = np.zeros(15)
        joints[:3], joints[6] = x[:3], x[6]
        return x[7 : 7 + N_SHAPE], expression, joints, x[3:6]

    def project(self, x: np.ndarray) -> np.ndarray:
        """Return the 68 points (68, 2) in the photograph, pixels."""
        shape, expression, joints, translation = self.unpack(x)
        rotations = rotation_matrix(joints.reshape(5, 3))
        vertices, _ = self.stage.deform(self.stage.identity(shape), expression, rotations)
        landmarks = self.stage.landmarks(vertices, rotations)
        return self.camera.project(landmarks + translation)[:, :2].astype(np.float64)

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Return the weighted distances of the points and the priors."""
        distance = (self.project(x) - self.points) / self.unit * self.weight[:, None]
        return np.concatenate([distance.ravel(), self.prior * x[6:]])

    def start(self) -> np.ndarray:
        """Return the mean head from the front, as large as the eyes are apart and where they are."""
        stage, camera = self.stage, self.camera
        start = np.zeros(self.count)
        width = np.linalg.norm(
            np.diff(stage.landmarks(stage.template, np.tile(np.eye(3), (5, 1, 1)))[[36, 45], :2], axis=0)
        )
        depth = camera.focal * width / (100 * self.unit)
        eyes = self.points[36:48].mean(0)
        start[3:6] = (
            (eyes[0] - camera.centre[0]) * depth / camera.focal,
            (camera.centre[1] - eyes[1]) * depth / camera.focal,
            -depth,
        )
        return start

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest values."""
        low, high = np.full(self.count, -np.inf), np.full(self.count, np.inf)
        low[6], high[6] = -0.02, 0.5
        low[7 : 7 + N_SHAPE], high[7 : 7 + N_SHAPE] = -3, 3
        # Blendshape weights; a little below zero, since the resting face of a person is not the sculpted one.
        low[7 + N_SHAPE :], high[7 + N_SHAPE :] = -0.15, 1.1
        return low, high

    def scale(self) -> np.ndarray:
        """Return the typical scale of each unknown."""
        scale = np.ones(self.count)
        scale[:3], scale[3:5], scale[5], scale[6] = 0.1, 0.01, 0.2, 0.1
        return scale

    def result(self, x: np.ndarray) -> PortraitFit:
        """Return the fit of a vector of unknowns."""
        shape, expression, joints, translation = self.unpack(x)
        error = float(np.linalg.norm(self.project(x) - self.points, axis=1).mean() / self.unit)
        whole = np.zeros(self.stage.shape.shape[1], np.float32)
        whole[:N_SHAPE] = shape
        return PortraitFit(whole, expression.astype(np.float32), joints, translation, self.camera, error)
