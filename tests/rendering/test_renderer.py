"""The renderer by construction. Its numbers are checked by tests/reference."""

import numpy as np
import pytest
import torch

from tests.rendering.scenes import Scene
from tvface.rendering import shape_view
from tvface.rendering.renderer import Renderer, sample
from tvface.rendering.shading import vertex_normals

SCENES = ("render_free", "render")


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param)


@pytest.fixture(scope="module")
def renderer(scene: Scene) -> Renderer:
    return Renderer(scene.head, 224, 256)


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
