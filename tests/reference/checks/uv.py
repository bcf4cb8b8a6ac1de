"""UV space: layout, detail normals, texture extraction, the detail stage's losses on a rendered head."""

from __future__ import annotations

import numpy as np
import torch

from tests.reference.checks.losses import norm
from tests.reference.checks.rendering import interpolated_grey
from tests.reference.checks.scene import UV, Scene
from tests.reference.checks.sheet import Sheet
from tvface.losses.detail_photometric import WINDOWS, detail_photometric_loss, face_window, uv_window
from tvface.losses.displacement import displacement_loss
from tvface.losses.smoothness import smoothness_loss
from tvface.losses.symmetry import erode, symmetry_loss
from tvface.rendering.renderer import sample
from tvface.rendering.shading import sh_shading, vertex_normals
from tvface.rendering.uv import dense_triangles

# Where the dense grid runs over a border of the layout, the cross products around a pixel nearly cancel. Disturbing the
# vertices in the last bit moved 0.1 % of the normals by more than 1e-5, the furthest by 3.7e-4 of a unit.
CANCELLING: dict[str, float] = {"outliers": 3e-3, "far": 1e-3}
# The same disturbance moved gradients by up to 6e-5 of the largest, which come from the borders of the grid.
FINE = 1e-4


def uv_space(sheet: Sheet) -> None:
    """``uv.npz`` and ``uv_free.npz``."""
    scene = Scene(sheet)
    reference, renderer = sheet.reference, scene.renderer()
    vertices = reference.tensor("verts")
    projected, normals = scene.projected(vertices), vertex_normals(vertices, scene.faces)
    sheet.exact("uv_pix_to_face", renderer.uv.face[0])
    sheet.bits("uv_valid", renderer.uv.valid)
    sheet.tensor("world2uv_verts", renderer.world_to_uv(vertices), 5)
    sheet.tensor("world2uv_normals", renderer.world_to_uv(normals), 5)
    triangles = dense_triangles(UV)
    sheet.exact("dense_triangle_count", len(triangles))
    sheet.exact("dense_first_triangles", triangles[:6])
    sheet.exact("dense_last_triangle", triangles[-1])
    sheet.exact("dense_index_sum", triangles.sum())

    displacement = reference.tensor("uv_z").requires_grad_()
    light, albedo = reference.tensor("lights"), reference.tensor("albedo")
    fine = renderer.detail_normals(displacement, vertices, normals)
    sheet.tensor("detail_normals", fine, 5, **CANCELLING)
    flat = renderer.detail_normals(torch.zeros_like(displacement), vertices, normals)
    sheet.tensor("detail_normals_zero_disp", flat, 5, **CANCELLING)
    shading = sh_shading(fine, light)
    texture = albedo * shading
    sheet.tensor("uv_shading", shading, 5, **CANCELLING)
    sheet.tensor("uv_texture", texture, 5, **CANCELLING)
    (gradient,) = torch.autograd.grad(
        (texture * reference.tensor("cotangent_uv")).sum(), displacement, retain_graph=True
    )
    sheet.tensor("grad_uv_texture_uv_z", gradient, 5, relative=FINE)
    sheet.compare("grad_norm_uv_texture_uv_z", norm(gradient), relative=FINE)
    smooth = smoothness_loss(shading)
    sheet.compare("shading_smooth", smooth)
    (gradient,) = torch.autograd.grad(smooth, displacement, retain_graph=True)
    sheet.compare("shading_smooth_grad_norm_uv_z", norm(gradient), relative=FINE)

    rendering = renderer.render(vertices, projected, albedo, light)
    sheet.tensor("detail_normal_images", sample(fine, rendering.grid) * rendering.alpha, 5, **CANCELLING)
    grey = renderer.render_shape(vertices, projected, detail_normals=fine.detach())
    sheet.tensor("shape_detail_images", grey * interpolated_grey(renderer, projected), 5, **CANCELLING)
    sheet.tensor("predicted_detail_images", sample(texture, rendering.grid), 5, **CANCELLING)
    _detail_stage(sheet, scene, texture, displacement)


def _detail_stage(sheet: Sheet, scene: Scene, texture: torch.Tensor, displacement: torch.Tensor) -> None:
    reference, uv = sheet.reference, scene.renderer().uv
    projected = scene.projected(reference.tensor("verts"))
    wanted = uv.extract_texture(reference.tensor("photo"), projected)
    sheet.tensor("uv_texture_gt", wanted, 5)
    mask = uv.extract_texture(reference.tensor("seg_mask"), projected)
    sheet.tensor("uv_mask_gt", mask, 5)
    visible = uv.self_visible(vertex_normals(projected, scene.faces))
    sheet.bits("self_occlusion_visible", visible)
    seen = mask * visible * uv.face_eye_mask
    sheet.tensor("uv_vis_mask", seen, 5)
    sheet.bits("eroded", erode(seen))
    sheet.exact("uv_boxes_l_r_t_b", np.array([uv_window(name, UV) for name in WINDOWS]))
    patches = [face_window(x) for x in (texture, wanted, seen)]
    sheet.tensor("uv_texture_patch", patches[0], 5, **CANCELLING)
    sheet.tensor("uv_vis_patch", patches[2], 5)
    photometric = detail_photometric_loss(*patches)
    sheet.compare("photo_detail_weight1", photometric)
    (gradient,) = torch.autograd.grad(photometric, displacement)
    sheet.compare("photo_detail_grad_norm_uv_z", norm(gradient), relative=FINE)
    symmetry = symmetry_loss(displacement, seen)
    (gradient,) = torch.autograd.grad(symmetry, displacement)
    sheet.compare("z_sym_weight1", symmetry)
    sheet.compare("z_sym_grad_norm_uv_z", norm(gradient))
    sheet.compare("z_reg_weight1", displacement_loss(displacement))
