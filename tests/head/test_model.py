"""Head model, camera and albedo against the numbers of the originals."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.reference import fill
from tests.reference.arrays import SHARED, Reference, load
from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel, contour_row, rodrigues


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load("deca", "flame_free")


@pytest.fixture(scope="module")
def data(reference: Reference) -> HeadData:
    def f32(name: str) -> np.ndarray:
        return np.ascontiguousarray(reference.array(name), np.float32)

    def i32(name: str) -> np.ndarray:
        return reference.array(name).reshape(-1).astype(np.int32)

    square = np.zeros((8, 8), np.float32)
    shapedirs = f32("shapedirs")
    return HeadData(
        v_template=f32("mesh_v"),
        faces=reference.array("mesh_f").astype(np.int32),
        shape_basis=shapedirs[..., :100],
        expression_basis=shapedirs[..., 300:350],
        pose_basis=f32("posedirs").reshape(-1, 36).T.copy(),
        joint_regressor=f32("J_regressor"),
        skinning=f32("weights"),
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        static_faces=i32("static_lmk_faces_idx"),
        static_bary=f32("static_lmk_bary_coords"),
        contour_faces=i32("dynamic_lmk_faces_idx").reshape(79, 17),
        contour_bary=f32("dynamic_lmk_bary_coords"),
        full_faces=i32("full_lmk_faces_idx"),
        full_bary=f32("full_lmk_bary_coords")[0],
        uv=f32("mesh_vt"),
        uv_faces=reference.array("mesh_f").astype(np.int32),
        face_mask=square,
        face_eye_mask=square,
        fixed_displacement=square,
        labels=square.astype(np.uint8),
        albedo_mean=np.zeros((4, 4, 3), np.float32),
        albedo_basis=np.zeros((2, 4, 4, 3), np.float16),
        meta=json.dumps({"source": "reference", "licence": "none"}),
    )


def test_forward_and_gradients(reference: Reference, data: HeadData) -> None:
    model = HeadModel(data, 100, 50)
    names = {"shape": "shape", "exp": "exp", "pose": "pose"}
    codes = {key: reference.tensor(name).requires_grad_() for key, name in names.items()}
    output = model(codes["shape"], codes["exp"], codes["pose"])
    for key, value in (
        ("vertices.sub", output.vertices),
        ("landmarks2d", output.landmarks2d),
        ("landmarks3d", output.landmarks3d),
    ):
        np.testing.assert_allclose(value.detach(), reference[key], atol=1e-6, err_msg=key)
    for what, value in (("landmarks2d", output.landmarks2d), ("vertices", output.vertices)):
        grads = torch.autograd.grad((value**2).sum(), list(codes.values()), retain_graph=True)
        for name, grad in zip(names, grads, strict=True):
            expected = reference[f"grad_{what}_sumsq_{name}"]
            np.testing.assert_allclose(grad, expected, atol=2e-5 * np.abs(expected).max(), err_msg=f"{what} {name}")


def test_rotations_and_contour_rows(reference: Reference, data: HeadData) -> None:
    pose = reference.tensor("pose")
    full = torch.cat([pose[:, :3], torch.zeros(4, 3), pose[:, 3:], torch.zeros(4, 6)], 1).reshape(-1, 3)
    rotations = rodrigues(full).reshape(4, 5, 3, 3)
    np.testing.assert_allclose(rotations, reference["rotmats"], atol=1e-6)
    assert contour_row(rotations[:, 0] @ rotations[:, 1]).tolist() == reference["contour_row"].tolist()


def test_zero_code(reference: Reference, data: HeadData) -> None:
    model = HeadModel(data, 100, 50)
    output = model(torch.zeros(1, 100), torch.zeros(1, 50), torch.zeros(1, 6))
    np.testing.assert_allclose(output.vertices[0], data.v_template, atol=5e-7)
    np.testing.assert_allclose(output.landmarks2d, reference["zero_code_landmarks2d"], atol=1e-6)
    np.testing.assert_allclose(output.landmarks3d, reference["zero_code_landmarks3d"], atol=1e-6)


def test_contour_rows_of_the_original() -> None:
    path = SHARED / "reference" / "deca" / "flame.npz"
    if not path.is_file():
        pytest.skip(f"{path} is missing (made with licensed files, local only)")
    reference = load("deca", "flame", root=SHARED / "reference", v_template=np.zeros((5023, 3), np.float32))
    for name, key in (("contour_yaw_deg", "contour_row_at_yaw"), ("contour_yaw_deg_fine", "contour_row_at_yaw_fine")):
        yaw = torch.deg2rad(reference.tensor(name).float())
        axis_angle = torch.stack([0 * yaw, yaw, 0 * yaw], 1)
        assert contour_row(rodrigues(axis_angle)).tolist() == reference[key].tolist()
    rows = contour_row(rodrigues(reference.tensor("contour_axis_angle")))
    assert rows.tolist() == reference["contour_row_at_axis_angle"].tolist()


def test_rows_follow_the_table() -> None:
    yaw = torch.deg2rad(torch.tensor([0.0, 1.0, 39.0, 60.0, -1.0, -39.0, -70.0]))
    rotation = rodrigues(torch.stack([0 * yaw, yaw, 0 * yaw], 1))
    assert contour_row(rotation).tolist() == [0, 1, 39, 39, 40, 78, 78]


def test_neck_and_eyes_move_what_they_should(data: HeadData) -> None:
    skinning = np.zeros_like(data.skinning)
    skinning[:, 1], skinning[:10, 1], skinning[:10, 3] = 1, 0, 1
    plain = dataclasses.replace(data, skinning=skinning, pose_basis=np.zeros_like(data.pose_basis))
    model = HeadModel(plain, 1, 1)
    zero = (torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1, 6))
    rest = model(*zero).vertices[0]
    eyes = model(*zero, eyes=torch.tensor([[0.0, 0.3, 0, 0, 0, 0]])).vertices[0]
    assert (eyes - rest)[:10].norm(dim=1).min() > 1e-3
    assert (eyes - rest)[10:].abs().max() < 1e-7
    turned = model(*zero, neck=torch.tensor([[0.0, 0.3, 0.0]])).vertices[0]
    centre = rest @ torch.eye(3) - torch.from_numpy(plain.joint_regressor[1] @ plain.v_template)
    expected = centre @ rodrigues(torch.tensor([[0.0, 0.3, 0.0]]))[0].T
    np.testing.assert_allclose(turned - (rest - centre), expected, atol=1e-6)


def test_too_many_columns(data: HeadData) -> None:
    with pytest.raises(ValueError, match="n_shape = 101: this head has 100"):
        HeadModel(data, 101, 50)
    with pytest.raises(ValueError, match="n_texture = 3: this head has 2"):
        AlbedoModel(data, 3, 4)


def test_camera() -> None:
    reference = load("deca", "camera")
    points, camera = reference.tensor("points").requires_grad_(), reference.tensor("cam").requires_grad_()
    projected = project(points, camera)
    reference.check("trans_verts", projected)
    reference.check("landmarks2d", projected[..., :2])
    (projected**2).sum().backward()
    np.testing.assert_allclose(points.grad, reference["grad_sumsq_points"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(camera.grad, reference["grad_sumsq_cam"], rtol=1e-5)


def test_albedo(data: HeadData) -> None:
    reference = load("deca", "texture")
    mean = reference.array("MU").reshape(512, 512, 3)[::2, ::2, ::-1]
    basis = 0.05 * fill.uniform("deca.pub.texture.PC", (786432, 50), 0)
    basis = basis.astype(np.float32).reshape(512, 512, 3, 50)[::2, ::2, ::-1]
    stored = dataclasses.replace(
        data,
        albedo_mean=np.ascontiguousarray(mean, np.float32),
        albedo_basis=np.ascontiguousarray(np.moveaxis(basis, -1, 0)).astype(np.float16),
    )
    albedo = AlbedoModel(stored, 50, 256)(reference.tensor("texcode"))
    # The basis is stored in half precision: 0.05 * 2^-11 per column, 50 columns.
    np.testing.assert_allclose(albedo[..., :8, :8], reference["albedo.corner"], atol=3e-4)
    np.testing.assert_allclose(albedo[..., ::4, ::4], reference["albedo.sub"], atol=3e-4)
    assert AlbedoModel(stored, 50, 64)(reference.tensor("texcode")).shape == (2, 3, 64, 64)
