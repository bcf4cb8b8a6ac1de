"""Published weights in a :class:`FaceModel`: DECA's released model, or initial weights of a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from tvface.assets import registry as assets
from tvface.head.data import HeadData
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.weights_files import load_weights, read_spec
from tvface.networks.loading import CheckpointError, LoadReport, load_spynet, load_strictly, read_deca
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.networks.warm_start import load_basicvsr, load_deca_encoder, load_features, load_imagenet_encoder
from tvface.runtime.device import torch_device
from tvface.runtime.logging import logger
from tvface.settings import Settings, SettingsError, as_mapping
from tvface.settings.model import Encoder, Head

_log = logger("reconstruct")

SUFFIX = ".tar"
"""Suffix of DECA's checkpoint; weights of tvface are safetensors."""

_FEATURE_SIZES = ("width", "layers", "channels", "blocks", "rnn_layers", "deform_groups", "connection")

_SIZES = {"n_shape": 100, "n_texture": 50, "n_expression": 50}


def deca_spec(head: Head, path: Path) -> ModelSpec:
    """Return the specification of DECA's released model.

    Args:
        head: settings of the head that its codes drive.
        path: ``deca_model.tar``, for messages.

    Raises:
        SettingsError: the head is not FLAME, to whose bases the codes belong, or has fewer coefficients.
    """
    if head.model != "flame":
        raise SettingsError(
            f"{path} is DECA's released model: its codes are coefficients of FLAME and mean nothing for head.model: "
            f"{head.model}. Set head.model: flame and give your FLAME files (tvface assets check lists them)"
        )
    short = [f"head.{name}: {required}" for name, required in _SIZES.items() if getattr(head, name) < required]
    if short:
        raise SettingsError(f"{path} is DECA's released model, which needs at least {', '.join(short)}; raise them")
    sizes = {"image_size": 224, "render_size": 224, "uv_size": 256, **_SIZES}
    return ModelSpec(model="deca", initial_scale=8.0, seed=0, deca=Encoder(), **sizes)  # type: ignore[arg-type]


def load_deca(model: FaceModel, path: Path) -> list[LoadReport]:
    """Load ``deca_model.tar``: E_flame, E_detail and D_detail into the encoders and the detail decoder.

    For a temporal model, only the stages of the ResNet and the two linear layers of the encoders are loaded. A residual
    model takes all and then computes the same as DECA's.

    Raises:
        CheckpointError: another file, or another size of the model.
        AssetError: a web page was saved in the file's place.
    """
    assets.inspect(assets.asset("deca_model"), path)
    parts = read_deca(path)
    return [
        load_deca_encoder(model.coarse_encoder, parts["E_flame"], f"{path}: E_flame"),
        load_deca_encoder(model.detail_encoder, parts["E_detail"], f"{path}: E_detail"),
        load_strictly(model.detail_decoder, parts["D_detail"], f"{path}: D_detail"),
    ]


def trained_spec(head: Head, weights_file: Path) -> ModelSpec:
    """Return the specification of a weights file of tvface, or of DECA's ``deca_model.tar``.

    Raises:
        SettingsError, WeightsError: see :func:`deca_spec` and :func:`tvface.model.weights_files.read_spec`.
    """
    return deca_spec(head, weights_file) if weights_file.suffix == SUFFIX else read_spec(weights_file)


def trained_model(settings: Settings, weights_file: Path, head: HeadData) -> FaceModel:
    """Return the trained model of a weights file of tvface, or of DECA's ``deca_model.tar``, on the run's device.

    Raises:
        SettingsError, WeightsError, CheckpointError, AssetError: the file is damaged, or does not fit this head.
    """
    model = FaceModel(trained_spec(settings.head, weights_file), head)
    if weights_file.suffix == SUFFIX:
        for report in load_deca(model, weights_file):
            _log.info("%s", report)
        if settings.head.albedo is None:
            _log.warning(
                "head.albedo: null: DECA's texture codes belong to FLAME_albedo_from_BFM.npz; the meshes' textures "
                "show a plain albedo in its place"
            )
    else:
        model.load_weights(load_weights(weights_file, model.spec))
    return model.to(torch_device(settings.device))


def warm_start(model: FaceModel, files: Mapping[str, str | Path]) -> list[LoadReport]:
    """Initialise a model from weight files; the other tensors keep their random initial values.

    Args:
        model: takes the weights.
        files: paths by their name in ``train.warm_start``: ``features``, ``deca``, ``resnet50``, ``basicvsr``; and
            ``spynet`` for a model whose flow is tuned.

    Returns:
        A report per file and network.

    Raises:
        SettingsError: two files for the same tensors, or a missing file.
        CheckpointError: a file holds another network, or the model differs in size from the original.
    """
    if "deca" in files and "resnet50" in files:
        raise SettingsError("train.warm_start: deca and resnet50 both fill the encoders' ResNet; give one of them")
    if "features" in files and files.keys() & {"deca", "resnet50", "basicvsr"}:
        raise SettingsError("train.warm_start: features fill the encoders as the others do; give one or the other")
    encoders = _encoders(model)
    reports: list[LoadReport] = []
    for name, file in files.items():
        path = Path(file)
        setting = (
            f"dataset.flow.weights_file (train.{model.spec.model}.flow: tuned)"
            if name == "spynet"
            else f"train.warm_start.{name}"
        )
        if not path.is_file():
            raise SettingsError(f"{setting}: {path} is not there")
        if name == "features":
            reports += _start_features(model, path)
            continue
        try:
            if name == "deca":
                reports += load_deca(model, path)
            elif name == "spynet":
                assert model.flow is not None
                reports.append(load_spynet(model.flow, path))
            elif name == "resnet50":
                reports += [load_imagenet_encoder(encoder, path) for encoder in encoders]
            else:
                reports += [
                    load_basicvsr(encoder, path) for encoder in encoders if isinstance(encoder, TemporalEncoder)
                ]
        except CheckpointError as error:
            raise CheckpointError(
                f"{setting}: {error}. Published weights fit the original sizes only: the defaults of "
                f"train.{model.spec.model}, train.uv_size: 256, and head.n_shape: 100, n_texture: 50, n_expression: 50"
            ) from error
    return reports


def _start_features(model: FaceModel, path: Path) -> list[LoadReport]:
    kind, spec = model.spec.model, read_spec(path)
    # A residual encoder is DECA's with more beside it.
    if spec.model not in {kind, "deca" if kind == "residual" else kind}:
        raise SettingsError(f"train.warm_start.features: {path} is of the model {spec.model}, not {kind}")
    stored, configured = as_mapping(getattr(spec, spec.model)), as_mapping(getattr(model.spec, kind))
    sizes = [
        f"{name}: {stored[name]} (here {configured[name]})"
        for name in _FEATURE_SIZES
        if name in stored and stored[name] != configured.get(name)
    ]
    if sizes:
        raise SettingsError(
            f"train.warm_start.features: {path} was trained with train.{kind}'s {', '.join(sizes)}; take its sizes, "
            "other weights, or null"
        )
    state = load_weights(path)
    return [load_features(encoder, state, str(path)) for encoder in _encoders(model)]


def _encoders(model: FaceModel) -> list[nn.Module]:
    return [model.coarse_encoder, *([model.detail_encoder] if model.spec.detail else [])]
