"""The human head's points, texture layout, labels and albedo, and pictures of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from tests.head.human_pose import points, posed
from tvface.head import human
from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.human import cut, refine, stored
from tvface.head.human.texels import texels
from tvface.head.model import HeadModel
from tvface.rendering.renderer import Renderer
from tvface.rendering.shading import vertex_normals
from tvface.settings.model import Head


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
    small = human.build(Head(uv_size=64))
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
