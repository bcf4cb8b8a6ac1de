"""Settings of the model half: head, dataset, training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from tvface.settings.base import block, option
from tvface.settings.phases import CoarsePhase, DetailPhase, PretrainPhase


@dataclass(frozen=True)
class Head:
    """The head model, in FLAME's format."""

    model: Literal["human", "flame"] = option("human", "human (MakeHuman's CC0 shapes) or flame (yours, licensed)")
    flame: str = option("resources/licensed/generic_model.pkl", "FLAME 2020/2023 pickle")
    template: str = option("resources/licensed/head_template.obj", "FLAME's topology and UVs (DECA's data)")
    embedding: str = option("resources/licensed/landmark_embedding.npy", "FLAME's landmark embedding (DECA's data)")
    face_mask: str = option("resources/licensed/uv_face_mask.png", "UV mask of the face (DECA's data)")
    face_eye_mask: str = option("resources/licensed/uv_face_eye_mask.png", "UV mask with eyes (DECA's data)")
    fixed_displacement: str = option("resources/licensed/fixed_displacement_256.npy", "DECA's fixed displacement")
    albedo: str | None = option(None, "FLAME_albedo_from_BFM.npz or FLAME_texture.npz; null: a painted albedo")
    dense_template: str | None = option(
        None, "DECA's texture_data_256.npy, to export dense meshes in its order; null: made from the UV layout"
    )
    n_shape: int = option(100, "identity coefficients", low=1, high=300)
    n_expression: int = option(52, "expression coefficients: human has 52, DECA 50", low=1, high=100)
    n_texture: int = option(50, "albedo coefficients", low=1, high=199)
    uv_size: int = option(256, "side of UV maps", unit="px", low=32, high=1024)


@dataclass(frozen=True)
class Flow:
    """Optical flow between neighbouring crops, computed once and stored."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {"weights": "called 'weights_file' now"}

    backend: str = option("dis", "registered flow: dis (OpenCV's, no weights) or spynet (weights needed)")
    size: int = option(112, "side at which the flow is stored (half the crop)", unit="px", low=16)
    computed_at: Literal["size", "crop"] = option(
        "size", "computed on crops shrunk to `size` (BasicVSR++), or on whole crops, then averaged (slower, finer)"
    )
    levels: Literal["all", "matched"] = option(
        "all", "spynet's pyramid: all six levels (BasicVSR++), or as many as the size asks for (the original)"
    )
    weights_file: str = option("resources/weights/spynet_20210409-c6c1bd09.pth", "SPyNet's weights")


@dataclass(frozen=True)
class Split:
    """Train, validation and test parts, disjoint in identity and in episode."""

    validation: float = option(0.1, "part of the sequences", low=0, high=1)
    test: float = option(0.2, "part of the sequences", low=0, high=1)
    disjoint: Literal["identity+episode", "identity", "episode"] = option(
        "identity+episode", "what no two parts may share; rows that would are dropped and counted"
    )


@dataclass(frozen=True)
class Dataset:
    """The join of crops, landmarks, masks and flow."""

    flow: Flow = block(Flow)
    split: Split = block(Split)
    fitted: bool = option(True, "drop sequences with a crop whose fit failed: its points are wrong, or its box is")
    min_confidence: float = option(
        0.0, "crops whose landmarks have a lower mean confidence drop their sequence", low=0, high=1
    )
    max_instability: float | None = option(
        None,
        "crops whose landmarks move by more with their box drop their sequence (DECA's cleaning); null: none",
        low=0,
    )
    min_face: float = option(0.10, "crops whose face mask covers less drop their sequence", low=0, high=1)
    recap_distance: int | None = option(
        10,
        "sequences whose perceptual hashes differ by fewer bits from another episode's are recaps of it; null: none is",
        low=1,
        high=64,
    )


@dataclass(frozen=True)
class Encoder:
    """Size of the DECA encoder; the defaults are the original's ResNet-50."""

    width: int = option(64, "channels of the stem", low=4)
    layers: tuple[int, int, int, int] = option((3, 4, 6, 3), "bottleneck blocks per stage", low=1)
    hidden: int = option(1024, "units between the two fully connected layers", low=8)


@dataclass(frozen=True)
class TemporalEncoder(Encoder):
    """Size of the temporal encoder (Table 1 of the paper)."""

    channels: int = option(64, "channels of head, propagation and fusion", low=4)
    blocks: int = option(5, "residual blocks per stack", low=1)
    rnn_layers: int = option(2, "bidirectional layers L", low=1, high=4)
    deform_groups: int = option(16, "offset groups of the alignment", low=1)
    max_residue: float = option(10.0, "largest offset beside the flow", unit="px", low=0)
    connection: Literal["grid", "eq7"] = option("grid", "inputs of a branch: grid (BasicVSR++ code) or equation 7")
    flow: Literal["stored", "tuned"] = option(
        "stored", "of the dataset, fixed; or SPyNet inside the model, trained with the coarse encoder (BasicVSR++)"
    )
    flow_rate: float = option(0.25, "learning rate of a tuned SPyNet / that of the phase", low=0)
    flow_wait: int = option(5000, "steps of a phase before a tuned SPyNet moves", low=0)
    first_frame: Literal["zero", "align"] = option(
        "zero", "first frame of a branch: nothing to align (BasicVSR++ code), or equation 6 with zeros for the history"
    )


