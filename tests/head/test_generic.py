"""The generic head: topology, symmetry, eyes, jaw, landmarks, UV, regions, albedo."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from tests.head.conftest import same
from tvface.head.data import HeadData
from tvface.head.generic import build
from tvface.head.generic.grid import skin_faces
from tvface.head.generic.parts import EYE_LEFT, EYE_RIGHT, SKIN, parts
from tvface.head.generic.sculpt import EYE_CENTRE, EYE_RADIUS, grid, skin
from tvface.head.model import HeadModel
from tvface.settings.model import Head

L_EYE, R_EYE, NOSE, U_LIP, L_LIP, NECK, CLOTH, HAIR = 4, 5, 10, 12, 13, 14, 16, 17


@pytest.fixture(scope="module")
def model(generic: HeadData) -> HeadModel:
    return HeadModel(generic, 100, 50)


def posed(model: HeadModel, generic: HeadData, pose: list[float] | None = None, **expressions: float) -> Any:
    """Return the head with the named expressions; millimetres."""
    expression = torch.zeros(1, 50)
    for name, value in expressions.items():
        expression[0, generic.notes["expression_names"].index(name)] = value
    output = model(torch.zeros(1, 100), expression, torch.tensor([pose or [0.0] * 6]))
    return type(output)(*(1e3 * part[0].numpy() for part in output))


def test_deterministic_and_of_the_promised_size(generic: HeadData) -> None:
    assert same(generic, build(Head()))
    assert 4000 <= len(generic.v_template) <= 6000
    assert generic.shape_basis.shape[2] == 100 and generic.expression_basis.shape[2] == 50
    assert len(generic.albedo_basis) == 50
    assert generic.notes["licence"] == "Apache-2.0"
    with pytest.raises(ValueError, match=r"head\.n_shape = 300"):
        build(Head(n_shape=300))


def test_skin_is_mirror_symmetric_and_closed_but_for_the_slits(generic: HeadData) -> None:
    g = grid()
    position = skin().position
    mirror = g.mirror()
    np.testing.assert_allclose(position[mirror], position * (-1, 1, 1), atol=1e-9)
    faces, _ = skin_faces(g)
    mirrored = {tuple(sorted(mirror[face])) for face in faces}
    assert mirrored == {tuple(sorted(face)) for face in faces}
    edges = Counter(tuple(sorted((f[i], f[(i + 1) % 3]))) for f in faces.tolist() for i in range(3))
    assert max(edges.values()) == 2
    around_slits = sum(2 * (last - first) for _, first, last in g.slits)
    assert sum(n == 1 for n in edges.values()) == around_slits + len(g.theta)
    directed = Counter((f[i], f[(i + 1) % 3]) for f in faces.tolist() for i in range(3))
    assert max(directed.values()) == 1  # consistent orientation


def test_faces_look_outward(generic: HeadData) -> None:
    p = parts()
    v, f = p.position, p.faces
    normal = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    middle = v[f].mean(1)
    assert (np.linalg.norm(normal, axis=1) > 1e-9).mean() > 0.99
    crown = (p.face_part == SKIN) & (middle[:, 1] > 30)
    assert ((normal * (middle - (0, 0, 0))).sum(1)[crown] > 0).all()
    for kind, side in ((EYE_LEFT, 1), (EYE_RIGHT, -1)):
        ball = p.face_part == kind
        assert ((normal * (middle - EYE_CENTRE * (side, 1, 1))).sum(1)[ball] > 0).all()


def test_measurements_of_a_person(generic: HeadData, model: HeadModel) -> None:
    """Neutral distances in mm, against the ranges of adults."""
    points = posed(model, generic).landmarks3d
    assert 84 < np.linalg.norm(points[36] - points[45]) < 97  # outer eye corners
    assert 28 < np.linalg.norm(points[39] - points[42]) < 38  # inner eye corners
    assert 44 < np.linalg.norm(points[48] - points[54]) < 58  # mouth
    assert 95 < points[27, 1] - points[8, 1] < 125  # nasion to chin
    assert 14 < points[30, 2] - points[33, 2] < 26  # the nose stands out
    assert np.abs(points[[8, 27, 28, 29, 30, 33, 51, 57], 0]).max() < 0.05
    pairs = [(0, 16), (4, 12), (17, 26), (21, 22), (31, 35), (36, 45), (37, 44), (39, 42), (40, 47), (48, 54), (60, 64)]
    for right, left in pairs:
        np.testing.assert_allclose(points[right] * (-1, 1, 1), points[left], atol=0.6)
    brow_over_eye = points[[18, 19, 20], 1].mean() - points[[36, 39], 1].mean()
    assert 14 < brow_over_eye < 22
    assert (np.diff(points[27:31, 1]) < -7).all()


def test_random_people_keep_lids_on_their_eyes(generic: HeadData, model: HeadModel) -> None:
    p, g = parts(), grid()
    edge = [
        int(v)
        for row, first, last in g.slits[:2]
        for c in range(first + 1, last)
        for v in (g.above[row, c], g.below[row, c])
    ]
    torch.manual_seed(0)
    vertices = 1e3 * model(torch.randn(40, 100), torch.zeros(40, 50), torch.zeros(40, 6)).vertices.numpy()
    for kind, side in ((EYE_RIGHT, -1), (EYE_LEFT, 1)):
        ball = vertices[:, p.part == kind]
        # The mean of the rings lies on the ball's axis at a known depth: the ball moved rigidly.
        shift = ball - p.position[p.part == kind]
        assert np.abs(shift - shift.mean(1, keepdims=True)).max() < 1e-3
        centre = EYE_CENTRE * (side, 1, 1) + shift.mean(1)
        lids = vertices[:, [v for v in edge if np.sign(p.position[v, 0]) == side]]
        distance = np.linalg.norm(lids - centre[:, None], axis=-1)
        assert distance.min() > EYE_RADIUS - 0.2
        assert np.median(distance) < EYE_RADIUS + 2.5


def test_modes_never_jump(generic: HeadData) -> None:
    """Neighbouring vertices move alike for every identity mode: no wedge at an eye corner, no step under the nose."""
    faces, _ = skin_faces(grid())
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    length = np.linalg.norm(generic.v_template[edges[:, 0]] - generic.v_template[edges[:, 1]], axis=1)
    for k, name in enumerate(generic.notes["shape_names"]):
        column = generic.shape_basis[..., k]
        step = np.linalg.norm(column[edges[:, 0]] - column[edges[:, 1]], axis=1)
        assert (step < 0.45 * length + 2e-4).all(), name


def test_brow_mode_moves_the_brow_points(generic: HeadData, model: HeadModel) -> None:
    code = torch.zeros(1, 100)
    code[0, generic.notes["shape_names"].index("brow_y")] = 2.0
    rest = posed(model, generic).landmarks3d
    moved = 1e3 * model(code, torch.zeros(1, 50), torch.zeros(1, 6)).landmarks3d[0].numpy()
    assert 3.0 < (moved - rest)[17:27, 1].mean() < 5.0
    assert np.abs((moved - rest)[36:48]).max() < 1.0


def test_jaw_opens_for_positive_x(generic: HeadData, model: HeadModel) -> None:
    rest, opened = posed(model, generic), posed(model, generic, [0, 0, 0, 0.25, 0, 0])
    assert np.linalg.norm(rest.landmarks3d[62] - rest.landmarks3d[66]) < 1.0
    gap = opened.landmarks3d[62, 1] - opened.landmarks3d[66, 1]
    assert 18 < gap < 32
    assert opened.landmarks3d[8, 1] < rest.landmarks3d[8, 1] - 8
    np.testing.assert_allclose(opened.landmarks3d[27:46], rest.landmarks3d[27:46], atol=0.3)


def test_lids_close_and_open_one_eye(generic: HeadData, model: HeadModel) -> None:
    full = generic.notes["expression_full"]

    def opening(points: np.ndarray, upper: int, lower: int) -> float:
        return float(points[upper, 1] - points[lower, 1])

    rest = posed(model, generic).landmarks3d
    left = posed(model, generic, lid_L=full).landmarks3d
    assert opening(rest, 43, 47) > 6 and opening(rest, 38, 40) > 6
    assert opening(left, 43, 47) < 0.8  # the subject's left eye is 42..47
    assert opening(left, 38, 40) == pytest.approx(opening(rest, 38, 40), abs=1e-3)
    assert opening(posed(model, generic, lid_wide=full).landmarks3d, 43, 47) > opening(rest, 43, 47) + 0.7


def test_smile_raises_the_corners(generic: HeadData, model: HeadModel) -> None:
    full = generic.notes["expression_full"]
    rest, smile = posed(model, generic).landmarks3d, posed(model, generic, smile=full).landmarks3d
    assert (smile - rest)[[48, 54], 1].min() > 3.5
    assert smile[54, 0] - smile[48, 0] > rest[54, 0] - rest[48, 0] + 8
    assert np.linalg.norm(smile[62] - smile[66]) < 1.5
    half = posed(model, generic, smile_L=full).landmarks3d
    assert (half - rest)[54, 1] > 3.5 and abs((half - rest)[48, 1]) < 0.3


def test_joints_follow_identity(generic: HeadData, model: HeadModel) -> None:
    joints = 1e3 * generic.joint_regressor.astype(np.float64) @ generic.v_template
    np.testing.assert_allclose(joints[3], EYE_CENTRE, atol=0.02)
    np.testing.assert_allclose(joints[4], EYE_CENTRE * (-1, 1, 1), atol=0.02)
    np.testing.assert_allclose(joints[2], (0, -12, 10), atol=0.02)
    column = generic.notes["shape_names"].index("eye_sep")
    moved = 1e3 * generic.joint_regressor.astype(np.float64) @ generic.shape_basis[..., column]
    assert moved[3, 0] == pytest.approx(-moved[4, 0], abs=1e-3) and moved[3, 0] > 1.0


def _dense(line: np.ndarray) -> np.ndarray:
    """Return 40 points on each straight piece of a line (N, 3)."""
    share = np.linspace(0, 1, 40)[None, :, None]
    return np.asarray(((1 - share) * line[:-1, None] + share * line[1:, None]).reshape(-1, 3))


def test_contour_follows_the_silhouette(generic: HeadData, model: HeadModel) -> None:
    rest = posed(model, generic)
    np.testing.assert_allclose(rest.landmarks2d[17:], rest.landmarks3d[17:], atol=1e-6)
    previous = rest.landmarks2d
    for yaw in range(1, 40):
        turned = posed(model, generic, [0, float(np.radians(yaw)), 0, 0, 0, 0])
        # Even steps in the picture from ear to chin on either side, as far as the dense samples of the skin allow.
        for half in (turned.landmarks2d[:9, :2], turned.landmarks2d[8:17, :2]):
            steps = np.linalg.norm(np.diff(half, axis=0), axis=1)
            assert steps.std() < 0.1 * steps.mean(), yaw
        # The side that turns to the viewer stays on the line of the 3D jaw.
        line = _dense(turned.landmarks3d[:9])
        assert np.linalg.norm(turned.landmarks2d[:9, None] - line[None], axis=2).min(1).max() < 2.0
        assert np.linalg.norm(turned.landmarks2d[:17, :2] - previous[:17, :2], axis=1).max() < 7, yaw
        previous = turned.landmarks2d
    # Far cheek at 39 degrees: no skin between ear and mouth lies outside the contour by more than 3 mm.
    surface, at = skin(), turned.vertices[: grid().n]
    cheek = (surface.height < 0) & (surface.height > -60) & (surface.theta > 0.3) & (surface.theta < 1.4)
    contour = turned.landmarks2d[12:17]
    edge = np.interp(at[cheek, 1], contour[:, 1], contour[:, 0])
    inside = (at[cheek, 1] > contour[0, 1]) & (at[cheek, 1] < contour[-1, 1])
    assert (at[cheek, 0] - edge)[inside].max() < 3.0
    mirrored = posed(model, generic, [0, float(np.radians(-39)), 0, 0, 0, 0]).landmarks2d[16::-1]
    np.testing.assert_allclose(mirrored * (-1, 1, 1), turned.landmarks2d[:17], atol=2.0)


def test_uv_does_not_overlap(generic: HeadData) -> None:
    """Every UV triangle is positively oriented in its part, and their areas fit what a fine grid counts as covered."""
    uv = generic.uv.astype(np.float64)
    a, b, c = (uv[generic.uv_faces[:, k]] for k in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    p = parts()
    assert (np.abs(area) > 1e-9).all()
    for kind in np.unique(p.face_part):
        assert len(np.unique(np.sign(area[p.face_part == kind]))) == 1
    assert np.abs(area[p.face_part == SKIN]).sum() == pytest.approx(0.984 * 0.792, abs=0.005)
    boxes = [
        (uv[generic.uv_faces[p.face_part == k]].min((0, 1)), uv[generic.uv_faces[p.face_part == k]].max((0, 1)))
        for k in (0, 1, 2, 3, 5, 6)
    ]
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[i + 1 :]:
            assert ((high <= other_low + 1e-6) | (other_high <= low + 1e-6)).any()


def label_at(generic: HeadData, point: int) -> int:
    corners = generic.uv[generic.uv_faces[generic.static_faces[point - 17]]]
    u, v = (corners * generic.static_bary[point - 17][:, None]).sum(0)
    size = len(generic.labels)
    return int(generic.labels[int((1 - v) * size), int(u * size)])


def test_labels_agree_with_landmarks(generic: HeadData) -> None:
    assert [label_at(generic, k) for k in (18, 19, 20)] == [3] * 3  # the subject's right brow
    assert [label_at(generic, k) for k in (23, 24, 25)] == [2] * 3
    assert [label_at(generic, k) for k in (28, 29, 30)] == [NOSE] * 3
    present = set(np.unique(generic.labels).tolist())
    assert {0, 1, 2, 3, L_EYE, R_EYE, 7, 8, NOSE, 11, U_LIP, L_LIP, NECK, CLOTH, HAIR} == present
    eyes = generic.uv[generic.uv_faces[parts().face_part == EYE_LEFT]].mean((0, 1))
    size = len(generic.labels)
    assert generic.labels[int((1 - eyes[1]) * size), int(eyes[0] * size)] == L_EYE


def test_masks(generic: HeadData) -> None:
    assert generic.face_mask.shape == (256, 256)
    assert 0.25 < (generic.face_mask > 0.5).mean() < 0.45
    assert ((generic.face_mask > 0.05) & (generic.face_mask < 0.95)).any()  # soft
    labels = generic.labels[::2, ::2]
    assert (generic.face_mask[np.isin(labels, (NOSE, U_LIP, L_LIP, 2, 3))] > 0.9).all()
    assert (generic.face_mask[np.isin(labels, (HAIR, CLOTH, L_EYE, R_EYE))] < 0.6).all()
    assert (generic.face_eye_mask[np.isin(labels, (L_EYE, R_EYE))] > 0.5).mean() > 0.95
    assert (generic.face_eye_mask >= generic.face_mask).all()


def test_albedo_is_plausible(generic: HeadData) -> None:
    skin_tone = generic.albedo_mean[generic.labels[::2, ::2] == 1].mean(0)
    assert skin_tone[0] > skin_tone[1] > skin_tone[2] and 0.4 < skin_tone[0] < 0.9
    lips = generic.albedo_mean[np.isin(generic.labels[::2, ::2], (U_LIP, L_LIP))].mean(0)
    assert lips[0] / lips[1] > skin_tone[0] / skin_tone[1] + 0.1
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(20, 50)).astype(np.float32)
    people = generic.albedo_mean + np.tensordot(codes, generic.albedo_basis.astype(np.float32), 1)
    face = people[:, generic.face_mask > 0.9]
    assert ((face < 0) | (face > 1)).mean() < 0.02
    assert face.mean(1).std(0).mean() > 0.04  # people differ
