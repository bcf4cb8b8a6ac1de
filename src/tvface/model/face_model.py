"""The whole model: images to codes, codes to a head, and the head back to a picture.

Per frame the coarse encoder E_c gives 236 numbers (with the default sizes): shape, texture, expression, pose, camera,
light. The detail encoder E_d gives a code that the detail decoder F_d turns, with expression and jaw, into a
displacement map. ``deca`` encodes frames one by one (ResNet-50), ``temporal`` a window at once ("Learning to
Reconstruct 3D Faces by Watching TV", Table 1), ``residual`` too, by DECA's encoder with residuals over time. Everything
after the encoders is DECA's (Feng et al. 2021), applied frame by frame.

Shape letters: B sequences, T frames, N = B T frames in a row (frames of a sequence together).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.model.window import Window
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.residual_encoder import ResidualEncoder
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.spynet import SPyNet, neighbour_flows
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.rendering.renderer import Renderer, Rendering
from tvface.rendering.shading import sh_shading, vertex_normals
from tvface.runtime.device import single_precision
from tvface.settings.base import as_mapping, parse
from tvface.settings.model import Encoder, Original, Train
from tvface.settings.model import Head as HeadSettings
from tvface.settings.model import ResidualEncoder as ResidualSettings
from tvface.settings.model import TemporalEncoder as TemporalSettings
from tvface.settings.phases import MODELS

POSE, CAMERA, LIGHT, DETAIL = 6, 3, 27, 128

# Factor on torch's default initial weights of the last layer, so that the first heads are near the mean head.
_INITIAL_SPREAD = 0.05
# A constant light of this strength in all three colours shades every surface with 1: 1 / 0.2820948.
_INITIAL_LIGHT = 3.5449077


@dataclass(frozen=True)
class Codes:
    """Codes of N frames.

    shape (N,S), texture (N,A), expression (N,E) in standard deviations of the head's bases; pose (N,6) axis-angle
    of head and jaw in rad; camera (N,3) scale, tx, ty; light (N,9,3) spherical harmonics x RGB; detail (N,128), of
    networks only; eyes (N,6) axis-angle of the subject's left and right eye in rad, of fits only.
    """

    shape: torch.Tensor
    texture: torch.Tensor
    expression: torch.Tensor
    pose: torch.Tensor
    camera: torch.Tensor
    light: torch.Tensor
    detail: torch.Tensor | None = None
    eyes: torch.Tensor | None = None

    def replaced(self, **parts: torch.Tensor) -> Codes:
        """Return the codes with some parts replaced."""
        return dataclasses.replace(self, **parts)

    def doubled(self) -> Codes:
        """Return the codes twice in a row (2N frames)."""
        return self.replaced(**{name: torch.cat([value, value]) for name, value in self.items()})

    def rows(self, count: int) -> tuple[torch.Tensor, ...]:
        """Return the coarse codes of ``count`` windows, (T, sum of lengths) each; inverts :meth:`FaceModel.codes`."""
        parts = (self.shape, self.texture, self.expression, self.pose, self.camera, self.light.flatten(1))
        return torch.cat(parts, 1).chunk(count)

    def items(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the names and tensors that are present."""
        for part in dataclasses.fields(self):
            value = getattr(self, part.name)
            if value is not None:
                yield part.name, value


@dataclass(frozen=True)
class Geometry:
    """Heads of N frames.

    vertices (N,V,3) m; projected (N,V,3) normalised image coordinates; landmarks2d (N,68,2) normalised image
    coordinates with the yaw-dependent contour; landmarks3d (N,68,3) m with the fixed contour.
    """

    vertices: torch.Tensor
    projected: torch.Tensor
    landmarks2d: torch.Tensor
    landmarks3d: torch.Tensor

    def doubled(self) -> Geometry:
        """Return the heads twice in a row (2N frames)."""
        parts = (self.vertices, self.projected, self.landmarks2d, self.landmarks3d)
        return Geometry(*(torch.cat([part, part]) for part in parts))


