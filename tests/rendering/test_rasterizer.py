"""The rasteriser: the original's faces and weights, gradients, agreement of the backends, odd meshes."""

import builtins
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.rendering.scenes import Scene
from tvface.rendering import rasterizer_numba, rasterizer_torch
from tvface.rendering.rasterizer import interpolate, pixel_centres, rasterize

BACKENDS = ("numba", "torch")


def random_mesh(
    seed: int, batch: int = 2, vertices: int = 60, faces: int = 150, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Crossing triangles of all sizes, some partly or wholly outside."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(batch, vertices, 3, generator=generator, dtype=torch.float64) * 0.7
    triangles = torch.randint(vertices, (faces, 3), generator=generator)
    return points.to(dtype), triangles


def edge_mesh() -> tuple[Tensor, Tensor]:
    """Edges through the pixel centres of an 8-pixel picture; equal depths; a doubled face; a face without area."""
    row, column = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    points = torch.stack(((2 * column + 1) / 8 - 1, (2 * row + 1) / 8 - 1, torch.zeros(8, 8)), -1).reshape(1, -1, 3)
    faces = torch.tensor([[0, 7, 56], [7, 63, 56], [7, 63, 56], [0, 0, 9], [9, 14, 54]])
    return points, faces


def plain_weights(vertices: Tensor, faces: Tensor, face: Tensor) -> Tensor:
    """Barycentric coordinates with torch's own differentiation, written down independently by Cramer's rule."""
    batch, height, width = face.shape
    columns = (torch.arange(width, dtype=vertices.dtype) * 2 + 1) / width - 1
    rows = (torch.arange(height, dtype=vertices.dtype) * 2 + 1) / height - 1
    corner = vertices[torch.arange(batch).reshape(-1, 1, 1, 1), faces[face.clamp(min=0)]][..., :2]
    pixel = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)[None, :, :, None]
    to_corner = corner - pixel

    def cross(a: Tensor, b: Tensor) -> Tensor:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]

    a, b, c = to_corner.unbind(-2)
    parts = torch.stack((cross(c, b), cross(a, c), cross(b, a)), -1)
    return parts / (parts.sum(-1, keepdim=True) + 1e-8) * (face >= 0)[..., None]


