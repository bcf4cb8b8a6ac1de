"""UV space: layout, detail normals, texture extraction, the detail stage's losses on a rendered head."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from tests.reference.checks.edges import near, undecided
from tests.reference.checks.rendering import interpolated_grey
from tests.reference.checks.rounding import Result, repeated
from tests.reference.checks.scene import IMAGE, UV, Scene
from tests.reference.checks.sheet import Sheet
from tvface.losses.detail_photometric import WINDOWS, detail_photometric_loss, face_window, uv_window
from tvface.losses.displacement import displacement_loss
from tvface.losses.smoothness import smoothness_loss
from tvface.losses.symmetry import erode, symmetry_loss
from tvface.rendering.renderer import FACING_Z, Renderer, sample
from tvface.rendering.shading import sh_shading, vertex_normals
from tvface.rendering.uv import dense_triangles


def uv_space(sheet: Sheet) -> None:
    """``uv.npz`` and ``uv_free.npz``."""
    scene = Scene(sheet)
    reference, renderer = sheet.reference, scene.renderer()
    vertices = reference.tensor("verts")
    normals = vertex_normals(vertices, scene.faces)
    sheet.exact("uv_pix_to_face", renderer.uv.face[0])
    sheet.bits("uv_valid", renderer.uv.valid)
    sheet.tensor("world2uv_verts", renderer.world_to_uv(vertices), 5)
    sheet.tensor("world2uv_normals", renderer.world_to_uv(normals), 5)
    triangles = dense_triangles(UV)
    sheet.exact("dense_triangle_count", len(triangles))
    sheet.exact("dense_first_triangles", triangles[:6])
    sheet.exact("dense_last_triangle", triangles[-1])
    sheet.exact("dense_index_sum", triangles.sum())

    found = repeated(partial(_detailed, scene, renderer))
    for name in ("detail_normals", "detail_normals_zero_disp", "uv_shading", "uv_texture", "grad_uv_texture_uv_z"):
        # Where the dense grid runs over a border of the layout, the cross products around a pixel nearly cancel.
        sheet.tensor(name, found[name], 5)
    sheet.norm("grad_norm_uv_texture_uv_z", found["grad_uv_texture_uv_z"])
    sheet.compare("shading_smooth", found["shading_smooth"])
    sheet.norm("shading_smooth_grad_norm_uv_z", found["grad_smooth"])
    edges = undecided(found["projected"], scene.faces.numpy(), IMAGE, IMAGE)
    sheet.few("predicted_detail_images", edges)
    for name in ("detail_normal_images", "shape_detail_images", "predicted_detail_images"):
        sheet.tensor(name, found[name], 5, undecided=edges)
    _detail_stage(sheet, scene, found)


def _detailed(scene: Scene, renderer: Renderer) -> dict[str, Any]:
    """Everything that depends on the displacement, and on the vertices as the detail stage sees them."""
    named = ("uv_z", "verts", "lights", "albedo", "photo", "seg_mask", "cotangent_uv")
    displacement, vertices, light, albedo, photo, seen, cotangent = map(scene.reference.tensor, named)
    displacement.requires_grad_()
    projected, normals = scene.projected(vertices), vertex_normals(vertices, scene.faces)
    fine = renderer.detail_normals(displacement, vertices, normals)
    shading = sh_shading(fine, light)
    texture = albedo * shading
    smooth = smoothness_loss(shading)
    rendering = renderer.render(vertices, projected, albedo, light)
    grey = renderer.render_shape(vertices, projected, detail_normals=fine.detach())
    facing = renderer.uv.world_to_uv(vertex_normals(projected, scene.faces)[..., 2:])
    wanted = renderer.uv.extract_texture(photo, projected)
    mask = renderer.uv.extract_texture(seen, projected)
    visible = mask * renderer.uv.self_visible(vertex_normals(projected, scene.faces)) * renderer.uv.face_eye_mask
    patches = [face_window(x) for x in (texture, wanted, visible)]
    losses = {
        "shading_smooth": smooth,
        "photo_detail_weight1": detail_photometric_loss(*patches),
        "z_sym_weight1": symmetry_loss(displacement, visible),
        "z_reg_weight1": displacement_loss(displacement),
    }

    def gradient(value: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(value, displacement, retain_graph=True)[0]

    return losses | {
        "projected": projected,
        "detail_normals": fine,
        "detail_normals_zero_disp": renderer.detail_normals(torch.zeros_like(displacement), vertices, normals),
        "uv_shading": shading,
        "uv_texture": texture,
        "grad_uv_texture_uv_z": gradient((texture * cotangent).sum()),
        "grad_smooth": gradient(smooth),
        "grad_photometric": gradient(losses["photo_detail_weight1"]),
        "grad_symmetry": gradient(losses["z_sym_weight1"]),
        "detail_normal_images": sample(fine, rendering.grid) * rendering.alpha,
        "shape_detail_images": grey * interpolated_grey(renderer, projected),
        "predicted_detail_images": sample(texture, rendering.grid),
        "facing": facing,
        "uv_texture_gt": wanted,
        "uv_mask_gt": mask,
        "uv_vis_mask": visible,
        "uv_texture_patch": patches[0],
        "uv_vis_patch": patches[2],
    }


def _detail_stage(sheet: Sheet, scene: Scene, found: dict[str, Result]) -> None:
    # Seen or not seen is a threshold; a place near it may be either, and so may what is eroded around it.
    border = near(found["facing"], FACING_Z)
    around = ndimage.maximum_filter(border, (1, 1, 5, 5))
    for name in ("uv_texture_gt", "uv_mask_gt", "uv_texture_patch"):
        sheet.tensor(name, found[name].value if name != "uv_texture_patch" else found[name], 5)
    sheet.bits("self_occlusion_visible", found["facing"].value < FACING_Z, undecided=border)
    visible = found["uv_vis_mask"].value
    sheet.tensor("uv_vis_mask", visible, 5, undecided=border)
    sheet.bits("eroded", erode(visible), undecided=around)
    sheet.exact("uv_boxes_l_r_t_b", np.array([uv_window(name, UV) for name in WINDOWS]))
    sheet.tensor("uv_vis_patch", found["uv_vis_patch"].value, 5)
    for name in ("photo_detail_weight1", "z_sym_weight1", "z_reg_weight1"):
        sheet.compare(name, found[name].value)
    sheet.norm("photo_detail_grad_norm_uv_z", found["grad_photometric"])
    sheet.norm("z_sym_grad_norm_uv_z", found["grad_symmetry"])
