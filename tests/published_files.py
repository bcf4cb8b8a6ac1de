"""Files in the published layouts, filled with numbers by name: what the tests load in place of the originals.

    python -m tests.published_files FOLDER

writes all of them (about 1 GB) under the names of ``resources/assets.tsv``, for ``TVFACE_WEIGHTS=FOLDER tvface assets
check``. Names and shapes come from the key lists of the originals in ``tests/reference/*/keys``.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from tests.head import synthetic_flame
from tests.networks.torch7_writer import write_level
from tests.reference import fill
from tests.reference.arrays import keys

State = dict[str, torch.Tensor]


def state(folder: str, name: str, prefix: str = "") -> State:
    """Return an original's state dict, filled; ``prefix`` goes before every name after filling."""
    return {f"{prefix}{key}": tensor(key, shape) for key, shape in keys(folder, name).items()}


def tensor(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return one filled parameter."""
    return torch.from_numpy(np.array(fill.parameter(key, shape)).reshape(shape))


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def deca(path: Path) -> Path:
    """deca_model.tar, with the entries that a training checkpoint has beside the networks."""
    return save(
        {
            "E_flame": state("deca", "keys_encoder236"),
            "E_detail": state("deca", "keys_encoder128"),
            "D_detail": state("deca", "keys_generator"),
            "opt": {"state": {}, "param_groups": [{"lr": 1e-4}]},
            "global_step": np.int64(7),
            "batch_size": 6,
        },
        path,
    )


def bisenet(path: Path) -> Path:
    """79999_iter.pth."""
    return save(state("net", "bisenet_19"), path)


def yakhyo(path: Path) -> Path:
    """resnet18.pt or resnet34.pt."""
    return save(state("net", f"bisenet_yakhyo_{path.stem}"), path)


def fan(path: Path) -> Path:
    """2DFAN4-11f355bf06.pth.tar."""
    return save(state("net", "fan4"), path)


def fan_torchscript(path: Path) -> Path:
    """2DFAN4-*.zip: the network traced, as face-alignment published it before 1.5."""
    from tvface.networks.fan import build

    network = build().eval()
    fill.fill(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, torch.zeros(1, 3, 64, 64), check_trace=False)
        traced.save(str(path))
    return path


def inception_resnet(path: Path) -> Path:
    """20180402-114759-vggface2.pt, with logits."""
    return save(state("net", "inception_resnet_v1_vggface2_file"), path)


def vggface2(path: Path) -> Path:
    """resnet50_ft_weight.pkl: numpy arrays pickled by Python 2's protocol, without num_batches_tracked."""
    names = {n: s for n, s in keys("deca", "keys_identity").items() if not n.endswith("num_batches_tracked")}
    path.write_bytes(pickle.dumps({name: fill.parameter(name, shape) for name, shape in names.items()}, 2))
    return path


def vgg19(path: Path) -> Path:
    """vgg19-dcbb9e9d.pth; the classifier is narrow here (4 instead of 4096 units), its tensors are not read."""
    names = {f"features.{n}" if n[0].isdigit() else n: s for n, s in keys("deca", "keys_vgg19_features").items()}
    for index, inputs in ((0, 25088), (3, 4), (6, 4)):
        names |= {f"classifier.{index}.weight": (4, inputs), f"classifier.{index}.bias": (4,)}
    return save({name: tensor(name, shape) for name, shape in names.items()}, path)


def resnet50(path: Path) -> Path:
    """resnet50-0676ba61.pth: DECA's trunk has torchvision's names under ``encoder``; 1000 classes."""
    own = {
        n.removeprefix("encoder."): s for n, s in keys("deca", "keys_encoder236").items() if n.startswith("encoder.")
    }
    own |= {"fc.weight": (1000, 2048), "fc.bias": (1000,)}
    return save({name: tensor(name, shape) for name, shape in own.items()}, path)


def basicvsr(path: Path) -> Path:
    """basicvsr_plusplus_c64n7_8x1_600k_reds4_20210217-db622b2f.pth, as mmediting saves a restorer."""
    held = state("net", "basicvsr_plusplus_c64_blocks7", "generator.")
    return save({"meta": {"mmedit_version": "0.11.0"}, "state_dict": held | {"step_counter": torch.zeros(1)}}, path)


def spynet_mmagic() -> State:
    """SPyNet's parameters by mmagic's names (mean and std are constants of the network, not in the file)."""
    return {name: value for name, value in state("net", "spynet_mmagic").items() if name not in ("mean", "std")}


def _renamed(pattern: str) -> State:
    renamed = {}
    for name, value in spynet_mmagic().items():
        _, level, _, index, _, kind = name.split(".")
        renamed[pattern.format(level=level, even=2 * int(index), kind=kind)] = value
    return renamed


def spynet(path: Path) -> Path:
    """spynet_20210409-c6c1bd09.pth."""
    return save(spynet_mmagic(), path)


def spynet_basicsr(path: Path) -> Path:
    """spynet_sintel_final-3d2a1287.pth."""
    return save({"params": _renamed("basic_module.{level}.basic_module.{even}.{kind}")}, path)


def spynet_sniklaus(path: Path) -> Path:
    """network-sintel-final.pytorch, in the old format of torch.save."""
    torch.save(_renamed("moduleBasic.{level}.moduleBasic.{even}.{kind}"), path, _use_new_zipfile_serialization=False)
    return path


def spynet_torch7(path: Path, source: Mapping[str, torch.Tensor] | None = None) -> Path:
    """One of modelL1_F.t7 .. modelL6_F.t7."""
    level = int(path.name[6]) - 1
    values = spynet_mmagic() if source is None else source
    own = [f"basic_module.{level}.basic_module.{index}.conv" for index in range(5)]
    return write_level(path, [(values[f"{n}.weight"].numpy(), values[f"{n}.bias"].numpy()) for n in own])


def albedo(path: Path, names: tuple[str, str] = ("MU", "PC"), columns: int = 199) -> Path:
    """FLAME_albedo_from_BFM.npz or FLAME_texture.npz."""
    np.savez(path, **{names[0]: np.zeros((1, 786432), np.float32), names[1]: np.zeros((786432, columns), np.float16)})
    return path


def dense_template(path: Path, head: Mapping[str, np.ndarray] | None = None, size: int = 256) -> Path:
    """texture_data_256.npy: a square of valid pixels, each on a triangle of the head."""
    rows, columns = (axis.reshape(-1) for axis in np.mgrid[:size, :size])
    ids = np.flatnonzero((rows >= size // 4) & (rows < size // 2) & (columns >= size // 4) & (columns < size // 2))
    side = size // 2 - size // 4
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.stack([corner, corner + side, corner + 1], 1)
    triangles = np.array([[0, 1, 2]]) if head is None else np.asarray(head["f"], np.int64)
    bary = fill.uniform("bary", (len(ids), 3)) * 0.4 + 0.5
    content = {
        "img_size": size,
        "f": faces,
        "x_coords": columns.astype(float),
        "y_coords": rows.astype(float),
        "valid_pixel_ids": ids,
        "valid_pixel_3d_faces": triangles[np.arange(len(ids)) % len(triangles)],
        "valid_pixel_b_coords": bary / bary.sum(1, keepdims=True),
    }
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def flame_sized(seed: int = 0) -> dict[str, Any]:
    """Return a FLAME-like model with as many faces as FLAME has at least: 80 x 64 vertices."""
    return synthetic_flame.arrays(seed, rows=80, columns=64)


def _mask(path: Path) -> Path:
    cv2.imwrite(str(path), np.full((256, 256, 4), 255, np.uint8))
    return path


def _displacement(path: Path) -> Path:
    np.save(path, 1e-3 * fill.uniform("displacement", (256, 256)))
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "inception_resnet": inception_resnet,
    "fan": fan,
    "fan_torchscript": fan_torchscript,
    "fan_torchscript_1.6": fan_torchscript,
    "fan_torchscript_1.5": fan_torchscript,
    "bisenet": bisenet,
    "bisenet_yakhyo_18": yakhyo,
    "bisenet_yakhyo_34": yakhyo,
    "spynet": spynet,
    "spynet_basicsr": spynet_basicsr,
    "spynet_sniklaus": spynet_sniklaus,
    **{f"spynet_torch7_{level}": spynet_torch7 for level in range(1, 7)},
    "basicvsr": basicvsr,
    "vggface2": vggface2,
    "vgg19": vgg19,
    "imagenet_resnet50": resnet50,
    "flame": lambda path: synthetic_flame.write_model(path, flame_sized()),
    "flame_2023": lambda path: synthetic_flame.write_model(path, flame_sized(1)),
    "flame_albedo": albedo,
    "flame_texture": lambda path: albedo(path, ("mean", "tex_dir"), 200),
    "head_template": lambda path: synthetic_flame.write_template(path, flame_sized()),
    "landmark_embedding": lambda path: synthetic_flame.write_embedding(path, 9976),
    "face_mask": _mask,
    "face_eye_mask": _mask,
    "fixed_displacement": _displacement,
    "dense_template": lambda path: dense_template(path, flame_sized()),
    "deca_model": deca,
}


def main(folder: Path) -> None:
    """Write every file under its registered name."""
    from tvface.assets.registry import asset

    folder.mkdir(parents=True, exist_ok=True)
    for name, write in WRITERS.items():
        print(write(folder / Path(asset(name).file).name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
