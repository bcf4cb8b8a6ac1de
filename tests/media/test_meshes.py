"""OBJ and GLB bytes."""

import io

import numpy as np
import pytest
import trimesh

from tvface.media import meshes

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.5]], float)
FACES = np.array([[0, 1, 2], [1, 3, 2]])
# A seam along the diagonal: vertices 1 and 2 have two texture coordinates each.
UV = np.array([[0, 0], [1, 0], [0, 1], [0.9, 0.1], [0.1, 0.9], [1, 1]], float)
UV_FACES = np.array([[0, 1, 2], [3, 5, 4]])


def test_obj_keeps_vertices_and_their_order():
    mesh = trimesh.load(io.BytesIO(meshes.obj(VERTICES, FACES, UV, UV_FACES)), file_type="obj", maintain_order=True)
    text = meshes.obj(VERTICES, FACES, UV, UV_FACES, "face").decode()
    assert text.count("\nv ") == 4 and text.count("\nvt ") == 6 and "f 2/4 4/6 3/5" in text
    assert text.startswith("mtllib face.mtl\nusemtl face\n")
    np.testing.assert_allclose(mesh.bounds, [[0, 0, 0], [1, 1, 0.5]])


def test_glb_doubles_vertices_at_seams_and_keeps_the_texture_upright():
    texture = np.zeros((4, 4, 3), np.uint8)
    texture[0] = 255  # row 0 is v = 1
    scene = trimesh.load(io.BytesIO(meshes.glb(VERTICES, FACES, UV, UV_FACES, texture)), file_type="glb")
    (mesh,) = scene.geometry.values()
    assert len(mesh.vertices) == 6 and len(mesh.faces) == 2
    corners = {tuple(np.round(v, 3)): uv for v, uv in zip(mesh.vertices, mesh.visual.uv, strict=True)}
    np.testing.assert_allclose(corners[1, 1, 0.5], [1, 1], atol=1e-6)
    assert np.asarray(mesh.visual.material.baseColorTexture)[0, 0, 0] == 255
    np.testing.assert_allclose(mesh.area, trimesh.Trimesh(VERTICES, FACES).area, rtol=1e-5)


def test_bytes_repeat():
    assert meshes.glb(VERTICES, FACES, UV, UV_FACES) == meshes.glb(VERTICES, FACES, UV, UV_FACES)


def test_broken_meshes_are_refused():
    with pytest.raises(ValueError, match="vertex 9"):
        meshes.plain_obj(VERTICES, FACES + 6)
    with pytest.raises(ValueError, match="not finite"):
        meshes.plain_obj(VERTICES * np.nan, FACES)
    with pytest.raises(ValueError, match="texture faces"):
        meshes.obj(VERTICES, FACES, UV, UV_FACES[:1])
