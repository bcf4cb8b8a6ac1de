"""Meshes as bytes: OBJ with the topology of the head, GLB for viewers."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import trimesh
from numpy.typing import NDArray

Vertices = NDArray[np.floating]
Faces = NDArray[np.integer]


def obj(vertices: Vertices, faces: Faces, uv: Vertices, uv_faces: Faces, material: str | None = None) -> bytes:
    """Return a Wavefront OBJ with texture coordinates.

    Vertices keep their number and order (tools that compare heads, as the NoW evaluation, need it), so seams are
    expressed by ``f v/vt`` and not by doubled vertices as in :func:`glb`.

    Args:
        vertices: (V,3), written as they are (metres).
        faces: (F,3) indices into ``vertices``, outward counter-clockwise.
        uv: (Vt,2) in [0,1], v up.
        uv_faces: (F,3) indices into ``uv``.
        material: stem of the ``.mtl`` beside the file, or None for a mesh without texture.
    """
    _check(vertices, faces)
    if uv_faces.shape != faces.shape:
        raise ValueError(f"{len(faces)} faces need as many texture faces, got {len(uv_faces)}")
    text = io.StringIO()
    if material is not None:
        text.write(f"mtllib {material}.mtl\nusemtl {material}\n")
    np.savetxt(text, vertices, fmt="v %.6f %.6f %.6f")
    np.savetxt(text, uv, fmt="vt %.6f %.6f")
    corners = np.stack([faces, uv_faces], -1).reshape(len(faces), 6) + 1
    np.savetxt(text, corners, fmt="f %d/%d %d/%d %d/%d")
    return text.getvalue().encode()


def mtl(material: str, picture: str) -> bytes:
    """Return the material library of :func:`obj`: one diffuse texture, the file ``picture`` beside it."""
    return f"newmtl {material}\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture}\n".encode()


def glb(
    vertices: Vertices, faces: Faces, uv: Vertices, uv_faces: Faces, texture: NDArray[np.uint8] | None = None
) -> bytes:
    """Return a binary glTF with the texture inside.

    Args:
        vertices, faces, uv, uv_faces: as in :func:`obj`. A vertex with several texture coordinates is doubled, because
            glTF has one index for both.
        texture: (A,A,3) uint8 RGB, row 0 at v = 1; None: grey.
    """
    _check(vertices, faces)
    pairs, index = np.unique(np.stack([faces.reshape(-1), uv_faces.reshape(-1)], 1), axis=0, return_inverse=True)
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=None if texture is None else PIL.Image.fromarray(texture),
        baseColorFactor=[180, 180, 180, 255] if texture is None else [255, 255, 255, 255],
        metallicFactor=0.0,
        roughnessFactor=0.8,
    )
    mesh = trimesh.Trimesh(
        np.asarray(vertices, np.float64)[pairs[:, 0]],
        index.reshape(-1, 3),
        visual=trimesh.visual.TextureVisuals(uv=np.asarray(uv, np.float64)[pairs[:, 1]], material=material),
        process=False,
    )
    return bytes(trimesh.exchange.gltf.export_glb(trimesh.Scene(mesh)))


def plain_obj(vertices: Vertices, faces: Faces) -> bytes:
    """Return an OBJ of vertices (V,3) and faces (F,3) without texture coordinates, for the dense detail mesh."""
    _check(vertices, faces)
    text = io.StringIO()
    np.savetxt(text, vertices, fmt="v %.6f %.6f %.6f")
    np.savetxt(text, faces + 1, fmt="f %d %d %d")
    return text.getvalue().encode()


def _check(vertices: Vertices, faces: Faces) -> None:
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"a mesh needs (V,3) vertices and (F,3) faces, got {vertices.shape} and {faces.shape}")
    if not np.isfinite(vertices).all():
        raise ValueError("the mesh has vertices that are not finite")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"a face points to vertex {faces.max()}, the mesh has {len(vertices)}")
