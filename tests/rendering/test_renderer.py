"""The renderer against the original's numbers, on a mesh made by formula and (with licensed files) on its head."""

import numpy as np
import pytest
import torch

from tests.rendering.scenes import Scene
from tvface.rendering import shape_view
from tvface.rendering.renderer import Renderer, sample
from tvface.rendering.shading import sh_shading, vertex_normals

SCENES = ("render_free", "render")


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param)


@pytest.fixture(scope="module")
def renderer(scene: Scene) -> Renderer:
    return Renderer(scene.head, 224, 256)


@pytest.fixture(scope="module")
def rendered(scene: Scene, renderer: Renderer) -> dict:
    """One rendering with the gradients of sum(images * cotangent)."""
    reference = scene.reference
    inputs = {name: reference.tensor(name).requires_grad_() for name in ("verts", "albedo", "lights")}
    projected = scene.projected(inputs["verts"])
    projected.retain_grad()
    rendering = renderer.render(inputs["verts"], projected, inputs["albedo"], inputs["lights"])
    (rendering.images * reference.tensor("cotangent")).sum().backward()
    gradients = {name: tensor.grad for name, tensor in inputs.items()} | {"trans_verts": projected.grad}
    return {"rendering": rendering, "gradients": gradients}


def test_pictures(scene: Scene, rendered: dict) -> None:
    rendering = rendered["rendering"]
    for key, value in {
        "grid": rendering.grid,
        "images_shaded": rendering.images,
        "images_unshaded": rendering.albedo_images * rendering.alpha,
        "shading": rendering.shading,
        "normal_images": rendering.normal_images,
        "mask_face_eye": rendering.face_eye_mask,
        "predicted_images": rendering.images * rendering.face_eye_mask * rendering.alpha,
    }.items():
        scene.check(key, value, 4)


def test_masks(scene: Scene, rendered: dict) -> None:
    scene.check_bits("alpha", rendered["rendering"].alpha)
    scene.check_bits("pos_mask", rendered["rendering"].pos_mask)


def test_normals(scene: Scene, rendered: dict) -> None:
    ours = rendered["rendering"].normals.detach()[:, :: scene.vertex_step]
    np.testing.assert_allclose(ours, scene.reference["normals.sub"], atol=1e-5)


@pytest.mark.parametrize("name", ["verts", "trans_verts", "albedo", "lights"])
def test_gradients(scene: Scene, rendered: dict, name: str) -> None:
    gradient = rendered["gradients"][name]
    np.testing.assert_allclose(gradient.norm(), scene.reference[f"grad_norm_images_{name}"], rtol=1e-4)
    if name == "albedo":
        scene.check("grad_images_albedo", gradient, 4)
    elif name == "lights":
        theirs = scene.reference["grad_images_lights"]
        np.testing.assert_allclose(gradient, theirs, atol=1e-4 * np.abs(theirs).max())
    else:
        theirs = scene.reference[f"grad_images_{name}.sub"]
        np.testing.assert_allclose(gradient[:, :: scene.vertex_step], theirs, atol=1.2e-4 * np.abs(theirs).max())


def test_overlay_for_the_identity_loss(scene: Scene, renderer: Renderer) -> None:
    """Albedo and light fixed, geometry not; the background is a constant colour, as in the original."""
    reference = scene.reference
    vertices = reference.tensor("verts").requires_grad_()
    albedo, light, photo = (reference.tensor(name) for name in ("albedo", "lights", "photo"))
    rendering = renderer.render(vertices, scene.projected(vertices), albedo, light)
    shaded = rendering.albedo_images * sh_shading(rendering.normal_images, light)
    overlay = shaded * rendering.face_eye_mask + photo * (1 - rendering.face_eye_mask)
    scene.check("identity_overlay", overlay, 4)


@pytest.mark.parametrize("size", [(160, 224), (224, 160)])
def test_pictures_that_are_not_square(scene: Scene, renderer: Renderer, size: tuple[int, int]) -> None:
    reference, key = scene.reference, f"h{size[0]}_w{size[1]}"
    vertices = reference.tensor("verts")
    rendering = renderer.render(
        vertices, scene.projected(vertices), reference.tensor("albedo"), reference.tensor("lights"), size
    )
    scene.check_bits(f"alpha_{key}", rendering.alpha)
    scene.check(f"grid_{key}", rendering.grid, 4)


