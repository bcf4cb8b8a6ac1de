"""Load every file of the registry into what it is for, to say how many tensors it gives.

This is the part of ``tvface assets check`` that needs torch; nothing else imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from torch import nn

from tvface.compact.weights import load_bundle
from tvface.head import flame
from tvface.head.dense_template import KEYS as DENSE_KEYS
from tvface.head.dense_template import read_dense_template
from tvface.head.flame_albedo import albedo_from_file
from tvface.head.human import stored
from tvface.head.unpickle import read_object_npy, read_pickle
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.loading import (
    LoadReport,
    load_bisenet,
    load_spynet,
    load_strictly,
    load_vgg19,
    load_vggface2,
    read_deca,
)
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.spynet import SPyNet
from tvface.networks.spynet_files import read_level
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.networks.warm_start import load_basicvsr, load_deca_encoder, load_features, load_imagenet_encoder
from tvface.training.weights import load_weights, read_spec

CODES, DETAIL = 236, 128
FLAME_FACES = 9976


def load(name: str, path: Path) -> list[LoadReport]:
    """Load the file of an asset into its network, or read its arrays as the head stage does.

    Args:
        name: of the registry.
        path: the file.

    Returns:
        A report per network.

    Raises:
        CheckpointError, HeadError, WeightsError: the file does not fit, is damaged, or wants to run something.
        KeyError: no loader for this name, which is an error of tvface.
    """
    return _LOADERS[name](path)


def _bundle(path: Path) -> list[LoadReport]:
    return [_all(path, load_bundle(path).net)]


def _all(path: Path, network: nn.Module) -> LoadReport:
    return LoadReport(str(path), tuple(network.state_dict()), (), ())


def _inception_resnet(path: Path) -> list[LoadReport]:
    from tvface.embedders.inception_resnet import load as load_facenet

    return [load_facenet(path)[1]]


def _fan(path: Path) -> list[LoadReport]:
    from tvface.networks import fan

    return [fan.load(path)[1]]


def _deca(path: Path) -> list[LoadReport]:
    parts = read_deca(path)
    return [
        load_deca_encoder(ResNetEncoder(CODES), parts["E_flame"], "E_flame"),
        load_deca_encoder(ResNetEncoder(DETAIL), parts["E_detail"], "E_detail"),
        load_strictly(DetailDecoder(), parts["D_detail"], "D_detail"),
    ]


def _torch7_level(level: int) -> Callable[[Path], list[LoadReport]]:
    def loader(path: Path) -> list[LoadReport]:
        own = f"basic_module.{level}."
        state = {name.removeprefix(own): tensor for name, tensor in read_level(path, level).items()}
        return [load_strictly(SPyNet().get_submodule(own.removesuffix(".")), state, str(path))]

    return loader


def _arrays(path: Path, held: object, wanted: tuple[str, ...]) -> list[LoadReport]:
    names = list(map(str, held))  # type: ignore[call-overload]
    return [LoadReport(str(path), wanted, tuple(name for name in names if name not in wanted), ())]


def _features(path: Path) -> list[LoadReport]:
    spec = read_spec(path)
    encoder: nn.Module = (
        TemporalEncoder(CODES, spec.temporal)
        if spec.model == "temporal"
        else ResNetEncoder(CODES, spec.deca.width, spec.deca.layers, spec.deca.hidden)
    )
    return [load_features(encoder, load_weights(path), str(path))]


def _human(path: Path) -> list[LoadReport]:
    stored.Stored.load(path)
    with np.load(path, allow_pickle=False) as archive:
        return _arrays(path, archive.files, (*stored.ARRAYS, "meta"))


def _flame(path: Path) -> list[LoadReport]:
    flame.read_model(path)
    return _arrays(path, read_pickle(path, "FLAME's model"), flame.MODEL_KEYS)


def _albedo(path: Path) -> list[LoadReport]:
    albedo_from_file(path, 1)
    with np.load(path, allow_pickle=False) as archive:
        wanted = ("MU", "PC") if "MU" in archive.files else ("mean", "tex_dir")
        return _arrays(path, archive.files, wanted)


def _template(path: Path) -> list[LoadReport]:
    flame.read_template(path)
    return [LoadReport(str(path), ("faces", "uv", "uv_faces"), ("vertices",), ())]


def _embedding(path: Path) -> list[LoadReport]:
    flame.read_embedding(path, FLAME_FACES)
    return _arrays(path, read_object_npy(path, "FLAME's landmark embedding"), flame.EMBEDDING_KEYS)


def _mask(path: Path) -> list[LoadReport]:
    flame.read_mask(path, 256, "DECA's UV mask")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    channels = 1 if image is None or image.ndim == 2 else image.shape[2]
    return [LoadReport(str(path), ("red",), ("green", "blue", "alpha")[: channels - 1], ())]


def _displacement(path: Path) -> list[LoadReport]:
    flame.read_displacement(path, 256)
    return [LoadReport(str(path), ("displacement",), (), ())]


def _dense(path: Path) -> list[LoadReport]:
    read_dense_template(path)
    return _arrays(path, read_object_npy(path, "DECA's dense template"), DENSE_KEYS)


_LOADERS: dict[str, Callable[[Path], list[LoadReport]]] = {
    "compact_identity": _bundle,
    "compact_landmarks": _bundle,
    "compact_parser": _bundle,
    "features_deca": _features,
    "features_temporal": _features,
    "human_head": _human,
    "inception_resnet": _inception_resnet,
    **dict.fromkeys(("fan", "fan_torchscript", "fan_torchscript_1.6", "fan_torchscript_1.5"), _fan),
    **dict.fromkeys(("bisenet", "bisenet_yakhyo_18", "bisenet_yakhyo_34"), lambda path: [load_bisenet(path)[1]]),
    **dict.fromkeys(("spynet", "spynet_basicsr", "spynet_sniklaus"), lambda path: [load_spynet(SPyNet(), path)]),
    **{f"spynet_torch7_{level + 1}": _torch7_level(level) for level in range(6)},
    "basicvsr": lambda path: [load_basicvsr(TemporalEncoder(CODES), path)],
    "vggface2": lambda path: [load_vggface2(VggFace2(), path)],
    "vgg19": lambda path: [load_vgg19(Vgg19(), path)],
    "imagenet_resnet50": lambda path: [load_imagenet_encoder(ResNetEncoder(CODES), path)],
    "flame": _flame,
    "flame_2023": _flame,
    "flame_albedo": _albedo,
    "flame_texture": _albedo,
    "head_template": _template,
    "landmark_embedding": _embedding,
    "face_mask": _mask,
    "face_eye_mask": _mask,
    "fixed_displacement": _displacement,
    "dense_template": _dense,
    "deca_model": _deca,
}
NAMES = frozenset(_LOADERS)
