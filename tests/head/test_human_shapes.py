"""The human head's shapes: symmetry, people, mouth, lids, units and joints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.head.human_pose import points, posed
from tvface.head import human
from tvface.head.data import HeadData
from tvface.head.human import anthropometry, cut, lids, mouth, stored, units
from tvface.head.human.rig import EYE_L, EYE_R
from tvface.head.model import HeadModel
from tvface.rendering.rasterizer import rasterize
from tvface.rendering.shading import vertex_normals


def test_exactly_mirror_symmetric(shipped: stored.Stored) -> None:
    mirror, flip = shipped.mirror, np.array([-1.0, 1.0, 1.0])
    assert np.array_equal(mirror[mirror], np.arange(len(mirror)))
    assert np.array_equal(shipped.template[mirror] * flip, shipped.template)
    for sign, column in zip(shipped.identity_sign, shipped.identity, strict=True):
        assert np.array_equal(column[mirror] * flip * sign, column)
    for name, field in zip(shipped.unit_names, shipped.units, strict=True):
        assert np.array_equal(field[mirror] * flip, shipped.units[shipped.unit_names.index(units.twin(name))])
    # Triangles too: the mirror image of each is one, wound the other way.
    faces = {tuple(np.roll(f, -int(np.argmin(f)))) for f in shipped.faces}
    assert {tuple(np.roll(f, -int(np.argmin(f)))) for f in mirror[shipped.faces][:, ::-1]} == faces


def test_identity_columns_have_decreasing_variance_and_unit_codes(shipped: stored.Stored) -> None:
    energy = (shipped.identity**2).sum((1, 2))
    assert (np.diff(energy) < 1e-3 * energy[:-1]).all()
    spread = shipped.codes.std(0)
    assert spread.min() > 0.9 and spread.max() < 1.1 and np.abs(shipped.codes.mean(0)).max() < 0.15
    assert shipped.notes["variance_share"] > 0.995 and shipped.notes["residual_mm"] < 0.35


def test_normals_look_outward(head: HeadData, shipped: stored.Stored) -> None:
    vertices = head.v_template.astype(np.float64)
    for kind in (cut.EYE_LEFT, cut.EYE_RIGHT, cut.TONGUE):
        corners = vertices[head.faces[(shipped.part[head.faces] == kind).all(1)]]
        # Closed, so the volume is positive if the triangles look outward.
        assert np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0
    normals = vertex_normals(torch.from_numpy(head.v_template)[None], torch.from_numpy(head.faces.astype(np.int64)))
    marks = head.faces[head.full_faces].reshape(-1)
    front = normals[0, marks].numpy()[:, 2]
    assert (front[3 * 17 : 3 * 36] > 0.2).all()  # brows and nose
    skin = (shipped.part[head.faces] == cut.SKIN).all(1) & (shipped.piece.repeat(2) == 0)
    corners = vertices[head.faces[skin]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    scalp = corners.mean(1)[:, 1] > 0.05
    assert ((normal * (corners.mean(1) - [0, 0.02, 0])).sum(1)[scalp] > 0).all()


def test_people_measure_as_adults(shipped: stored.Stored) -> None:
    for name, values in anthropometry.measures(shipped, shipped.codes).items():
        known = anthropometry.PUBLISHED[name]
        assert abs(values.mean() - known.mean) < 0.6 * known.deviation, name
        assert 0.6 < values.std() / known.deviation < 1.3, name


def test_people_agree_with_their_traits(shipped: stored.Stored) -> None:
    codes, traits = human.table_of_people()
    assert codes.shape[0] >= 2000 and codes.shape[1] == 100
    assert traits["age"].min() >= 25 and traits["age"].max() <= 80  # no children
    assert np.allclose(traits["african"] + traits["asian"] + traits["caucasian"], 1, atol=2e-3)
    sizes = anthropometry.measures(shipped, codes)
    men = traits["male"] > 0.5
    assert 0.4 < men.mean() < 0.6
    assert sizes["face height (n-gn)"][men].mean() - sizes["face height (n-gn)"][~men].mean() > 5
    african, european = traits["african"] > 0.8, traits["caucasian"] > 0.8
    assert sizes["nose width (al-al)"][african].mean() - sizes["nose width (al-al)"][european].mean() > 3


# --- mouth, lids, units


def test_lips_meet(shipped: stored.Stored, topology: cut.Cut) -> None:
    upper, lower = mouth.contact(topology, shipped.template)
    codes = shipped.codes[:200]
    for head in (shipped.template, *(shipped.template + np.einsum("ps,svc->pvc", codes, shipped.identity))):
        x = np.linspace(head[upper[0], 0], head[upper[-1], 0], 60)[1:-1]
        lines = [[np.interp(x, head[edge, 0], head[edge, k]) for k in (1, 2)] for edge in (upper, lower)]
        assert np.linalg.norm(np.subtract(*lines), axis=0).max() < 0.6  # mm


def test_the_mouth_does_not_show_through_the_skin(shipped: stored.Stored) -> None:
    """Closed mouths: neither bag, tongue nor teeth are seen, but for single pixels in the line of the lips."""
    inside = (shipped.piece.repeat(2) == shipped.notes["pieces"].index("bag")) | (
        shipped.part[shipped.faces[:, 0]] > cut.EYE_RIGHT
    )
    faces = torch.from_numpy(shipped.faces)
    turns = [(np.cos(a), np.sin(a)) for a in np.radians([-35, 0, 35])]
    for code in shipped.codes[:60]:
        person = shipped.template + np.einsum("s,svc->vc", code, shipped.identity) - [0, -40, 20]
        seen = [
            np.stack([c * person[:, 0] + s * person[:, 2], -person[:, 1], s * person[:, 0] - c * person[:, 2]], 1)
            for c, s in turns
        ]
        projected = torch.tensor(np.stack(seen) / [90, 90, 300], dtype=torch.float32)
        face = rasterize(projected, faces, 160, 160).face.numpy()
        assert ((face >= 0) & inside[np.maximum(face, 0)]).sum((1, 2)).max() <= 3  # pixels of 1.1 mm


def test_a_blink_closes_its_own_eye_only(
    head: HeadData, model: HeadModel, shipped: stored.Stored, topology: cut.Cut
) -> None:
    upper, lower = lids.edges(topology, shipped.template)
    closed = posed(model, head, {"eyeBlinkLeft": 1.0})
    assert lids.gap(posed(model, head, {}), upper, lower)[1].max() > 8  # mm
    assert lids.gap(closed, upper, lower)[1].min() > -2 and lids.gap(closed, upper, lower)[1].max() < 0
    other = shipped.mirror
    assert np.abs(closed - posed(model, head, {}))[(head.v_template[:, 0] < 0)].max() < 0.3
    both = posed(model, head, {"eyeBlinkRight": 1.0})
    assert np.allclose(both[other] * (-1, 1, 1), closed, atol=2e-3)
    # People whose eyes are higher than the mean's keep a slit at most.
    slits = []
    for code in shipped.codes[:200]:
        person = posed(model, head, {"eyeBlinkLeft": 1.0}, code)
        slits.append(lids.gap(person, upper, lower)[1].max())
    assert np.percentile(slits, 90) < 1.0 and max(slits) < 3.0


def test_no_eyeball_pokes_through_a_lid(
    head: HeadData, model: HeadModel, shipped: stored.Stored, topology: cut.Cut
) -> None:
    edge = np.unique(np.concatenate(lids.edges(topology, shipped.template)))
    for code in (np.zeros(100), *shipped.codes[:40]):
        for weights in ({}, {"eyeBlinkLeft": 0.5}, {"eyeBlinkLeft": 1.0}, {"eyeLookDownLeft": 1.0}):
            person = posed(model, head, weights, code)
            ball = person[shipped.part == cut.EYE_LEFT]
            centre = 0.5 * (ball.min(0) + ball.max(0))
            radius = np.median(np.linalg.norm(ball - centre, axis=1))
            assert np.linalg.norm(person[edge] - centre, axis=1).min() > radius - 0.9


@pytest.mark.parametrize(
    ("name", "point", "direction", "least"),
    [
        ("jawOpen", 8, (0, -1, 0), 20.0),
        ("mouthSmileLeft", 54, (0, 1, 0), 3.0),
        ("mouthSmileRight", 48, (0, 1, 0), 3.0),
        ("mouthFrownLeft", 54, (0, -1, 0), 2.0),
        ("mouthStretchRight", 48, (-1, 0, 0), 2.0),
        ("mouthPucker", 54, (-1, 0, 0), 3.0),
        ("mouthLeft", 51, (1, 0, 0), 2.0),
        ("jawLeft", 8, (1, 0, 0), 2.0),
        ("jawForward", 8, (0, 0, 1), 2.0),
        ("mouthUpperUpLeft", 52, (0, 1, 0), 1.5),
        ("mouthLowerDownRight", 58, (0, -1, 0), 1.5),
        ("browInnerUp", 21, (0, 1, 0), 2.0),
        ("browOuterUpLeft", 25, (0, 1, 0), 2.0),
        ("browDownRight", 20, (0, -1, 0), 1.5),
        ("noseSneerLeft", 35, (0, 1, 0), 0.5),
        ("eyeWideLeft", 43, (0, 1, 0), 0.7),
    ],
)
def test_units_move_what_their_name_says(
    head: HeadData, model: HeadModel, name: str, point: int, direction: tuple[int, int, int], least: float
) -> None:
    move = points(posed(model, head, {name: 1.0}), head) - points(posed(model, head, {}), head)
    assert (move[point] * direction).sum() > least
    if name.endswith(("Left", "Right")) and not name.startswith(("jaw", "mouthLeft", "mouthRight")):
        across = 31 if name.endswith("Left") else 35  # other side's nostril
        if point != across:
            far = [36, 41, 40] if name.endswith("Left") else [45, 46, 47]
            assert np.linalg.norm(move[far], axis=1).max() < 1.0
    if name.startswith(("mouth", "jaw")):
        assert np.linalg.norm(move[17:27], axis=1).max() < 0.5  # no brow moves


def test_units_are_smooth(shipped: stored.Stored) -> None:
    """No knots: neighbours on cheeks and chin move alike (MakeHuman's smile tears them apart by 5 mm)."""
    face = shipped.piece.repeat(2) == 0
    edges = np.unique(np.sort(shipped.faces[face][:, [0, 1]], 1), axis=0)
    middle = shipped.template[edges].mean(1)
    cheek = (np.abs(middle[:, 0]) > 34) & (middle[:, 1] < -25) & (middle[:, 1] > -100) & (middle[:, 2] > 30)
    length = np.linalg.norm(np.subtract(*shipped.template[edges[cheek].T]), axis=1)
    for name in ("mouthSmileLeft", "cheekPuff", "mouthFrownLeft"):
        field = shipped.units[shipped.unit_names.index(name)]
        apart = np.linalg.norm(np.subtract(*field[edges[cheek].T]), axis=1)
        assert (apart / length).max() < 0.8, name


def test_the_jaw_joint_is_the_sculpted_open_mouth(head: HeadData, model: HeadModel, shipped: stored.Stored) -> None:
    opened = posed(model, head, {"jawOpen": 1.0})
    column = shipped.units[shipped.unit_names.index("jawOpen")]
    assert np.abs(opened - shipped.template - column).max() < 0.1
    lower, upper = (shipped.part == kind for kind in (cut.TEETH_LOWER, cut.TEETH_UPPER))
    assert (opened - shipped.template)[lower, 1].max() < -10 and np.abs((opened - shipped.template)[upper]).max() < 0.1
    tongue = shipped.part == cut.TONGUE
    assert (opened - shipped.template)[tongue, 1].mean() < -8


def test_eyes_turn_about_their_centres(head: HeadData, model: HeadModel, shipped: stored.Stored) -> None:
    rest = posed(model, head, {})
    looking = posed(model, head, {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0})
    for kind in (cut.EYE_LEFT, cut.EYE_RIGHT):
        ball = shipped.part == kind
        front = np.flatnonzero(ball)[np.argmax(rest[ball, 2])]
        assert looking[front, 0] - rest[front, 0] > 7  # both to the subject's left
        assert np.linalg.norm((looking - rest)[ball].mean(0)) < 0.6
    down = posed(model, head, {"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0})
    front = np.flatnonzero(shipped.part == cut.EYE_LEFT)[np.argmax(rest[shipped.part == cut.EYE_LEFT, 2])]
    assert down[front, 1] - rest[front, 1] < -5
    # A turn of the eyes alone moves nothing else.
    eyes = torch.tensor([[0.0, 0.4, 0, 0, 0.4, 0]])
    zero = torch.zeros(1, 100), torch.zeros(1, 52), torch.zeros(1, 6)
    moved = model(*zero, eyes=eyes).vertices[0].numpy() * 1000 - rest
    assert np.abs(moved[shipped.part != cut.EYE_LEFT][shipped.part[shipped.part != cut.EYE_LEFT] == 0]).max() < 1e-3


def test_unknown_units_are_named() -> None:
    with pytest.raises(ValueError, match="no face unit smile; there are: eyeBlinkLeft"):
        units.controls({"smile": 1.0}, 0.4)


def test_joints_follow_identity(head: HeadData, model: HeadModel, shipped: stored.Stored) -> None:
    for code in shipped.codes[:30]:
        codes = torch.tensor(code, dtype=torch.float32)[None], torch.zeros(1, 52), torch.zeros(1, 6)
        rest = model.skeleton(*codes).rest[0].numpy() * 1000
        person = posed(model, head, {}, code)
        for joint, kind in ((EYE_L, cut.EYE_LEFT), (EYE_R, cut.EYE_RIGHT)):
            ball = person[shipped.part == kind]
            assert np.linalg.norm(rest[joint] - 0.5 * (ball.min(0) + ball.max(0))) < 2.0


# --- the 68 points
