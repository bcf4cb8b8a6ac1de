"""Load the weight files of a training one by one and report what each gives (``tvface assets check``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from tvface.assets.reports import LoadReport
from tvface.model.weights_files import load_weights, read_spec
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.loading import load_strictly, load_vgg19, load_vggface2, read_deca
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.networks.warm_start import load_basicvsr, load_deca_encoder, load_features, load_imagenet_encoder

CODES, DETAIL = 236, 128


def _deca(path: Path) -> list[LoadReport]:
    parts = read_deca(path)
    return [
        load_deca_encoder(ResNetEncoder(CODES), parts["E_flame"], "E_flame"),
        load_deca_encoder(ResNetEncoder(DETAIL), parts["E_detail"], "E_detail"),
        load_strictly(DetailDecoder(), parts["D_detail"], "D_detail"),
    ]


def _features(path: Path) -> list[LoadReport]:
    spec = read_spec(path)
    encoder: nn.Module = (
        TemporalEncoder(CODES, spec.temporal)
        if spec.model == "temporal"
        else ResNetEncoder(CODES, spec.deca.width, spec.deca.layers, spec.deca.hidden)
    )
    return [load_features(encoder, load_weights(path), str(path))]


# Asset of the registry -> function that loads its file; it raises CheckpointError or WeightsError.
LOADERS: dict[str, Callable[[Path], list[LoadReport]]] = {
    "features_deca": _features,
    "features_temporal": _features,
    "deca_model": _deca,
    "imagenet_resnet50": lambda path: [load_imagenet_encoder(ResNetEncoder(CODES), path)],
    "basicvsr": lambda path: [load_basicvsr(TemporalEncoder(CODES), path)],
    "vggface2": lambda path: [load_vggface2(VggFace2(), path)],
    "vgg19": lambda path: [load_vgg19(Vgg19(), path)],
}