def test_shape_pictures(scene: Scene, renderer: Renderer) -> None:
    vertices = scene.reference.tensor("verts")
    projected = scene.projected(vertices)
    shape = renderer.render_shape(vertices, projected)
    # The original interpolates the grey too, with weights that sum to 1 - 1e-8 / area: up to 0.06 % darker.
    scene.check("shape_images", shape, 4, relative=7e-4)
    photo = scene.reference.tensor("photo")
    on_photo = renderer.render_shape(vertices, projected, images=photo)
    scene.check("shape_on_photo", on_photo, 4, relative=7e-4)
    scene.check("depth", renderer.render_depth(projected), 4)
    shown = renderer.render_shape(vertices, projected, images=torch.full((1, 3, 224, 224), 100.0))[:, 0] < 50
    scene.check_bits("shape_alpha", shown)


def test_shape_picture_leaves_out_what_faces_away() -> None:
    """z of the projected normal, smaller is towards the viewer: drawn up to 0.15, the background elsewhere."""
    normals = torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 1, 3)
    z = torch.tensor([-1.0, 0.14, 0.16]).reshape(1, 1, 1, 3)
    picture = shape_view.shade(normals, z, torch.ones(1, 1, 1, 3), torch.full((1, 3, 1, 3), 9.0))
    assert (picture[0, 0, 0] == 9).tolist() == [False, False, True]
    uncovered = shape_view.shade(normals, z, torch.zeros(1, 1, 1, 3))
    assert not uncovered.any()


def test_landmark_visibility(scene: Scene, renderer: Renderer) -> None:
    """A landmark amid a face is visible exactly if the mean normal of the three corners points at the camera."""
    projected = scene.projected(scene.reference.tensor("verts"))
    visible = renderer.landmark_visibility(projected)
    mean_z = vertex_normals(projected, scene.faces)[0, scene.faces[:68], 2].mean(1)
    assert visible.shape == (1, 68)
    np.testing.assert_array_equal(visible[0], (mean_z < 0.1).float())
    turned = renderer.landmark_visibility(projected * torch.tensor([-1.0, 1.0, -1.0]))
    assert not torch.equal(turned, visible)


def test_inputs_stay_as_they_are_and_state_dict_is_empty(scene: Scene, renderer: Renderer) -> None:
    vertices = scene.reference.tensor("verts")
    projected = scene.projected(vertices)
    before = projected.clone()
    renderer.render(vertices, projected, scene.reference.tensor("albedo"), scene.reference.tensor("lights"))
    renderer.render_shape(vertices, projected)
    renderer.render_depth(projected)
    assert torch.equal(projected, before)
    assert renderer.state_dict() == {}


def test_batch_equals_single_items(scene: Scene, renderer: Renderer) -> None:
    vertices = scene.reference.tensor("verts")
    batch = torch.cat((vertices, vertices * 0.8, vertices.roll(1, 0) * torch.tensor([1.0, 1.0, 0.7])))
    projected = scene.projected(batch)
    albedo = scene.reference.tensor("albedo").expand(3, -1, -1, -1)
    light = scene.reference.tensor("lights") * torch.tensor([1.0, 0.5, -1.0])[:, None, None]
    whole = renderer.render(batch, projected, albedo, light)
    for item in range(3):
        part = slice(item, item + 1)
        single = renderer.render(batch[part], projected[part], albedo[part], light[part])
        torch.testing.assert_close(whole.images[part], single.images, rtol=0, atol=1e-6)


def test_sample_reads_pixel_areas() -> None:
    """[-1, 1] spans the image's area: the centre of pixel 0 of 4 is at -0.75."""
    image = torch.arange(4.0).reshape(1, 1, 1, 4).expand(1, 1, 4, 4)
    grid = torch.tensor([-0.75, -0.25, 0.75]).reshape(1, 1, 1, 3)
    grid = torch.cat((grid, torch.full_like(grid, -0.75)), 1)
    torch.testing.assert_close(sample(image, grid)[0, 0, 0], torch.tensor([0.0, 1.0, 3.0]))
