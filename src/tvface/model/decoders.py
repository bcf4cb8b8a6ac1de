"""Codes to heads, whoever found the codes: a network of this project, or the fit, which has no network."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tvface.head.albedo import AlbedoModel
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.model.face_model import Codes, FaceModel, Geometry
from tvface.model.inference import decode
from tvface.rendering.renderer import Renderer


class Decoder(Protocol):
    """Heads of codes.

    ``name`` of what found them; ``size``: side of its crops in px; ``half_pixel``: its normalised coordinates are
    DECA's (:func:`tvface.conventions.pixels.normalise`).
    """

    name: str
    size: int
    half_pixel: bool
    device: torch.device
    renderer: Renderer

    def heads(self, codes: Codes) -> tuple[Geometry, Tensor | None]:
        """Return the heads of N frames, and their detail normals (N,3,U,U) in UV if there are any."""
        ...

    def geometry(self, codes: Codes) -> Geometry:
        """Return the heads of N frames."""
        ...

    def albedo(self, texture: Tensor) -> Tensor:
        """Return the albedo (N,3,U,U) of texture codes."""
        ...


class NetworkDecoder:
    """Heads of a trained network's codes, with its detail; see :class:`Decoder`."""

    def __init__(self, model: FaceModel) -> None:
        self.name, self.size = str(model.spec.model), model.spec.image_size
        self.half_pixel = model.spec.original.half_pixel_landmarks
        self.device = next(model.parameters()).device
        self.renderer, self._model = model.renderer, model

    def heads(self, codes: Codes) -> tuple[Geometry, Tensor | None]:
        """See :class:`Decoder`."""
        result = decode(self._model, codes)
        return result.geometry, None if result.detail is None else result.detail.normals

    @torch.no_grad()
    def geometry(self, codes: Codes) -> Geometry:
        """See :class:`Decoder`."""
        return self._model.geometry(codes)

    @torch.no_grad()
    def albedo(self, texture: Tensor) -> Tensor:
        """See :class:`Decoder`."""
        albedo: Tensor = self._model.albedo(texture)
        return albedo


class FitDecoder:
    """Heads of fitted codes: the bare head, with eyes that turn; see :class:`Decoder`."""

    def __init__(
        self, head: HeadData, n_shape: int, n_expression: int, n_texture: int, size: int, uv_size: int
    ) -> None:
        self.name, self.size, self.half_pixel, self.device = "fit", size, False, torch.device("cpu")
        self.head = HeadModel(head, n_shape, n_expression)
        self.renderer = Renderer(head, size, uv_size)
        self._albedo = AlbedoModel(head, n_texture, uv_size)

    def heads(self, codes: Codes) -> tuple[Geometry, Tensor | None]:
        """See :class:`Decoder`."""
        return self.geometry(codes), None

    @torch.no_grad()
    def geometry(self, codes: Codes) -> Geometry:
        """See :class:`Decoder`."""
        head = self.head(codes.shape, codes.expression, codes.pose, eyes=codes.eyes)
        points = project(head.landmarks2d, codes.camera)[..., :2]
        return Geometry(head.vertices, project(head.vertices, codes.camera), points, head.landmarks3d)

    @torch.no_grad()
    def albedo(self, texture: Tensor) -> Tensor:
        """See :class:`Decoder`."""
        albedo: Tensor = self._albedo(texture)
        return albedo
