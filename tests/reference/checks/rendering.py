"""Shading, normals, and the renderer's pictures with their gradients."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import torch

from tests.reference.checks.edges import near, undecided
from tests.reference.checks.rounding import Result, repeated
from tests.reference.checks.scene import IMAGE, Scene
from tests.reference.checks.sheet import Sheet, beside
from tests.reference.expressions import evaluate
from tvface.head.camera import project
from tvface.rendering.rasterizer import DEPTH_SHIFT, interpolate
from tvface.rendering.renderer import FACING_Z, Renderer
from tvface.rendering.shading import (
    SH_FACTORS,
    directional_shading,
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
    sheet.compare("point_shading", _point_shading(reference.tensor("points"), listed, lamps[..., :3], lamps[..., 3:]))
    vertices = reference.tensor("verts")
    sheet.tensor("vertex_normals", vertex_normals(vertices, scene.faces), scene.thinned)
    sheet.tensor("template_normals", vertex_normals(scene.template, scene.faces), scene.thinned)
    rows = re.findall(r"\[[^\]]+\]", reference.notes["transformed"])
    projected = project(vertices, torch.tensor([evaluate(row) for row in rows]))
    projected = projected + torch.tensor([0.0, 0.0, DEPTH_SHIFT])
    sheet.tensor("transformed_normals", vertex_normals(projected, scene.faces), scene.thinned)
    sheet.exact("face_count", len(scene.faces))


def _point_shading(
    points: torch.Tensor, normals: torch.Tensor, positions: torch.Tensor, intensities: torch.Tensor
) -> torch.Tensor:
    """An option of the original that tvface does not have: point lights without fall-off.

    The mean over lights of n . l times the intensity, not clamped.

    points, normals: (B, N, 3) in one frame. positions: (B, L, 3) of the lights, intensities: (B, L, 3) RGB.
    Returns (B, N, 3).
    """
    to_light = torch.nn.functional.normalize(positions[:, :, None] - points[:, None], dim=-1)
    cosine = (to_light * normals[:, None]).sum(-1)
    return torch.einsum("bln,blc->bnc", cosine, intensities) / positions.shape[1]


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
    renderer = scene.renderer()
    found = repeated(partial(_drawn, scene, renderer))
    rendering, projected = found["rendering"].value, found["projected"]
    edges = undecided(projected, scene.faces.numpy(), IMAGE, IMAGE)
    _fragments(sheet, scene, renderer, edges)
    for key, value in {
        "grid": rendering.grid,
        "images_shaded": rendering.images,
        "images_unshaded": rendering.albedo_images * rendering.alpha,
        "shading": rendering.shading,
        "normal_images": rendering.normal_images,
        "mask_face_eye": rendering.face_eye_mask,
        "predicted_images": rendering.images * rendering.face_eye_mask * rendering.alpha,
        "identity_overlay": found["overlay"].value,
    }.items():
        sheet.tensor(key, value, 4, undecided=edges)
    sheet.bits("pos_mask", rendering.pos_mask, undecided=edges | near(found["facing"], FACING_Z))
    sheet.tensor("normals", rendering.normals, scene.thinned)
    # With the depths 10 behind, as the original has them, which costs digits of the edges.
    shifted = projected.value.detach() + torch.tensor([0.0, 0.0, DEPTH_SHIFT])
    sheet.tensor("transformed_normals", vertex_normals(shifted, scene.faces), scene.thinned)
    for name in ("verts", "albedo", "lights", "trans_verts"):
        sheet.norm(f"grad_norm_images_{name}", found[f"grad_{name}"])
    sheet.norm("grad_norm_overlay_verts", found["grad_overlay"])
    sheet.compare("grad_images_lights", found["grad_lights"])
    sheet.tensor("grad_images_albedo", found["grad_albedo"], 4)
    for name in ("verts", "trans_verts"):
        sheet.tensor(f"grad_images_{name}", found[f"grad_{name}"], scene.thinned)
    _other_sizes(sheet, scene, renderer, projected)
    _shape_pictures(sheet, scene, renderer, edges)


def _drawn(scene: Scene, renderer: Renderer) -> dict[str, Any]:
    """The picture and the overlay of the identity loss, whose gradients reach the geometry alone; all gradients."""
    reference = scene.reference
    inputs = {name: reference.tensor(name).requires_grad_() for name in ("verts", "albedo", "lights")}
    cotangent, photo = (reference.tensor(name) for name in ("cotangent", "photo"))
    projected = scene.projected(inputs["verts"])
    projected.retain_grad()
    rendering = renderer.render(inputs["verts"], projected, inputs["albedo"], inputs["lights"])
    (rendering.images * cotangent).sum().backward()
    gradients = {f"grad_{name}": tensor.grad for name, tensor in inputs.items()} | {"grad_trans_verts": projected.grad}
    facing = renderer.rasterize(projected), scene.faces, vertex_normals(projected, scene.faces)[..., 2:]

    vertices = inputs["verts"].detach().clone().requires_grad_()
    albedo, light = inputs["albedo"].detach(), inputs["lights"].detach()
    drawn = renderer.render(vertices, scene.projected(vertices), albedo, light)
    overlay = drawn.albedo_images * sh_shading(drawn.normal_images, light) * drawn.face_eye_mask
    overlay = overlay + photo * (1 - drawn.face_eye_mask)
    (overlay * cotangent).sum().backward()
    return gradients | {
        "rendering": rendering,
        "projected": projected,
        "facing": interpolate(*facing),
        "overlay": overlay,
        "grad_overlay": vertices.grad,
    }


def _fragments(sheet: Sheet, scene: Scene, renderer: Renderer, edges: np.ndarray) -> None:
    reference = sheet.reference
    projected = scene.projected(reference.tensor("verts"))
    sheet.tensor("trans_verts", projected, scene.thinned)
    fragments = renderer.rasterize(projected)
    wrong = (fragments.face[0].numpy() != reference["pix_to_face"]) & ~edges[0, 0]
    sheet.add("pix_to_face", float(wrong.sum()), wrong.size, 0, f"0 px{beside(edges)}")
    sheet.few("pix_to_face", edges)
    sheet.bits("alpha", fragments.alpha, undecided=edges)
    sure = ~edges[0, 0, ::4, ::4]
    covered = fragments.alpha[:, 0, ::4, ::4].numpy() > 0
    # Where nothing is, the original stores -1.
    bary = np.where(covered[0, ..., None], fragments.bary[0, ::4, ::4].numpy(), -1)
    sheet.compare("bary.sub", bary, counted=np.broadcast_to(sure[..., None], bary.shape))
    weights = fragments.bary[..., ::4, ::4, :].sum(-1).numpy()
    depth = fragments.depth[:, ::4, ::4].numpy()
    # The original's depth holds the shift of 10 times weights that sum to 1 - 1e-8 / area.
    depth = np.where(covered, depth + DEPTH_SHIFT * weights, -1)
    sheet.compare("zbuf.sub", depth, relative=1e-6, counted=np.broadcast_to(sure, depth.shape))


def _other_sizes(sheet: Sheet, scene: Scene, renderer: Renderer, projected: Result) -> None:
    reference = sheet.reference
    vertices = reference.tensor("verts")
    arguments = (vertices, scene.projected(vertices), reference.tensor("albedo"), reference.tensor("lights"))
    for key in [key for key in reference.outputs if key.startswith("grid_h") and key.endswith(".sub")]:
        name = key.removeprefix("grid_").removesuffix(".sub")
        height, width = (int(part[1:]) for part in name.split("_"))
        rendering = renderer.render(*arguments, (height, width))
        edges = undecided(projected, scene.faces.numpy(), height, width)
        sheet.bits(f"alpha_{name}", rendering.alpha, undecided=edges)
        sheet.tensor(f"grid_{name}", rendering.grid, 4, undecided=edges)


def interpolated_grey(renderer: Renderer, projected: torch.Tensor) -> torch.Tensor:
    """Return what DECA's constant grey is multiplied with: it interpolates it like any attribute.

    The weights of a pixel sum to 1 - 1e-8 / area of its face, so small faces are up to 0.06 % darker there. tvface
    multiplies with the grey itself.
    """
    return renderer.rasterize(projected).bary.sum(-1)[:, None]


def _shape_pictures(sheet: Sheet, scene: Scene, renderer: Renderer, edges: np.ndarray) -> None:
    reference = sheet.reference
    vertices, photo = reference.tensor("verts"), reference.tensor("photo")
    projected = scene.projected(vertices)
    shape, on_photo = (
        renderer.render_shape(vertices, projected),
        renderer.render_shape(vertices, projected, images=photo),
    )
    darker = interpolated_grey(renderer, projected)
    sheet.tensor("shape_images", shape * darker, 4, undecided=edges)
    sheet.tensor("shape_on_photo", on_photo - shape * (1 - darker), 4, undecided=edges)
    bright = renderer.render_shape(vertices, projected, images=torch.full_like(photo, 100.0))
    sheet.bits("shape_alpha", bright[:, :1] < 50, undecided=edges)
    sheet.tensor("depth", renderer.render_depth(projected), 4, undecided=edges)
    if "landmark_visibility" in reference:
        sheet.exact("landmark_visibility", renderer.landmark_visibility(projected)[0])
