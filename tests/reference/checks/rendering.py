"""Shading, normals, and the renderer's pictures with their gradients."""

from __future__ import annotations

import re

import numpy as np
import torch

from tests.reference.checks.losses import norm
from tests.reference.checks.scene import LAST_BIT, Scene
from tests.reference.checks.sheet import Sheet
from tests.reference.expressions import evaluate
from tvface.head.camera import project
from tvface.rendering.rasterizer import DEPTH_SHIFT
from tvface.rendering.renderer import Renderer
from tvface.rendering.shading import (
    SH_FACTORS,
    directional_shading,
    point_shading,
    sh_basis,
    sh_shading,
    vertex_normals,
)


def shading(sheet: Sheet) -> None:
    """``shading.npz``: lights, and vertex normals of the head template."""
    scene = Scene(sheet)
    reference = sheet.reference
    sheet.compare("constant_factor", np.array(SH_FACTORS))
    normals = reference.tensor("normals").requires_grad_()
    light = reference.tensor("lights").requires_grad_()
    picture = sh_shading(normals, light)
    (picture * reference.tensor("cotangent")).sum().backward()
    sheet.tensor("sh_shading", picture)
    sheet.compare("grad_normals", normals.grad)
    sheet.compare("grad_lights", light.grad)
    axes = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]])
    sheet.compare("sh_basis_on_axes", sh_basis(axes.T.reshape(1, 3, 1, 4))[0, :, 0])
    lamps = reference.tensor("directional")
    listed = normals.detach().flatten(2).transpose(1, 2)
    lit = directional_shading(normals.detach(), lamps[..., :3], lamps[..., 3:]).flatten(2).transpose(1, 2)
    sheet.compare("directional_shading", lit)
    sheet.compare("point_shading", point_shading(reference.tensor("points"), listed, lamps[..., :3], lamps[..., 3:]))
    vertices = reference.tensor("verts")
    sheet.tensor("vertex_normals", vertex_normals(vertices, scene.faces), scene.thinned)
    sheet.tensor("template_normals", vertex_normals(scene.template, scene.faces), scene.thinned)
    rows = re.findall(r"\[[^\]]+\]", reference.notes["transformed"])
    projected = project(vertices, torch.tensor([evaluate(row) for row in rows]))
    projected = projected + torch.tensor([0.0, 0.0, DEPTH_SHIFT])
    sheet.tensor("transformed_normals", vertex_normals(projected, scene.faces), scene.thinned)
    sheet.exact("face_count", len(scene.faces))


def normals_of_the_formula_mesh(sheet: Sheet) -> None:
    """``shading_free.npz``."""
    reference = sheet.reference
    vertices = reference.tensor("verts").requires_grad_()
    normals = vertex_normals(vertices, torch.from_numpy(reference.array("mesh_f")))
    (normals * reference.tensor("cotangent")).sum().backward()
    sheet.tensor("vertex_normals", normals)
    sheet.compare("grad_verts", vertices.grad)


def pictures(sheet: Sheet) -> None:
    """``render.npz`` and ``render_free.npz``."""
    scene = Scene(sheet)
    reference, renderer = sheet.reference, scene.renderer()
    _fragments(sheet, scene, renderer)
    inputs = {name: reference.tensor(name).requires_grad_() for name in ("verts", "albedo", "lights")}
    projected = scene.projected(inputs["verts"])
    projected.retain_grad()
    rendering = renderer.render(inputs["verts"], projected, inputs["albedo"], inputs["lights"])
    (rendering.images * reference.tensor("cotangent")).sum().backward()
    for key, value in {
        "grid": rendering.grid,
        "images_shaded": rendering.images,
        "images_unshaded": rendering.albedo_images * rendering.alpha,
        "shading": rendering.shading,
        "normal_images": rendering.normal_images,
        "mask_face_eye": rendering.face_eye_mask,
        "predicted_images": rendering.images * rendering.face_eye_mask * rendering.alpha,
    }.items():
        sheet.tensor(key, value, 4)
    sheet.bits("pos_mask", rendering.pos_mask)
    sheet.tensor("normals", rendering.normals, scene.thinned)
    # With the depths 10 behind, as the original has them, which costs digits of the edges.
    shifted = projected.detach() + torch.tensor([0.0, 0.0, DEPTH_SHIFT])
    sheet.tensor("transformed_normals", vertex_normals(shifted, scene.faces), scene.thinned)
    gradients = {name: tensor.grad for name, tensor in inputs.items()} | {"trans_verts": projected.grad}
    for name, gradient in gradients.items():
        sheet.compare(f"grad_norm_images_{name}", norm(gradient), relative=LAST_BIT)
    sheet.compare("grad_images_lights", gradients["lights"])
    sheet.tensor("grad_images_albedo", gradients["albedo"], 4, relative=LAST_BIT)
    for name in ("verts", "trans_verts"):
        sheet.tensor(f"grad_images_{name}", gradients[name], scene.thinned, relative=LAST_BIT)
    _overlay(sheet, scene, renderer)
    _other_sizes(sheet, scene, renderer)
    _shape_pictures(sheet, scene, renderer)


