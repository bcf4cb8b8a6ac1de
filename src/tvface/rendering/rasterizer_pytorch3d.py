"""Selection of faces by pytorch3d, for comparison; the package is optional, and nothing else in tvface uses it."""

import torch
from torch import Tensor


def select_faces(vertices: Tensor, faces: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return the face index of each pixel, (B, H, W) int64, -1 for none.

    Args:
        vertices: (B, V, 3) float32, depth already shifted.
        faces: (F, 3) int64.
        columns, rows: (W,) and (H,); only their lengths count.

    Raises:
        ImportError: pytorch3d is not installed.
    """
    try:
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes
    except ImportError as error:
        raise ImportError(
            "rasterizer backend 'pytorch3d' needs the package pytorch3d, which is not installed: "
            "install it for this torch version, or use backend 'auto'"
        ) from error
    batch, count = vertices.shape[0], faces.shape[0]
    if batch == 0 or count == 0:
        return torch.full((batch, len(rows), len(columns)), -1, dtype=torch.int64, device=vertices.device)
    # pytorch3d's x points left and its y up.
    flipped = vertices * vertices.new_tensor((-1.0, -1.0, 1.0))
    meshes = Meshes(verts=flipped, faces=faces.expand(batch, -1, -1))
    face = rasterize_meshes(
        meshes,
        image_size=(len(rows), len(columns)),
        blur_radius=0.0,
        faces_per_pixel=1,
        perspective_correct=False,
        clip_barycentric_coords=False,
        cull_backfaces=False,
    )[0][..., 0]
    first = torch.arange(batch, device=face.device).reshape(-1, 1, 1) * count
    return torch.where(face >= 0, face - first, face)