@pytest.mark.parametrize("name", ["render_free", "render"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_original_faces_and_weights(name: str, backend: str) -> None:
    scene = Scene(name)
    projected = scene.projected(scene.reference.tensor("verts"))
    np.testing.assert_array_equal(projected[:, :: scene.step], scene.reference["trans_verts.sub"])
    fragments = rasterize(projected, scene.faces, 224, 224, backend)
    np.testing.assert_array_equal(fragments.face[0], scene.reference["pix_to_face"])
    covered = scene.reference["pix_to_face"][::4, ::4] >= 0
    np.testing.assert_allclose(
        fragments.bary[0, ::4, ::4].numpy()[covered], scene.reference["bary.sub"][covered], atol=1e-7
    )
    # The original's depth holds the shift of 10 times weights that sum to 1 - 1e-8 / area.
    weights = scene.reference["bary.sub"][covered].astype(np.float64).sum(1)
    depth = fragments.depth[0, ::4, ::4].numpy()[covered] + 10 * weights
    np.testing.assert_allclose(depth, scene.reference["zbuf.sub"][0][covered], atol=3e-6)
    assert torch.isinf(fragments.depth[fragments.face < 0]).all()


@pytest.mark.parametrize("size", [(33, 33), (40, 25), (25, 40), (1, 1)])
@pytest.mark.parametrize("seed", range(4))
def test_backends_choose_the_same_faces(seed: int, size: tuple[int, int]) -> None:
    vertices, faces = random_mesh(seed)
    ours, theirs = (rasterize(vertices, faces, *size, backend) for backend in BACKENDS)
    assert torch.equal(ours.face, theirs.face)
    assert torch.equal(ours.bary, theirs.bary)
    if size != (1, 1):
        assert 0.2 < (ours.face >= 0).float().mean() <= 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_edges_ties_and_degenerate_faces(backend: str) -> None:
    """Centres on an edge are empty, of equal faces the first wins, a face without area covers nothing."""
    vertices, faces = edge_mesh()
    face = rasterize(vertices, faces[:4], 8, 8, backend).face[0]
    assert (face.diagonal(dim1=0, dim2=1)[1:-1] >= 0).any()
    assert (face.flip(1).diagonal() == -1).all(), "the common edge runs through these centres"
    assert (face[0] == -1).all() and (face[:, 0] == -1).all() and (face[-1] == -1).all()
    assert set(face.unique().tolist()) == {-1, 0, 1}
    # Strictly above the other diagonal and off the border, where the edges are.
    row, column = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    assert torch.equal(face == 0, (row + column < 7) & (row > 0) & (column > 0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_nearest_face_wins_whatever_its_place_in_the_list(backend: str) -> None:
    square = torch.tensor([[-0.9, -0.9], [0.9, -0.9], [0.0, 0.9]])
    near, far = (torch.cat((square, torch.full((3, 1), z)), 1) for z in (-0.5, 0.5))
    vertices = torch.cat((far, near))[None]
    for faces, nearest in (([[0, 1, 2], [3, 4, 5]], 1), ([[3, 4, 5], [0, 1, 2]], 0)):
        fragments = rasterize(vertices, torch.tensor(faces), 16, 16, backend)
        assert fragments.face.unique().tolist() == [-1, nearest]
        assert torch.allclose(fragments.depth[fragments.face >= 0], torch.tensor(-0.5))


@pytest.mark.parametrize("backend", BACKENDS)
def test_faces_behind_the_shifted_plane_and_not_finite_ones_are_dropped(backend: str) -> None:
    vertices = torch.tensor([[[-0.9, -0.9, 0.0], [0.9, -0.9, 0.0], [0.0, 0.9, 0.0]]])
    faces = torch.tensor([[0, 1, 2]])
    assert (rasterize(vertices, faces, 16, 16, backend).face == 0).any()
    for row, column, value in ((0, 2, -10.1), (1, 0, np.nan), (2, 1, np.inf), (2, 2, np.nan), (0, 0, -np.inf)):
        broken = vertices.clone()
        broken[0, row, column] = value
        assert (rasterize(broken, faces, 16, 16, backend).face == -1).all(), (row, column, value)
    deep = vertices.clone()
    deep[..., 2] = -9.9
    assert (rasterize(deep, faces, 16, 16, backend).face == 0).any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_mesh_and_mesh_out_of_view(backend: str) -> None:
    vertices = torch.zeros(2, 5, 3, requires_grad=True)
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    fragments = rasterize(vertices, nothing, 6, 7, backend)
    assert fragments.face.shape == (2, 6, 7) and (fragments.face == -1).all()
    assert not interpolate(fragments, nothing, vertices).any()
    points, faces = random_mesh(1)
    away = (points + torch.tensor([50.0, 1e30, 0.0])).requires_grad_()
    fragments = rasterize(away, faces, 6, 7, backend)
    image = interpolate(fragments, faces, away)
    assert (fragments.face == -1).all() and not image.any() and not fragments.alpha.any()
    image.sum().backward()
    assert not away.grad.any()
    assert rasterize(points[:0], faces, 6, 7, backend).face.shape == (0, 6, 7)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("corners", [False, True])
def test_gradients_equal_plain_autograd(backend: str, corners: bool) -> None:
    """Values and gradients of weights and attributes against torch's own differentiation in float64."""
    vertices, faces = random_mesh(3, 2, 40, 60, torch.float64)
    generator = torch.Generator().manual_seed(1)
    shape = (2, 60, 3, 4) if corners else (2, 40, 4)
    attributes = torch.randn(shape, generator=generator, dtype=torch.float64)
    cotangent = torch.randn(2, 4, 32, 32, generator=generator, dtype=torch.float64)
    results = []
    for own in (True, False):
        points, values = vertices.clone().requires_grad_(), attributes.clone().requires_grad_()
        fragments = rasterize(points, faces, 32, 32, backend)
        if own:
            image = interpolate(fragments, faces, values)
        else:
            per_corner = values if corners else values[:, faces]
            picked = per_corner[torch.arange(2).reshape(-1, 1, 1), fragments.face.clamp(min=0)]
            weights = plain_weights(points, faces, fragments.face)
            image = (weights[..., None] * picked).sum(-2).permute(0, 3, 1, 2)
        (image * cotangent).sum().backward()
        results.append((image.detach(), points.grad, values.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7 * float(theirs.abs().max()))
    assert results[0][1][..., 2].abs().max() == 0, "depth moves no weight"


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradient_of_a_sliver_knows_the_epsilon(backend: str) -> None:
    """At an area near 1e-7, leaving the epsilon out of the backward pass would change the gradient by 6 %."""
    centre = torch.tensor([1 / 32, 1 / 32, 0.0], dtype=torch.float64)
    corners = torch.tensor([[-2e-4, -1e-4, 0.0], [3e-4, -1e-4, 0.0], [0.0, 2e-4, 0.0]], dtype=torch.float64)
    faces = torch.tensor([[0, 2, 1]])
    gradients = []
    for own in (True, False):
        points = (corners + centre)[None].requires_grad_()
        fragments = rasterize(points, faces, 32, 32, backend)
        assert int((fragments.face >= 0).sum()) == 1
        weights = fragments.bary if own else plain_weights(points, faces, fragments.face)
        (weights * torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)).sum().backward()
        gradients.append(points.grad)
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=0)


def test_kernels_of_both_devices_agree() -> None:
    """The torch kernels that a GPU uses give what the numba kernels give, forward and backward, also for one layout."""
    vertices, faces = random_mesh(5)
    columns = torch.from_numpy(pixel_centres(20, 20))
    face = rasterize(vertices, faces, 20, 20).face
    generator = torch.Generator().manual_seed(2)
    gradient, attributes = torch.randn(2, 20, 20, 3, generator=generator), torch.randn(2, 60, 5, generator=generator)
    image_gradient = torch.randn(2, 5, 20, 20, generator=generator)
    outcomes: list[list[Tensor]] = []
    for kernels in (rasterizer_numba, rasterizer_torch):
        bary = kernels.barycentrics(vertices, faces, face, columns, columns)
        outcome = [bary, kernels.barycentrics_backward(gradient, bary, vertices, faces, face, columns, columns)]
        for ids, weights in ((face, bary), (face[:1], bary[:1])):
            outcome.append(kernels.interpolate(ids, weights, faces, attributes))
        outcome += kernels.interpolate_backward(image_gradient, face, bary, faces, attributes, True, True)
        one_layout = kernels.interpolate_backward(image_gradient, face[:1], bary[:1], faces, attributes, False, True)
        assert one_layout[0] is None
        outcomes.append([*outcome, one_layout[1]])
    for ours, theirs in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_interpolation_with_one_layout_or_one_set_of_attributes() -> None:
    vertices, faces = random_mesh(6)
    fragments = rasterize(vertices[:1], faces, 16, 16)
    generator = torch.Generator().manual_seed(3)
    attributes = torch.randn(3, 60, 2, generator=generator)
    together = interpolate(fragments, faces, attributes)
    for item in range(3):
        torch.testing.assert_close(
            together[item : item + 1], interpolate(fragments, faces, attributes[item : item + 1])
        )
    points = vertices.clone().requires_grad_()
    shared = attributes[:1].clone().requires_grad_()
    image = interpolate(rasterize(points, faces, 16, 16), faces, shared)
    assert image.shape == (2, 2, 16, 16)
    image.square().sum().backward()
    separate = attributes[:1].repeat(2, 1, 1).requires_grad_()
    interpolate(rasterize(vertices, faces, 16, 16), faces, separate).square().sum().backward()
    torch.testing.assert_close(shared.grad[0], separate.grad.sum(0))
    assert points.grad.abs().max() > 0


def test_constant_attribute_gives_coverage() -> None:
    scene = Scene("render_free")
    fragments = rasterize(scene.projected(scene.reference.tensor("verts")), scene.faces, 64, 64)
    ones = interpolate(fragments, scene.faces, torch.ones(1, 768, 1))
    torch.testing.assert_close(ones, fragments.alpha, atol=1e-4, rtol=0)


def test_threads_of_torch_stay_as_they_are() -> None:
    """A numba threading layer would change them; several images are drawn at once with the same result."""
    vertices, faces = random_mesh(7, batch=6)
    single = rasterize(vertices, faces, 32, 32)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        points = vertices.clone().requires_grad_()
        many = rasterize(points, faces, 32, 32)
        interpolate(many, faces, points).sum().backward()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert torch.equal(single.face, many.face) and torch.equal(single.bary, many.bary)


@pytest.mark.parametrize("size", [3, 224, 256])
def test_pixel_centres_of_a_square(size: int) -> None:
    np.testing.assert_allclose(pixel_centres(size, size), (2 * np.arange(size) + 1) / size - 1, atol=2e-7)


def test_pixel_centres_of_the_longer_side_go_beyond_one() -> None:
    np.testing.assert_allclose(pixel_centres(4, 2), [-1.5, -0.5, 0.5, 1.5])
    np.testing.assert_allclose(pixel_centres(2, 4), [-0.5, 0.5])


def test_half_precision_is_drawn_in_float32() -> None:
    vertices, faces = random_mesh(8)
    half = vertices.half()
    assert torch.equal(rasterize(half, faces, 16, 16).face, rasterize(half.float(), faces, 16, 16).face)
    assert rasterize(half, faces, 16, 16).bary.dtype == torch.float32


def test_torch_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    vertices, faces = random_mesh(9)
    whole = rasterize(vertices, faces, 40, 40, "torch").face
    monkeypatch.setitem(rasterizer_torch.PIXELS_PER_CHUNK, "cpu", 500)
    assert torch.equal(rasterize(vertices, faces, 40, 40, "torch").face, whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices": torch.zeros(4, 3)}, r"vertices must be .*\(4, 3\)"),
        ({"vertices": torch.zeros(1, 4, 3, dtype=torch.int32)}, "int32"),
        ({"faces": torch.zeros(2, 4, dtype=torch.int64)}, r"faces must be integer \(F, 3\)"),
        ({"faces": torch.tensor([[0, 1, 4]])}, "0..4, but there are only 4 vertices"),
        ({"faces": torch.tensor([[0, 1, -1]])}, "-1..1"),
        ({"height": 0}, "0 x 8"),
        ({"backend": "opengl"}, "'opengl' is unknown: use one of auto, numba, torch, pytorch3d"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "vertices": torch.zeros(1, 4, 3),
        "faces": torch.tensor([[0, 1, 2]]),
        "height": 8,
        "width": 8,
        "backend": "auto",
    }
    with pytest.raises(ValueError, match=message):
        rasterize(**(arguments | change))


def test_interpolation_names_shapes_that_do_not_fit() -> None:
    vertices, faces = random_mesh(0)
    fragments = rasterize(vertices, faces, 8, 8)
    with pytest.raises(ValueError, match=r"\(B, 150, 3, C\)"):
        interpolate(fragments, faces, torch.zeros(2, 10, 3, 1))
    with pytest.raises(ValueError, match="batch of 2, the other side has 3"):
        interpolate(fragments, faces, torch.zeros(3, 60, 1))
    with pytest.raises(ValueError, match="only 5 attributes"):
        interpolate(fragments, faces, torch.zeros(2, 5, 1))
    with pytest.raises(ValueError, match="only 1 faces"):
        interpolate(fragments, faces[:1], torch.zeros(2, 60, 1))


def test_missing_pytorch3d_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("pytorch3d"):
            raise ImportError(name)
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    vertices, faces = random_mesh(0)
    with pytest.raises(ImportError, match="needs the package pytorch3d, which is not installed"):
        rasterize(vertices, faces, 8, 8, "pytorch3d")


def test_pytorch3d_chooses_the_same_faces() -> None:
    pytest.importorskip("pytorch3d", reason="pytorch3d is not installed")
    vertices, faces = random_mesh(2)
    for size in ((33, 33), (40, 25), (25, 40)):
        assert torch.equal(rasterize(vertices, faces, *size, "pytorch3d").face, rasterize(vertices, faces, *size).face)


@pytest.mark.gpu
def test_cuda_chooses_the_same_faces() -> None:
    vertices, faces = random_mesh(2)
    cuda = rasterize(vertices.cuda(), faces.cuda(), 40, 25)
    assert torch.equal(cuda.face.cpu(), rasterize(vertices, faces, 40, 25).face)
    with pytest.raises(ValueError, match="works on the CPU"):
        rasterize(vertices.cuda(), faces.cuda(), 40, 25, "numba")
