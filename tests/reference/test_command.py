"""The parity command: what it says of folders with another seed, and that it fails when it should."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.reference import fill
from tests.reference.arrays import ROOT
from tests.reference.check import main

SCRIPT = ROOT / "check.py"


def call(name: str, shape: tuple[int, ...], seed: int, scale: float = 1.0) -> dict[str, object]:
    """An input in the layout of ``net``."""
    return {
        "call": "uniform",
        "name": name,
        "shape": shape,
        "seed": seed,
        "scale": scale,
        "shift": 0.0,
        "dtype": "float32",
    }


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray, padding: str) -> np.ndarray:
    """Sample (C, H, W) at pixel coordinates (H, W), written down without torch."""
    height, width = image.shape[1:]
    if padding == "border":
        x, y = x.clip(0, width - 1), y.clip(0, height - 1)
    total = np.zeros(image.shape)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        total += image[:, row.clip(0, height - 1), column.clip(0, width - 1)] * weight * inside
    return total


def write_warps(folder: Path, seed: int) -> None:
    """A ``flow_warp.npz`` of other names, sizes and amplitudes."""
    inputs: dict[str, object] = {"x": call("other/x", (1, 3, 11, 14), seed), "minus_one": "flow of exactly -1"}
    inputs["x_row"], inputs["flow_row"] = call("other/xr", (2, 2, 1, 7), seed), call("other/fr", (2, 1, 7, 2), seed, 2)
    arrays: dict[str, np.ndarray] = {}
    rows, columns = np.mgrid[:11, :14]
    x = fill.uniform("other/x", (1, 3, 11, 14), seed).astype(np.float32)[0]
    for amplitude in (1.5, 9.0):
        inputs[f"flow_{amplitude}"] = call(f"other/f{amplitude}", (1, 11, 14, 2), seed, amplitude)
        flow = (amplitude * fill.uniform(f"other/f{amplitude}", (1, 11, 14, 2), seed)).astype(np.float32)[0]
        for padding in ("zeros", "border"):
            warped = bilinear(x, columns + flow[..., 0], rows + flow[..., 1], padding)
            arrays[f"{padding}_{amplitude}"] = warped[None].astype(np.float32)
            arrays[f"{padding}_{amplitude}.noise"] = np.array([2e-6])
    row = fill.uniform("other/xr", (2, 2, 1, 7), seed).astype(np.float32)
    moved = (2 * fill.uniform("other/fr", (2, 1, 7, 2), seed)).astype(np.float32)[..., 0] + np.arange(7)
    for padding in ("zeros", "border"):
        # Along an axis of one pixel every coordinate is that pixel.
        parts = [bilinear(image, place, 0 * place, padding) for image, place in zip(row, moved, strict=True)]
        arrays[f"row_{padding}"] = np.stack(parts).astype(np.float32)
    shifted = np.zeros_like(x)
    shifted[:, 1:, 1:] = x[:, :-1, :-1]
    (folder / "net").mkdir(parents=True, exist_ok=True)
    np.savez(folder / "net" / "flow_warp.npz", **arrays, minus_one=shifted[None], inputs=json.dumps(inputs))


def write_camera(folder: Path, seed: int) -> None:
    """A ``camera.npz`` of other names and sizes."""
    expressions = {
        "points": f"0.2*fill.uniform('other.points',(3,20,3),{seed})",
        "cam": f"np.array([[7.5,0.0,0.0]])+0.1*fill.uniform('other.cam',(3,3),{seed})",
        "tform": "np.array([[1.1,0.1,-7.0],[-0.1,1.1,5.0],[0,0,1.0]])+np.zeros((3,3))",
    }
    points = (0.2 * fill.uniform("other.points", (3, 20, 3), seed)).astype(np.float32).astype(float)
    cam = (np.array([[7.5, 0, 0]]) + 0.1 * fill.uniform("other.cam", (3, 3), seed)).astype(np.float32).astype(float)
    tform = np.array([[1.1, 0.1, -7.0], [-0.1, 1.1, 5.0], [0, 0, 1.0]]).astype(np.float32).astype(float)
    scale, shift = cam[:, None, :1], cam[:, None, 1:]
    projected = np.concatenate([scale * (points[..., :2] + shift), scale * points[..., 2:]], -1)
    trans = projected * [1, -1, -1]
    # d/dp sum (s (p + t))^2 and s^2 z^2, by hand.
    grad_points = 2 * scale * projected
    grad_cam = np.concatenate(
        [(2 * projected**2 / scale).sum((1, 2))[:, None], (2 * scale * projected[..., :2]).sum(1)], -1
    )
    pixels = np.concatenate([(trans[..., :2] / 2 + 0.5) * 224, np.ones((3, 20, 1))], -1)
    moved = np.einsum("ij,bnj->bni", np.linalg.inv(tform), pixels)[..., :2] / [640, 360] * 2 - 1
    arrays = {
        "projected": projected,
        "landmarks2d": trans[..., :2],
        "trans_verts": trans,
        "grad_sumsq_points": grad_points,
        "grad_sumsq_cam": grad_cam,
        "to_original": np.concatenate([moved, trans[..., 2:]], -1),
    }
    notes = {"original_size": "original image h=360, w=640; crop size 224"}
    (folder / "deca").mkdir(parents=True, exist_ok=True)
    text = json.dumps({"arrays": expressions, "notes": notes})
    np.savez(folder / "deca" / "camera.npz", **{k: v.astype(np.float32) for k, v in arrays.items()}, inputs=text)


@pytest.mark.parametrize("seed", [1, 20260101])
def test_folders_of_another_seed_and_other_names_pass(tmp_path: Path, capsys, seed: int) -> None:
    write_warps(tmp_path, seed)
    write_camera(tmp_path, seed)
    for pattern, count in (("net/flow_warp.npz", 7), ("deca/camera.npz", 6)):
        assert main([str(tmp_path), "--only", pattern]) == 0
        assert f"\n{count} passed, 0 failed, 0 files skipped" in capsys.readouterr().out


def changed(folder: Path, name: str, key: str, change) -> None:
    """Rewrite one array of a file."""
    path = folder / name
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays[key] = change(arrays[key].copy()) if key in arrays else change(None)
    np.savez(path, **arrays)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("deca/camera.npz", "net/face_mask.npz", "net/keys/spynet_mmagic.json"):
        target = tmp_path / "reference" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return tmp_path / "reference"


@pytest.mark.parametrize(
    ("name", "key"),
    [("deca/camera.npz", "to_original"), ("deca/camera.npz", "grad_sumsq_cam"), ("net/face_mask.npz", "mask_101x77")],
)
def test_one_disturbed_value_is_found_and_named(folder: Path, capsys, name: str, key: str) -> None:
    def disturb(array: np.ndarray) -> np.ndarray:
        largest = np.abs(array).max()
        array.flat[array.size // 2] += 1 if array.dtype.kind == "u" else 3e-5 * largest
        return array

    changed(folder, name, key, disturb)
    assert main([str(folder), "--only", name]) == 1
    out = capsys.readouterr().out
    assert f"failed  {name}: {key}\n" in out and " 1 failed" in out


def test_a_value_that_is_no_number_fails(folder: Path, capsys) -> None:
    changed(folder, "deca/camera.npz", "projected", lambda array: np.where(array > 1, np.nan, array))
    assert main([str(folder), "--only", "deca/camera.npz"]) == 1
    assert "FAIL deca/camera.npz: projected" in capsys.readouterr().out


def test_what_no_check_reads_fails(folder: Path, capsys) -> None:
    changed(folder, "deca/camera.npz", "surprise", lambda _: np.ones(3))
    (folder / "net" / "stranger.npz").write_bytes(b"")
    assert main([str(folder), "--only", "deca/camera.npz"]) == 1
    out = capsys.readouterr().out
    assert "deca/camera.npz: surprise" in out and "NOT CHECKED" in out
    assert "not checked: net/stranger.npz" in out


def test_missing_and_broken_files_fail(folder: Path, capsys) -> None:
    (folder / "deca" / "camera.npz").write_bytes(b"PK no archive")
    (folder / "net" / "keys" / "spynet_mmagic.json").write_text("{")
    for pattern in ("deca/camera.npz", "net/keys/spynet_mmagic.json"):
        assert main([str(folder), "--only", pattern]) == 1
        assert f"failed  {pattern}" in capsys.readouterr().out
    assert main([str(folder), "--only", "net/f[al]*"]) == 1
    assert "net/flow_warp.npz" in capsys.readouterr().out.split("failed")[-1]
    assert main([str(folder / "nowhere")]) == 1
    assert main([str(folder), "--only", "nothing"]) == 1


def test_a_name_of_another_shape_fails(folder: Path, capsys) -> None:
    path = folder / "net" / "keys" / "spynet_mmagic.json"
    content = json.loads(path.read_text())
    content["entries"][-1][1] = [1]
    path.write_text(json.dumps(content))
    assert main([str(folder), "--only", "net/keys/spynet_mmagic.json"]) == 1
    assert content["entries"][-1][0] in capsys.readouterr().out


def test_files_that_need_licensed_data_are_skipped_by_name(folder: Path, capsys) -> None:
    arguments = [str(folder), "--only", "deca/shading.npz"]
    assert main(arguments) == 0 and "skipped deca/shading.npz" in capsys.readouterr().out, "a folder may lack it"
    with np.load(ROOT / "deca" / "shading_free.npz") as archive:
        text = json.loads(str(archive["inputs"]))
    for name in [name for name in text["arrays"] if name.startswith("mesh_")]:
        del text["arrays"][name]
    np.savez(folder / "deca" / "shading.npz", inputs=json.dumps(text), constant_factor=np.zeros(9))
    capsys.readouterr()
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "skipped deca/shading.npz" in out and "head_template.obj" in out


def test_the_script_runs_from_anywhere(folder: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    changed(folder, "deca/camera.npz", "projected", lambda array: array * 1.001)
    command = [sys.executable, str(SCRIPT), "reference", "--only", "deca/camera.npz"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "5 passed, 1 failed, 0 files skipped\n  failed  deca/camera.npz: projected\n" in done.stdout
