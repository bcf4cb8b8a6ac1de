"""The reconstruct stage: codes and points of a split, the untrained baseline, meshes."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from tests.training.conftest import TINY, bumpy_head
from tvface.manifests import read, write
from tvface.manifests.base import Provenance
from tvface.manifests.dataset import DATASET
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.media.tarstore import read_bytes
from tvface.model.clips import load_clips
from tvface.model.face_model import Codes, FaceModel
from tvface.model.inference import decode, encode_clip, encode_images, share_identity
from tvface.model.weights_files import load_weights, read_spec
from tvface.settings import SettingsError, merge, parse_settings
from tvface.stages import reconstruct, train

from tests.training.conftest import project, tiny  # noqa: F401  isort: skip


@pytest.fixture
def trained(project, tiny) -> Path:  # noqa: F811
    out = {"manifest": Path("curve.parquet"), "weights": Path("weights.safetensors")}
    inputs = {"dataset": Path("dataset.parquet"), "head": Path("head.npz")}
    train.run(tiny, inputs, out, shard="temporal/pretrain")
    return out["weights"]


def run(settings, weights: Path, shard: str = "temporal"):
    out = {"manifest": Path("reconstruct.parquet"), "meshes": Path("reconstruct.tar")}
    inputs = {"dataset": Path("dataset.parquet"), "head": Path("head.npz"), "weights": weights}
    reconstruct.run(settings, inputs, out, shard=shard)
    return read(out["manifest"], RECONSTRUCT)


def with_settings(**values):
    return parse_settings(merge(TINY, {"reconstruct": values}))


def test_a_split_is_reconstructed_by_the_trained_and_the_untrained_model(trained, tiny):  # noqa: F811
    rows = run(tiny, trained).rows
    dataset = read("dataset.parquet", DATASET).rows
    of_test = dataset[dataset["split"] == "test"]
    assert len(rows) == 2 * len(of_test) and set(rows["sequence"]) == set(of_test["sequence"])
    assert dict(zip(rows["sequence"], rows["person"], strict=True)) == dict(
        zip(of_test["sequence"], of_test["person"], strict=True)
    )
    # The numbers are those of the model itself, applied to the whole sequence.
    spec = read_spec(trained)
    model = FaceModel(spec, bumpy_head())
    (clip, _) = load_clips(of_test, 32, tiny.masks.classes)
    for state in ("initial", "trained"):
        if state == "trained":
            model.load_weights(load_weights(trained))
        codes = encode_clip(model, clip)
        got = rows[(rows["weights"] == state) & (rows["sequence"] == clip.name)].sort_values("position")
        np.testing.assert_allclose(np.stack(got["camera"]), codes.camera, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.stack(got["light"]), codes.light.flatten(1), rtol=1e-5, atol=1e-6)
        # Points are in pixels of the stored 64 px crops: the inverse of p / size * 2 - 1.
        with torch.no_grad():
            points = (model.geometry(codes).landmarks2d + 1) * 32
        np.testing.assert_allclose(np.stack(got["points68"]), points.flatten(1), rtol=1e-4, atol=1e-3)
    means = rows.groupby("weights")["camera"].apply(lambda c: np.stack(c).mean())
    assert abs(means["trained"] - means["initial"]) > 1e-4


def test_meshes_open_and_hold_the_head(trained):
    rows = run(with_settings(meshes=1), trained).rows
    stored = rows[rows["obj_file"].notna()]
    assert stored["sequence"].nunique() == 1 and len(stored) == 5 and set(stored["weights"]) == {"trained"}
    row = stored.iloc[0]
    head = bumpy_head()
    text = read_bytes(row["obj_file"], int(row["obj_offset"]), int(row["obj_length"])).decode()
    lines = text.splitlines()
    vertices = np.array([[float(x) for x in line.split()[1:]] for line in lines if line.startswith("v ")])
    assert vertices.shape == head.v_template.shape
    assert np.abs(vertices - head.v_template).max() < 0.05
    faces = [[int(corner.split("/")[0]) - 1 for corner in line.split()[1:]] for line in lines if line.startswith("f ")]
    np.testing.assert_array_equal(faces, head.faces)
    data = read_bytes(row["glb_file"], int(row["glb_offset"]), int(row["glb_length"]))
    scene = trimesh.load(io.BytesIO(data), file_type="glb")
    (mesh,) = scene.geometry.values()
    np.testing.assert_allclose(mesh.bounds, [vertices.min(0), vertices.max(0)], atol=1e-5)
    assert mesh.visual.material.baseColorTexture.size == (32, 32)
    with tarfile.open("reconstruct.tar") as tar:
        names = tar.getnames()
    stem = f"{row['sequence']}_00"
    assert {f"{stem}.obj", f"{stem}.mtl", f"{stem}.png", f"{stem}.glb"} <= set(names)
    assert f"mtllib {stem}.mtl" in text
    assert f"{row['sequence']}_02_detail.obj" in names


def test_one_identity_per_track(trained):
    free = run(with_settings(meshes=1), trained).rows
    shared = run(with_settings(shared_identity=True, meshes=1), trained).rows
    for (weights, sequence), rows in shared.groupby(["weights", "sequence"]):
        shapes = np.stack(rows["shape"])
        assert (shapes == shapes[0]).all()
        alone = free[(free["weights"] == weights) & (free["sequence"] == sequence)]
        np.testing.assert_allclose(shapes[0], np.stack(alone["shape"]).mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(np.stack(rows["camera"]), np.stack(alone["camera"]), rtol=1e-6)


def test_two_sequences_of_one_track_share_their_identity():
    def codes(value: float) -> Codes:
        part = torch.full((2, 3), value)
        return Codes(part, part, part, part, part, part)

    tracks = {"a": ("e", 1), "b": ("e", 1), "c": ("f", 1)}
    shared = share_identity({"a": codes(1.0), "b": codes(3.0), "c": codes(7.0)}, tracks)
    assert [float(shared[name].shape.mean()) for name in "abc"] == [2.0, 2.0, 7.0]
    assert float(shared["a"].expression.mean()) == 1.0


def test_an_empty_split_gives_no_rows(trained, tiny):  # noqa: F811
    write("dataset.parquet", DATASET, DATASET.empty(), Provenance("dataset", {}))
    assert run(tiny, trained).rows.empty


def test_a_wrong_split_or_model_is_refused(trained, tiny):  # noqa: F811
    with pytest.raises(SettingsError, match=r"reconstruct\.split: 'tset'"):
        run(with_settings(split="tset"), trained)
    with pytest.raises(SettingsError, match="weights of 'temporal', not of 'deca'"):
        run(tiny, trained, "deca")


def test_loose_images_give_what_the_stage_gives(trained, tiny):  # noqa: F811
    rows = run(tiny, trained).rows
    dataset = read("dataset.parquet", DATASET).rows
    (clip, _) = load_clips(dataset[dataset["split"] == "test"], 32, tiny.masks.classes)
    model = FaceModel(read_spec(trained), bumpy_head())
    model.load_weights(load_weights(trained))
    result = decode(model, encode_images(model, list(clip.images), clip.flow))
    got = rows[(rows["weights"] == "trained") & (rows["sequence"] == clip.name)].sort_values("position")
    np.testing.assert_allclose(np.stack(got["pose"]), result.codes.pose, rtol=1e-4, atol=1e-5)
    assert result.detail.displacement.shape == (5, 1, 32, 32)
    with pytest.raises(ValueError, match="need flow of shape"):
        encode_images(model, list(clip.images)[:3], clip.flow)