@dataclass(frozen=True)
class ResidualEncoder(TemporalEncoder):
    """Size of DECA's encoder with residuals over time; width, layers and hidden are those of DECA's."""

    channels: int = option(32, "channels of the propagation", low=4)
    blocks: int = option(1, "residual blocks per stack", low=1)
    rnn_layers: int = option(1, "bidirectional layers L", low=1, high=4)
    deform_groups: int = option(4, "offset groups of the alignment", low=1)
    attention: int = option(2, "layers of attention over the window's frames; 0: none", low=0, high=8)
    attention_width: int = option(128, "width of the attention, a multiple of 8", low=8)


@dataclass(frozen=True)
class OfModel:
    """A file for some models; null: none."""

    deca: str | None = option(None, "for deca")
    temporal: str | None = option(None, "for temporal")
    residual: str | None = option(None, "for residual")


@dataclass(frozen=True)
class WarmStart:
    """Weights from which the first phase starts: a path for all models, or {deca: path, ...} for some; null: none.

    Published ones fit the original sizes only.
    """

    features: str | OfModel | None = option(
        None,
        "tvface's own weights, with {model} in the name for deca or temporal: the encoders without their last two "
        "layers. The bundled ones fit config.yaml's sizes; not with the others",
    )
    deca: str | OfModel | None = option(
        None,
        "DECA's deca_model.tar: the whole deca and residual model; of the temporal one ResNet stages, codes and detail "
        "decoder",
    )
    resnet50: str | OfModel | None = option(
        None, "torchvision's resnet50-0676ba61.pth: the encoders' ResNet; not with deca"
    )
    basicvsr: str | OfModel | None = option(
        None, "BasicVSR++ (c64n7, REDS4): the temporal encoders' part before the ResNet"
    )


def start_of(value: str | OfModel | None, model: str) -> str | None:
    """Return the path that an option of :class:`WarmStart` gives a model."""
    path: str | None = getattr(value, model) if isinstance(value, OfModel) else value
    return path


@dataclass(frozen=True)
class Original:
    """Deviations of DECA's published code from its paper or its intent; true: follow the code."""

    unshaded_photometric: bool = option(False, "coarse photometric loss compares the albedo, without its light")
    constant_identity_background: bool = option(
        False, "identity loss sees one colour around the rendered head, instead of the photo"
    )
    always_doubled: bool = option(
        False, "pretrain and coarse count every frame twice even without permuted codes: code penalties weigh double"
    )
    scale_per_frame: bool = option(
        False, "enlarge and move every frame of a training window by itself, instead of the window as a whole"
    )
    # The published weights were trained, and the loss weights tuned, with the three that are on.
    half_pixel_landmarks: bool = option(
        True, "landmarks as pixel index / side, half a pixel up and left of the rendered picture's coordinates"
    )
    doubled_identity_input: bool = option(
        True, "identity network sees 2 x - 1 of pictures whose mean is already taken off, instead of just those"
    )
    early_mrf_layers: bool = option(True, "ID-MRF on VGG19's relu3_1 and relu4_1, instead of relu3_2 and relu4_2")


@dataclass(frozen=True)
class Train:
    """Training of both models."""

    models: tuple[str, ...] = option(
        ("deca", "temporal"), "what to train: deca, temporal (the paper's) or residual (DECA with residuals over time)"
    )
    frames: int = option(5, "frames T per training window", low=1)
    image_size: int = option(224, "side of the network's input", unit="px", low=32)
    augment_scale: float = option(
        0.125, "training windows are enlarged by 1 - this .. 1 + this (DECA: 1.4 .. 1.8 boxes)", low=0, high=0.5
    )
    augment_shift: float = option(0.0, "and moved by up to this part of their side", low=0, high=0.5)
    augment_flip: bool = option(False, "and half of them mirrored (DECA and the paper do not)")
    uv_size: int = option(256, "side of the detail maps", unit="px", low=32)
    render_size: int = option(224, "side of rendered images in the losses", unit="px", low=32)
    batch_norm: Literal["batch", "frozen"] = option(
        "batch",
        "normalisation of the encoders in training: statistics of the batch (DECA, paper), or those of the start, "
        "fixed, for batches of few people (needs warm_start.features, deca or resnet50)",
    )
    precision: Literal["32-true", "bf16-mixed"] = option("32-true", "arithmetic of the networks")
    tf32: bool = option(True, "on a GPU, multiply float32 matrices with 10 bits of mantissa")
    compile: Literal["none", "default", "reduce-overhead"] = option(
        "none", "torch.compile of the networks; reduce-overhead records CUDA graphs"
    )
    threads: int = option(4, "processor threads of a training (and of rendering its figures)", low=1)
    devices: int = option(1, "processes of data-parallel training", low=1)
    initial_scale: float = option(8.0, "camera scale before training", low=0)
    log_every: int = option(10, "steps between logged losses", low=1)
    validate_every: int = option(50, "steps between validations", low=1)
    checkpoint_every: int = option(100, "steps between checkpoints", low=1)
    keep_checkpoints: int = option(2, "newest checkpoints kept", low=1)
    pictures_every: int | None = option(
        1000, "steps between pictures of the same validation windows; null: at the end alone", low=1
    )
    pictures: int = option(3, "validation windows that are drawn", low=1)
    original: Original = block(Original)
    deca: Encoder = block(Encoder)
    temporal: TemporalEncoder = block(TemporalEncoder)
    residual: ResidualEncoder = block(ResidualEncoder)
    warm_start: WarmStart = block(WarmStart)
    pretrain: PretrainPhase = block(PretrainPhase)
    coarse: CoarsePhase = block(CoarsePhase)
    detail: DetailPhase = block(DetailPhase)
