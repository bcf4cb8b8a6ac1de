"""The loader of FLAME: right numbers, nothing executed, clear errors."""

from __future__ import annotations

import dataclasses
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.head import synthetic_flame
from tests.reference.arrays import SHARED, load
from tvface.head.data import HeadData, HeadError
from tvface.head.flame import convert, nearest
from tvface.head.flame_albedo import albedo_from_file
from tvface.head.model import HeadModel
from tvface.head.unpickle import read_object_npy, read_pickle
from tvface.settings.model import Head

LICENSED = SHARED / "licensed" / "deca"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Head, dict[str, Any]]:
    settings, model = synthetic_flame.write_all(tmp_path)
    return Head(**settings, uv_size=32, n_shape=20, n_expression=10, n_texture=7), model


def test_every_array_arrives(files: tuple[Head, dict[str, Any]]) -> None:
    settings, model = files
    head = convert(settings)
    np.testing.assert_allclose(head.v_template, model["v_template"], rtol=1e-6)
    np.testing.assert_array_equal(head.faces, model["f"])
    np.testing.assert_allclose(head.shape_basis, model["shapedirs"][..., :20], rtol=1e-6)
    np.testing.assert_allclose(head.expression_basis, model["shapedirs"][..., 300:310], rtol=1e-6)
    np.testing.assert_allclose(head.pose_basis[5].reshape(-1, 3), model["posedirs"][..., 5], rtol=1e-6)
    np.testing.assert_allclose(head.joint_regressor, model["J_regressor"], rtol=1e-6)
    np.testing.assert_allclose(head.skinning, model["weights"], rtol=1e-6)
    assert head.parents.tolist() == [-1, 0, 1, 1, 1]
    assert head.face_mask.shape == (32, 32) and head.face_mask[16, 16] == 1 and head.face_mask[2, 16] == 0
    assert head.face_eye_mask[2, 16] == pytest.approx(128 / 255)
    np.testing.assert_allclose(head.fixed_displacement, np.load(settings.fixed_displacement)[::2, ::2], rtol=1e-6)
    assert len(head.albedo_basis) == 7
    assert head.notes["source"] == "flame"
    again = convert(settings)
    assert all(np.array_equal(getattr(head, f.name), getattr(again, f.name)) for f in dataclasses.fields(head))


def test_embedding_with_tensors_inside(files: tuple[Head, dict[str, Any]]) -> None:
    settings, _ = files
    content = np.load(settings.embedding, allow_pickle=True)[()]  # made by this test
    head = convert(settings)
    np.testing.assert_array_equal(head.contour_faces, content["dynamic_lmk_faces_idx"].numpy())
    np.testing.assert_allclose(head.contour_bary, content["dynamic_lmk_bary_coords"].numpy())
    np.testing.assert_allclose(head.full_bary, content["full_lmk_bary_coords"][0])


class _Malicious:
    """Unpickling this normally makes a directory."""

    def __init__(self, place: Path, call: str) -> None:
        self.place, self.call = place, call

    def __reduce__(self) -> tuple[Any, ...]:
        if self.call == "mkdir":
            return os.mkdir, (str(self.place),)
        code = f"__import__('os').mkdir({str(self.place)!r})"
        return (eval if self.call == "eval" else exec), (code,)


