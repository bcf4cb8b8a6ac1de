"""Head model, albedo, camera."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from tests.reference.arrays import Reference
from tests.reference.checks.sheet import Sheet
from tests.reference.expressions import evaluate
from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project, to_picture
from tvface.head.data import HeadData
from tvface.head.flame import read_embedding, read_template
from tvface.head.model import HeadModel, contour_row, rodrigues

EMBEDDING = {
    "static_faces": "static_lmk_faces_idx", "static_bary": "static_lmk_bary_coords",
    "contour_faces": "dynamic_lmk_faces_idx", "contour_bary": "dynamic_lmk_bary_coords",
    "full_faces": "full_lmk_faces_idx", "full_bary": "full_lmk_bary_coords",
}  # fmt: skip


def obj_vertices(sheet: Sheet) -> np.ndarray:
    """Return the vertices (5023, 3) float32 of DECA's template, which only the reference files use."""
    (path,) = sheet.folder.need("head_template.obj")
    lines = (line.split() for line in path.read_text().splitlines())
    return np.array([words[1:4] for words in lines if words[:1] == ["v"]], np.float32)


def head_data(sheet: Sheet, reference: Reference, **replaced: np.ndarray) -> HeadData:
    """Return the head that a FLAME file describes; topology and embedding of a licensed one come from DECA's files."""

    def f32(name: str) -> np.ndarray:
        return np.ascontiguousarray(reference.array(name), np.float32)

    square = np.zeros((8, 8), np.float32)
    if "mesh_f" in reference.inputs:
        faces = uv_faces = reference.array("mesh_f")
        uv, template = f32("mesh_vt"), f32("mesh_v")
        points = {name: reference.array(theirs) for name, theirs in EMBEDDING.items()}
        for name in ("full_faces", "full_bary"):  # with a batch axis of one
            points[name] = points[name][0]
    else:
        obj, embedding = sheet.folder.need("head_template.obj", "landmark_embedding.npy")
        faces, uv, uv_faces = read_template(obj)
        points, template = read_embedding(embedding, len(faces)), f32("v_template")
    shapedirs = f32("shapedirs")
    arrays: dict[str, np.ndarray] = {
        "v_template": template,
        "faces": faces.astype(np.int32),
        "shape_basis": shapedirs[..., :100],
        "expression_basis": shapedirs[..., 300:350],
        "pose_basis": f32("posedirs").reshape(-1, 36).T.copy(),
        "joint_regressor": f32("J_regressor"),
        "skinning": f32("weights"),
        "parents": reference.array("kintree_table")[0].astype(np.int32),
        "uv": uv,
        "uv_faces": uv_faces.astype(np.int32),
        "face_mask": square,
        "face_eye_mask": square,
        "fixed_displacement": square,
        "labels": square.astype(np.uint8),
        "albedo_mean": np.zeros((4, 4, 3), np.float32),
        "albedo_basis": np.zeros((2, 4, 4, 3), np.float16),
        **{name: array.astype(np.int32 if "faces" in name else np.float32) for name, array in points.items()},
        **replaced,
    }
    return HeadData(**arrays, meta=json.dumps({"source": "reference", "licence": "none"}))