def _fragments(sheet: Sheet, scene: Scene, renderer: Renderer) -> None:
    reference = sheet.reference
    projected = scene.projected(reference.tensor("verts"))
    sheet.tensor("trans_verts", projected, scene.thinned)
    fragments = renderer.rasterize(projected)
    # A few pixels may lie on an edge within the last bit of the vertices (README): 5 of 50,176.
    wrong = int((fragments.face[0].numpy() != reference["pix_to_face"]).sum())
    sheet.add("pix_to_face", wrong, fragments.face[0].numel(), 5, "5 px")
    sheet.bits("alpha", fragments.alpha, pixels=5)
    covered = fragments.alpha[:, 0, ::4, ::4].numpy() > 0
    # Where nothing is, the original stores -1.
    bary = np.where(covered[0, ..., None], fragments.bary[0, ::4, ::4].numpy(), -1)
    sheet.compare("bary.sub", bary)
    weights = fragments.bary[..., ::4, ::4, :].sum(-1).numpy()
    depth = fragments.depth[:, ::4, ::4].numpy()
    # The original's depth holds the shift of 10 times weights that sum to 1 - 1e-8 / area.
    sheet.compare("zbuf.sub", np.where(covered, depth + DEPTH_SHIFT * weights, -1), relative=1e-6)


def _overlay(sheet: Sheet, scene: Scene, renderer: Renderer) -> None:
    """The picture of the identity loss: gradients reach the geometry alone."""
    reference = sheet.reference
    vertices = reference.tensor("verts").requires_grad_()
    albedo, light, photo = (reference.tensor(name) for name in ("albedo", "lights", "photo"))
    rendering = renderer.render(vertices, scene.projected(vertices), albedo, light)
    shaded = rendering.albedo_images * sh_shading(rendering.normal_images, light)
    overlay = shaded * rendering.face_eye_mask + photo * (1 - rendering.face_eye_mask)
    (overlay * reference.tensor("cotangent")).sum().backward()
    sheet.tensor("identity_overlay", overlay, 4)
    sheet.compare("grad_norm_overlay_verts", norm(vertices.grad), relative=LAST_BIT)


def _other_sizes(sheet: Sheet, scene: Scene, renderer: Renderer) -> None:
    reference = sheet.reference
    vertices = reference.tensor("verts")
    arguments = (vertices, scene.projected(vertices), reference.tensor("albedo"), reference.tensor("lights"))
    for key in [key for key in reference.outputs if key.startswith("grid_h") and key.endswith(".sub")]:
        name = key.removeprefix("grid_").removesuffix(".sub")
        height, width = (int(part[1:]) for part in name.split("_"))
        rendering = renderer.render(*arguments, (height, width))
        sheet.bits(f"alpha_{name}", rendering.alpha, pixels=5)
        sheet.tensor(f"grid_{name}", rendering.grid, 4)


def interpolated_grey(renderer: Renderer, projected: torch.Tensor) -> torch.Tensor:
    """Return what DECA's constant grey is multiplied with: it interpolates it like any attribute.

    The weights of a pixel sum to 1 - 1e-8 / area of its face, so small faces are up to 0.06 % darker there. tvface
    multiplies with the grey itself.
    """
    return renderer.rasterize(projected).bary.sum(-1)[:, None]


def _shape_pictures(sheet: Sheet, scene: Scene, renderer: Renderer) -> None:
    reference = sheet.reference
    vertices, photo = reference.tensor("verts"), reference.tensor("photo")
    projected = scene.projected(vertices)
    shape, on_photo = (
        renderer.render_shape(vertices, projected),
        renderer.render_shape(vertices, projected, images=photo),
    )
    darker = interpolated_grey(renderer, projected)
    sheet.tensor("shape_images", shape * darker, 4)
    sheet.tensor("shape_on_photo", on_photo - shape * (1 - darker), 4)
    bright = renderer.render_shape(vertices, projected, images=torch.full_like(photo, 100.0))
    sheet.bits("shape_alpha", bright[:, :1] < 50)
    sheet.tensor("depth", renderer.render_depth(projected), 4)
    if "landmark_visibility" in reference:
        sheet.exact("landmark_visibility", renderer.landmark_visibility(projected)[0])