@dataclass(frozen=True)
class Detail:
    """Detail of N frames in UV (U = uv_size): displacement (N,1,U,U) m, normals (N,3,U,U), shading (N,3,U,U)."""

    displacement: torch.Tensor
    normals: torch.Tensor
    shading: torch.Tensor


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to rebuild a model; stored with its weights. Only the encoder of ``model`` counts.

    Without ``detail`` it has no E_d and F_d: the bundled models, which learn from truth, know coarse heads only.
    """

    model: Literal["deca", "temporal", "residual"]
    n_shape: int
    n_texture: int
    n_expression: int
    image_size: int
    render_size: int
    uv_size: int
    initial_scale: float
    seed: int
    detail: bool = True
    deca: Encoder = dataclasses.field(default_factory=Encoder)
    temporal: TemporalSettings = dataclasses.field(default_factory=TemporalSettings)
    residual: ResidualSettings = dataclasses.field(default_factory=ResidualSettings)
    original: Original = dataclasses.field(default_factory=Original)

    @classmethod
    def of(cls, model: str, train: Train, head: HeadSettings, seed: int) -> ModelSpec:
        """Return the specification of a model by the settings.

        Args:
            model: deca, temporal or residual.
            train, head: blocks of the settings.
            seed: of the initial weights.

        Raises:
            ValueError: no such model.
        """
        if model not in MODELS:
            raise ValueError(f"model {model!r}: valid are {', '.join(MODELS)}")
        encoder = {model: getattr(train, model)}
        sizes = {name: getattr(train, name) for name in ("image_size", "render_size", "uv_size", "initial_scale")}
        numbers = {name: getattr(head, name) for name in ("n_shape", "n_texture", "n_expression")}
        return cls(model=model, seed=seed, original=train.original, **sizes, **numbers, **encoder)  # type: ignore[arg-type]

    def as_mapping(self) -> dict[str, Any]:
        """Return plain values, for the metadata of a weights file."""
        return dict(as_mapping(self))

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> ModelSpec:
        """Return the specification of :meth:`as_mapping`."""
        return parse(cls, values)

    @property
    def over_time(self) -> TemporalSettings | None:
        """Settings of an encoder that sees a window at once; None: it sees frames one by one."""
        return None if self.model == "deca" else getattr(self, self.model)

    @property
    def widths(self) -> tuple[int, ...]:
        """Lengths of the parts of the coarse code, in order: shape, texture, expression, pose, camera, light."""
        return (self.n_shape, self.n_texture, self.n_expression, POSE, CAMERA, LIGHT)


class FaceModel(nn.Module):
    """Encoders, detail decoder, head, albedo, renderer.

    The state dict holds ``coarse_encoder``, with detail ``detail_encoder`` and ``detail_decoder``, and ``flow``
    (SPyNet, shared by both encoders) where the encoder's ``flow`` is "tuned"; head, albedo and renderer come from the
    head's file. Equal specifications and heads give equal initial weights.
    """

    def __init__(self, spec: ModelSpec, head: HeadData) -> None:
        """Build the model.

        Args:
            spec: sizes, encoder and seed.
            head: of the run.

        Raises:
            ValueError: the head has fewer coefficients than the specification requires, or ``uv_size`` does not fit
                the detail decoder.
        """
        super().__init__()
        self.spec = spec
        for required, available, name in (
            (spec.n_shape, head.shape_basis.shape[-1], "head.n_shape"),
            (spec.n_expression, head.expression_basis.shape[-1], "head.n_expression"),
            (spec.n_texture, head.albedo_basis.shape[0], "head.n_texture"),
        ):
            if required > available:
                raise ValueError(f"{name}: {required} coefficients are more than the head's {available}; lower it")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(spec.seed)
            self.coarse_encoder = self._encoder(sum(spec.widths))
            if spec.detail:
                self.detail_encoder = self._encoder(DETAIL)
                self.detail_decoder = DetailDecoder(3 + spec.n_expression + DETAIL, spec.uv_size)
        self.flow = SPyNet() if spec.over_time is not None and spec.over_time.flow == "tuned" else None
        self._initialise(self.coarse_encoder, spec)
        self.head = HeadModel(head, spec.n_shape, spec.n_expression)
        self.albedo = AlbedoModel(head, spec.n_texture, spec.uv_size)
        self.renderer = Renderer(head, spec.render_size, spec.uv_size)

    def _encoder(self, outputs: int) -> nn.Module:
        if self.spec.model == "temporal":
            return TemporalEncoder(outputs, self.spec.temporal)
        if self.spec.model == "residual":
            return ResidualEncoder(outputs, self.spec.residual)
        size = self.spec.deca
        return ResNetEncoder(outputs, size.width, size.layers, size.hidden)

    @staticmethod
    @torch.no_grad()
    def _initialise(encoder: nn.Module, spec: ModelSpec) -> None:
        """Initialise the last layer: mean head, scale ``initial_scale``, frontal, under an even white light.

        DECA starts with all codes near 0, where the camera's scale is 0 and there is no light: neither points nor
        colours have a useful gradient. Only the biases of camera scale and ambient light differ here.
        """
        last = encoder.get_submodule("layers.2")
        assert isinstance(last, nn.Linear)
        last.weight *= _INITIAL_SPREAD
        last.bias.zero_()
        camera, light = sum(spec.widths[:4]), sum(spec.widths[:5])
        last.bias[camera] = spec.initial_scale
        last.bias[light : light + 3] = _INITIAL_LIGHT

    def encode_coarse(self, window: Window) -> Codes:
        """Return the coarse codes of a window's N = B T frames (``detail`` is None)."""
        return self.codes(self._encode(self.coarse_encoder, window))

    def codes(self, values: torch.Tensor) -> Codes:
        """Split (N, sum of ``spec.widths``) into the parts of the coarse code."""
        shape, texture, expression, pose, camera, light = values.split(self.spec.widths, dim=1)
        return Codes(shape, texture, expression, pose, camera, light.unflatten(1, (9, 3)))

    def encode_detail(self, window: Window) -> torch.Tensor:
        """Return the detail codes (N,128) of a window."""
        return self._encode(self.detail_encoder, window)

    def _encode(self, encoder: nn.Module, window: Window) -> torch.Tensor:
        if self.spec.over_time is not None:
            codes: torch.Tensor = encoder(window.images, *self.flows(window)).flatten(0, 1)
        else:
            codes = encoder(window.images.flatten(0, 1))
        return codes

    def flows(self, window: Window) -> tuple[torch.Tensor, torch.Tensor]:
        """Return backward and forward flow (B,T-1,2,S/2,S/2), of the window or from the model's SPyNet.

        SPyNet runs on frames of half the side, shrunk bicubically as in BasicVSR++, both directions in one call. Its
        arithmetic stays in single precision: its results are coordinates.
        """
        if self.flow is None:
            return window.flows_backward, window.flows_forward
        with single_precision(window.images.device):
            small = F.interpolate(window.images.flatten(0, 1), scale_factor=0.5, mode="bicubic", align_corners=False)
            return neighbour_flows(self.flow, small.clamp(0, 1).unflatten(0, window.images.shape[:2]))

    def geometry(self, codes: Codes) -> Geometry:
        """Return the heads and their projections."""
        head = self.head(codes.shape, codes.expression, codes.pose)
        return Geometry(
            head.vertices,
            project(head.vertices, codes.camera),
            project(head.landmarks2d, codes.camera)[..., :2],
            head.landmarks3d,
        )

    def render(self, codes: Codes, geometry: Geometry) -> Rendering:
        """Return the shaded pictures of the coarse heads, (N,3,R,R) with R = ``render_size``."""
        return self.renderer.render(geometry.vertices, geometry.projected, self.albedo(codes.texture), codes.light)

    def detail(self, codes: Codes, geometry: Geometry) -> Detail:
        """Return displacement, normals and shading in UV; no gradient goes to the coarse codes.

        Raises:
            ValueError: the codes have no detail.
        """
        if codes.detail is None:
            raise ValueError("the codes have no detail part: encode_detail was not called")
        conditions = torch.cat([codes.pose[:, 3:], codes.expression], 1).detach()
        displacement = self.detail_decoder(torch.cat([conditions, codes.detail], 1))
        with single_precision(displacement.device):
            vertices = geometry.vertices.detach()
            normals = vertex_normals(vertices, self.renderer.faces)
            detail_normals = self.renderer.detail_normals(displacement, vertices, normals)
            return Detail(displacement, detail_normals, sh_shading(detail_normals, codes.light.detach()))

    def target_images(self, images: torch.Tensor) -> torch.Tensor:
        """Return (N,C,S,S) pictures or masks at the renderer's size."""
        size = self.spec.render_size
        if images.shape[-1] == size:
            return images
        return F.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the sub-networks that hold trained weights."""
        parts = ("coarse_encoder", *(("detail_encoder", "detail_decoder") if self.spec.detail else ()))
        return parts if self.flow is None else (*parts, "flow")

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the networks' state on the CPU."""
        return {
            f"{part}.{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for part in self.parts
            for name, tensor in self.get_submodule(part).state_dict().items()
        }

    def load_weights(self, state: dict[str, torch.Tensor]) -> None:
        """Load :meth:`weights`.

        Raises:
            RuntimeError: a name or shape does not fit.
        """
        for part in self.parts:
            part_state = {
                name[len(part) + 1 :]: tensor for name, tensor in state.items() if name.startswith(f"{part}.")
            }
            self.get_submodule(part).load_state_dict(part_state, strict=True)