def flame(sheet: Sheet) -> None:
    """``flame.npz`` and ``flame_free.npz``."""
    reference = sheet.reference
    if "v_template" not in reference.inputs:
        reference = sheet.reference = Reference(reference.path, {"v_template": obj_vertices(sheet)})
    data = head_data(sheet, reference)
    model = HeadModel(data, 100, 50)
    codes = [reference.tensor(name).requires_grad_() for name in ("shape", "exp", "pose")]
    output = model(*codes)
    step = -(-output.vertices.shape[1] // reference["vertices.sub"].shape[1])
    sheet.tensor("vertices", output.vertices, lambda v: v[:, ::step])
    sheet.tensor("landmarks2d", output.landmarks2d)
    sheet.tensor("landmarks3d", output.landmarks3d)
    for what, value in (("landmarks2d", output.landmarks2d), ("vertices", output.vertices)):
        gradients = torch.autograd.grad(value.square().sum(), codes, retain_graph=True)
        for name, gradient in zip(("shape", "exp", "pose"), gradients, strict=True):
            sheet.compare(f"grad_{what}_sumsq_{name}", gradient)
    skeleton = model.skeleton(*codes)
    sheet.compare("rest_joints", skeleton.rest)
    sheet.compare("posed_joints", skeleton.posed)
    sheet.compare("rotmats", skeleton.rotations)
    sheet.exact("contour_row", contour_row(skeleton.rotations[:, 0] @ skeleton.rotations[:, 1]))
    zero = model(torch.zeros(1, 100), torch.zeros(1, 50), torch.zeros(1, 6))
    # Nothing but rounding: weights that sum to 1 within a few last bits, times coordinates below 2 m.
    moved = (zero.vertices[0] - torch.from_numpy(data.v_template)).abs().max()
    sheet.compare("zero_code_vertices_minus_template_absmax", moved, relative=0.0, absolute=5e-7)
    sheet.compare("zero_code_landmarks2d", zero.landmarks2d)
    sheet.compare("zero_code_landmarks3d", zero.landmarks3d)
    for name, key in (("contour_yaw_deg", "contour_row_at_yaw"), ("contour_yaw_deg_fine", "contour_row_at_yaw_fine")):
        if key in reference:
            yaw = torch.deg2rad(reference.tensor(name).float())
            sheet.exact(key, contour_row(rodrigues(torch.stack([0 * yaw, yaw, 0 * yaw], 1))))
    if "contour_row_at_axis_angle" in reference:
        sheet.exact("contour_row_at_axis_angle", contour_row(rodrigues(reference.tensor("contour_axis_angle"))))


def albedo_arrays(reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (256,256,3) and basis (50,256,256,3), RGB, float32, of the texture model that a file describes.

    Stored BGR at 512 x 512 in the original, of which every second pixel is taken.
    """
    mean = reference.array("MU").reshape(512, 512, 3)[::2, ::2, ::-1]
    expression = re.match(r".*\)", reference.notes["PC"].split(", standing")[0])
    assert expression is not None
    columns = np.asarray(evaluate(expression[0])).astype(np.float32).reshape(512, 512, 3, -1)[::2, ::2, ::-1]
    return np.ascontiguousarray(mean, np.float32), np.ascontiguousarray(np.moveaxis(columns, -1, 0))


def texture(sheet: Sheet) -> None:
    """``texture.npz``: the formula in float32, and as tvface stores the basis, in half precision."""
    reference = sheet.reference
    mean, basis = albedo_arrays(reference)
    code = reference.tensor("texcode")
    model = AlbedoModel(cast(Any, SimpleNamespace(albedo_mean=mean, albedo_basis=basis)), code.shape[1], 256)
    albedo = model(code)
    sheet.tensor("albedo", albedo, 4)
    sheet.compare("albedo.corner", albedo[..., :8, :8])
    half = SimpleNamespace(albedo_mean=mean, albedo_basis=basis.astype(np.float16))
    stored = AlbedoModel(cast(Any, half), code.shape[1], 256)(code)
    # Eleven bits of each column: 50 columns up to 0.05 with coefficients up to 1, errors of either sign.
    allowed = 2.0**-12 * float(np.abs(basis).max()) * float(code.abs().sum(1).max())
    label = "albedo.sub (half precision basis)"
    sheet.compare("albedo.sub", stored[..., ::4, ::4], relative=0.0, absolute=allowed, label=label)


def camera(sheet: Sheet) -> None:
    """``camera.npz``."""
    reference = sheet.reference
    points, cam = reference.tensor("points").requires_grad_(), reference.tensor("cam").requires_grad_()
    ours = project(points, cam)
    # Before the signs of y and z change, which is not kept apart here.
    sheet.tensor("projected", ours * torch.tensor([1.0, -1.0, -1.0]))
    sheet.tensor("landmarks2d", ours[..., :2])
    sheet.tensor("trans_verts", ours)
    ours.square().sum().backward()
    sheet.compare("grad_sumsq_points", points.grad)
    sheet.compare("grad_sumsq_cam", cam.grad)
    height, width, side = (int(n) for n in re.findall(r"(\d+)", reference.notes["original_size"])[:3])
    inverse = torch.linalg.inv(reference.tensor("tform", torch.float64))[None].expand(len(points), -1, -1)
    moved = to_picture(ours, inverse.float(), side, height, width)
    sheet.compare("to_original", moved)