@pytest.mark.parametrize("call", ["mkdir", "eval", "exec"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_executes_nothing(tmp_path: Path, call: str, protocol: int) -> None:
    place = tmp_path / "made"
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickle.dumps({"v_template": _Malicious(place, call)}, protocol))
    pickle.loads(path.read_bytes())  # the attack works on a normal unpickler
    assert place.is_dir()
    place.rmdir()
    with pytest.raises(HeadError, match="refers to"):
        read_pickle(path, "FLAME")
    assert not place.exists()
    npy = tmp_path / "embedding.npy"
    np.save(npy, np.array({"x": _Malicious(place, call)}, dtype=object), allow_pickle=True)
    with pytest.raises(HeadError, match="refers to"):
        read_object_npy(npy, "embedding")
    assert not place.exists()


def test_a_malicious_tensor_inside_executes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "made"
    storage = tmp_path / "storage.pt"
    torch.save({"x": _Malicious(place, "mkdir")}, storage, _use_new_zipfile_serialization=False)

    class Storage:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch.storage._load_from_bytes, (storage.read_bytes(),)

    path = tmp_path / "embedding.pkl"
    path.write_bytes(pickle.dumps({"x": Storage()}, 2))
    with pytest.raises(HeadError):
        read_pickle(path, "embedding")
    assert not place.exists()


@pytest.mark.parametrize("name", ["flame", "template", "embedding", "face_mask", "face_eye_mask", "fixed_displacement"])
def test_missing_and_login_page(files: tuple[Head, dict[str, Any]], name: str) -> None:
    settings, _ = files
    path = Path(getattr(settings, name))
    path.write_text("<!DOCTYPE html>\n<html><body>Sign in</body></html>")
    with pytest.raises(HeadError, match=f"{path.name}: a web page"):
        convert(settings)
    path.unlink()
    with pytest.raises(HeadError, match=rf"{path.name}: .* is missing"):
        convert(settings)


def test_errors_say_what_is_wrong(files: tuple[Head, dict[str, Any]], tmp_path: Path) -> None:
    settings, model = files
    with pytest.raises(HeadError, match="n_shape = 301"):
        convert(dataclasses.replace(settings, n_shape=300 + 1))
    synthetic_flame.write_model(Path(settings.flame), {**model, "weights": model["weights"][:, :4]})
    with pytest.raises(HeadError, match=r"weights has shape .* expected"):
        convert(settings)
    synthetic_flame.write_model(Path(settings.flame), {**model, "f": model["f"][::-1]})
    with pytest.raises(HeadError, match="are not the"):
        convert(settings)
    computed = synthetic_flame.chumpy(model["v_template"])
    del computed.x
    synthetic_flame.dump(dict.fromkeys(model, computed) | {"weights": 1.0}, Path(settings.flame))
    with pytest.raises(HeadError, match="computed from others"):
        convert(settings)
    Path(settings.flame).write_bytes(Path(settings.flame).read_bytes()[:100])
    with pytest.raises(HeadError, match="cannot be read"):
        convert(settings)


@pytest.mark.parametrize(("names", "scale", "stored"), [(("MU", "PC"), 1.0, 199), (("mean", "tex_dir"), 1 / 255, 200)])
def test_albedo_files(tmp_path: Path, names: tuple[str, str], scale: float, stored: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(0.2, 0.8, (512, 512, 3)).astype(np.float32) / scale
    basis = np.zeros((512 * 512 * 3, stored), np.float16)
    basis[:, 1] = np.tile([0.25, 0.5, 1.0], 512 * 512) / scale  # B, G, R
    path = tmp_path / "albedo.npz"
    np.savez(path, **{names[0]: image, names[1]: basis})
    mean, columns = albedo_from_file(path, 3)
    np.testing.assert_allclose(mean, (image * scale)[::2, ::2, ::-1], rtol=1e-5)
    np.testing.assert_allclose(columns[1, 7, 9], [1.0, 0.5, 0.25], rtol=2e-3)
    with pytest.raises(HeadError, match=f"n_texture = {stored + 1}"):
        albedo_from_file(path, stored + 1)
    np.savez(path, other=image)
    with pytest.raises(HeadError, match="expected MU and PC"):
        albedo_from_file(path, 3)


def test_nearest_is_torchs_rule() -> None:
    image = np.random.default_rng(0).uniform(size=(7, 7)).astype(np.float32)
    for size in (3, 7, 16):
        expected = torch.nn.functional.interpolate(torch.from_numpy(image)[None, None], (size, size))[0, 0]
        np.testing.assert_array_equal(nearest(image, size), expected.numpy())


def test_decas_own_files_and_numbers(tmp_path: Path) -> None:
    """Through a pickle with the original's inputs and DECA's data files, the original's outputs."""
    reference_file = SHARED / "reference" / "deca" / "flame.npz"
    for needed in (LICENSED / "landmark_embedding.npy", reference_file):
        if not needed.is_file():
            pytest.skip(f"{needed} is missing (licensed, local only)")
    template = LICENSED / "head_template.obj"
    lines = [line.split() for line in template.read_text().splitlines()]
    v_template = np.array([line[1:4] for line in lines if line[:1] == ["v"]], np.float32)
    faces = np.array([[word.split("/")[0] for word in line[1:]] for line in lines if line[:1] == ["f"]], np.int64) - 1
    reference = load("deca", "flame", root=SHARED / "reference", v_template=v_template)
    model = {
        name: reference.array(name) for name in ("shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
    }
    path = synthetic_flame.write_model(tmp_path / "generic_model.pkl", {**model, "v_template": v_template, "f": faces})
    head = convert(
        Head(
            model="flame",
            flame=str(path),
            template=str(template),
            embedding=str(LICENSED / "landmark_embedding.npy"),
            face_mask=str(LICENSED / "uv_face_mask.png"),
            face_eye_mask=str(LICENSED / "uv_face_eye_mask.png"),
            fixed_displacement=str(LICENSED / "fixed_displacement_256.npy"),
        )
    )
    assert head.v_template.shape == (5023, 3) and head.uv.shape == (5118, 2) and head.faces.shape == (9976, 3)
    assert int((head.face_mask > 0.5).sum()) == pytest.approx(0.322 * 256**2, rel=0.01)
    assert int((head.fixed_displacement != 0).sum()) == 57909
    assert {1, 2, 3, 10, 11, 12, 13} <= set(np.unique(head.labels).tolist())
    output = HeadModel(head, 100, 50)(reference.tensor("shape"), reference.tensor("exp"), reference.tensor("pose"))
    np.testing.assert_allclose(output.vertices[:, ::7], reference["vertices.sub"], atol=2e-6)
    np.testing.assert_allclose(output.landmarks2d, reference["landmarks2d"], atol=2e-6)
    np.testing.assert_allclose(output.landmarks3d, reference["landmarks3d"], atol=2e-6)
    saved = tmp_path / "head.npz"
    head.save(saved)
    assert HeadData.load(saved).notes["source"] == "flame"
