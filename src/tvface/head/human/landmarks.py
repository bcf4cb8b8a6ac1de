"""The 68 points of 300-W on the human head: 51 static ones, the jaw by yaw, the jaw of the 3D convention."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from tvface.head.data import CONTOUR_ROWS
from tvface.head.human.cut import Cut

Embedding = tuple[np.ndarray, np.ndarray]

# Frontal x, y in mm of the brows' points on the subject's right, y from the eyeballs' centres.
BROW = ((-52.0, 11.5), (-45.0, 16.8), (-36.0, 18.8), (-26.5, 17.8), (-14.5, 14.5))
# Vertices of the base mesh; two: the middle of their edge.
RIDGE: tuple[tuple[int, ...], ...] = ((132,), (131, 135), (164,), (294, 5134))
FOOT = (286, 313, 317)  # the subject's right and the middle; the others are their mirror images
EYE = (24, 0, 54, 66, 47, 41)  # the subject's right: outer corner, two above, inner corner, two below
OUTER_LIP = (425, 5354, 450, 455, 7210, 11956, 7185, 7166, 7241, 492, 486, 406)
INNER_LIP = (432, 471, 474, 7227, 7192, 7242, 493, 487)
# From the ear to the chin on the subject's right; the points divide its frontal length evenly.
JAW = (5237, 867, 859, 5097, 869, 912, 5241, 894, 893, 915, 3698, 917, 5294, 5222, 5167, 5168, 5171)
FULL_SILHOUETTE = 12.0  # deg of yaw within which the far side goes over to the silhouette
LAST_YAW = CONTOUR_ROWS // 2
BELOW_JAW = 6.0  # mm under the jaw's line that the contour may lie
SUBDIVISION = 6  # steps along a triangle's edge between the samples of the contour


class Surface:
    """The skin of the mean head in mm, and points on it as (face, barycentric weights)."""

    def __init__(self, cut: Cut, rest: np.ndarray, faces: np.ndarray) -> None:
        self.cut, self.rest, self.faces = cut, rest, faces
        corners = rest[faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        self.corners = corners
        face = np.zeros(len(rest), bool)
        face[np.unique(cut.quads[cut.piece("face")])] = True
        self.outside = face[faces].all(1)

    def vertices(self, sources: tuple[int, ...]) -> Embedding:
        """Return the mean of one or two neighbouring vertices of the base mesh."""
        vertices = [self.cut.place(source) for source in sources]
        face = int(np.flatnonzero(np.all([(self.faces == v).any(1) for v in vertices], 0) & self.outside)[0])
        weights = np.isin(self.faces[face], vertices) / len(vertices)
        return np.array([face]), weights[None]

    def frontal(self, x: float, y: float) -> Embedding:
        """Return the foremost front-facing skin at frontal (x, y)."""
        a, b, c = np.moveaxis(self.corners[:, :, :2], 1, 0)
        area = _cross(b - a, c - a)
        safe = np.where(np.abs(area) < 1e-9, 1.0, area)
        p = np.array([x, y])
        w1, w2 = _cross(p - a, c - a) / safe, _cross(b - a, p - a) / safe
        bary = np.stack([1 - w1 - w2, w1, w2], 1)
        hit = (area > 1e-9) & (bary > -1e-7).all(1) & self.outside
        depth = np.where(hit, (bary * self.corners[:, :, 2]).sum(1), -np.inf)
        face = int(np.argmax(depth))
        weights = np.clip(bary[face], 0, 1)
        return np.array([face]), (weights / weights.sum())[None]

    def at(self, embedding: Embedding) -> np.ndarray:
        """Return the places (N,3) of an embedding."""
        return np.asarray(np.einsum("nk,nkc->nc", embedding[1], self.corners[embedding[0]]))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _join(items: list[Embedding]) -> Embedding:
    return np.concatenate([i[0] for i in items]), np.concatenate([i[1] for i in items])


def static_embedding(surface: Surface, eye_height: float) -> Embedding:
    """Return faces (51,) and weights (51,3) of points 17..67; ``eye_height``: y of the eyeballs' centres in mm."""
    cut = surface.cut

    def mirrored(source: int) -> int:
        return int(cut.source[cut.mirror[cut.place(source)]])

    brows = [(x, y + eye_height) for x, y in BROW]
    embeddings = [surface.frontal(x, y) for x, y in [*brows, *((-x, y) for x, y in reversed(brows))]]
    embeddings += [surface.vertices(sources) for sources in RIDGE]
    embeddings += [surface.vertices((source,)) for source in (*FOOT, mirrored(FOOT[1]), mirrored(FOOT[0]))]
    embeddings += [surface.vertices((source,)) for source in EYE]
    # The other eye, from its inner corner outward, then back below.
    embeddings += [surface.vertices((mirrored(EYE[k]),)) for k in (3, 2, 1, 0, 5, 4)]
    embeddings += [surface.vertices((source,)) for source in (*OUTER_LIP, *INNER_LIP)]
    return _join(embeddings)


def jaw_embedding(surface: Surface, ears: np.ndarray) -> tuple[Embedding, Embedding]:
    """Return the jaw by yaw (79,17) with weights (79,17,3), and the 3D jaw (17,) with weights (17,3).

    At yaw 0 and on the side that turns towards the viewer the points are the 3D jaw. On the far side they follow the
    silhouette as annotators of pictures do, reached within the first twelve degrees. Each half between ear and chin
    is divided evenly as it shows at that yaw.

    Args:
        ears: (V,) bool, vertices of the ears, on which no point lies.
    """
    faces, bary, position = _samples(surface, ears)
    line = surface.rest[[surface.cut.place(source) for source in JAW]]
    right = _evenly(line, line[:, :2], 9)
    tree = cKDTree(position)
    nearest = tree.query(np.concatenate([right, right[-2::-1] * (-1, 1, 1)]))[1]
    nearest[9:] = tree.query(position[nearest[7::-1]] * (-1, 1, 1))[1]  # exactly mirrored
    rest = position[nearest]
    centre = np.array([0.0, rest[:, 1].mean(), 45.0])
    halves = {sign: np.flatnonzero(np.sign(np.round(position[:, 0], 6)) == sign) for sign in (-1.0, 1.0)}
    table = np.zeros((CONTOUR_ROWS, 17), np.int64)
    for row in range(CONTOUR_ROWS):
        yaw = row if row <= LAST_YAW else LAST_YAW - row
        points = rest.copy()
        if yaw:
            far = np.arange(9, 17) if yaw > 0 else np.arange(0, 8)
            outermost = _silhouette(np.radians(yaw), position[halves[float(np.sign(yaw))]], rest[far], centre)
            t = min(abs(yaw) / FULL_SILHOUETTE, 1.0)
            share = t * t * (3 - 2 * t)
            points[far] = position[tree.query((1 - share) * rest[far] + share * outermost)[1]]
        picture = _turn(points, np.radians(yaw))[:, :2]
        for half in (slice(0, 9), slice(8, 17)):
            points[half] = _evenly(points[half], picture[half], 9)
        table[row] = tree.query(points)[1]
    return (faces[table], bary[table]), (faces[nearest], bary[nearest])


def _samples(surface: Surface, ears: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return face, weights and place of dense points on cheeks and jaw: no ears, nose or neck, and no skin
    that faces steeply down."""
    middle = surface.corners.mean(1)
    jaw = surface.rest[[surface.cut.place(source) for source in JAW]]
    # From the chin to the widest place of the jaw; above, beside the ear, it turns inward again.
    half = jaw[int(np.abs(jaw[:, 0]).argmax()) :][::-1]
    lowest = np.interp(np.abs(middle[:, 0]), np.abs(half[:, 0]), half[:, 1]) - BELOW_JAW
    aside = (np.abs(middle[:, 0]) > 26) | (middle[:, 1] < jaw[-1, 1] + 27)
    cheeks = surface.outside & ~ears[surface.faces].all(1) & (surface.normal[:, 1] > -np.sin(np.radians(55)))
    cheeks &= (middle[:, 2] > 10) & (middle[:, 1] > lowest) & (middle[:, 1] < 32) & aside
    steps = SUBDIVISION
    weights = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)], float) / steps
    faces = np.repeat(np.flatnonzero(cheeks), len(weights))
    bary = np.tile(weights, (int(cheeks.sum()), 1))
    return faces, bary, np.einsum("fk,fkc->fc", bary, surface.corners[faces])


def _evenly(line: np.ndarray, picture: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` points (count,3) of a polyline (N,3) at even steps of its length as drawn, (N,2); its ends
    stay."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(picture, axis=0), axis=1))])
    place = np.linspace(0, length[-1], count)
    return np.stack([np.interp(place, length, line[:, k]) for k in range(3)], 1)


def _silhouette(yaw: float, position: np.ndarray, rest: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return (k,3) the outermost of the points (n,3) along the frontal rays from ``centre`` to ``rest`` (k,3), seen
    after a turn by ``yaw`` rad about it."""
    turned = _turn(position - centre, yaw)[:, :2]
    rays = rest[:, :2] - centre[:2]
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    along = turned @ rays.T
    across = turned @ np.stack([-rays[:, 1], rays[:, 0]])
    return np.asarray(position[np.argmax(along - across**2 / 6.0, axis=0)])


def _turn(points: np.ndarray, yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.asarray(points @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T)
