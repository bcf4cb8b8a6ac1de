"""The inputs of the loss terms. The table of losses (:mod:`tvface.losses.table`) names these attributes.

Everything is computed when the first term asks for it, and once: a phase without pictures in its loss renders none.
Shape letters: B frames, twice as many where codes are permuted within their sequences; R the renderer's side, U that of
UV maps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from tvface.losses.detail_photometric import face_window
from tvface.model.face_model import Codes, Detail, FaceModel, Geometry
from tvface.model.window import Window
from tvface.rendering.renderer import Rendering, sample
from tvface.rendering.shading import sh_shading, vertex_normals
from tvface.runtime.device import single_precision
from tvface.training.loss_networks import LossNetworks


@dataclass(eq=False)
class LossInputs:
    """One pass of a phase: the codes of a window, with the model and networks that turn them into inputs of the loss.

    ``order`` are indices of the window's frames. With them the batch is taken twice, and the second time the permuted
    codes are those of the frames in this order; None: once. Inputs are read in single precision
    (:func:`tvface.runtime.device.single_precision`): they are coordinates, geometry and pictures.
    """

    model: FaceModel
    networks: LossNetworks
    window: Window
    codes: Codes
    order: torch.Tensor | None
    segmentation: bool = True

    def _twice(self, batch: torch.Tensor) -> torch.Tensor:
        return batch if self.order is None else torch.cat([batch, batch])

    def _permuted(self, name: str) -> Codes:
        """Return the codes twice in a row, one of them permuted the second time; without an order as they are."""
        if self.order is None:
            return self.codes
        once = getattr(self.codes, name)
        return self.codes.doubled().replaced(**{name: torch.cat([once, once[self.order]])})

    @cached_property
    def _photo_once(self) -> torch.Tensor:
        return self.model.target_images(self.window.images.flatten(0, 1))

    @cached_property
    def _mask_once(self) -> torch.Tensor:
        return self.model.target_images(self.window.masks.flatten(0, 1))


@dataclass(eq=False)
class CoarseInputs(LossInputs):
    """Inputs of the phases that train the coarse encoder; the shape codes are permuted."""

    def __post_init__(self) -> None:
        """Permute the shapes."""
        self.codes = self._permuted("shape")

    @cached_property
    def geometry(self) -> Geometry:
        """The heads of the batch."""
        return self.model.geometry(self.codes)

    @cached_property
    def target_landmarks(self) -> torch.Tensor:
        """(B, 68, 2) normalised image coordinates of the window."""
        return self._twice(self.window.landmarks.flatten(0, 1))

    @cached_property
    def rendering(self) -> Rendering:
        """The heads under their light."""
        return self.model.render(self.codes, self.geometry)

    @cached_property
    def drawn(self) -> torch.Tensor:
        """(B, 1, R, R) in [0, 1]: where the head's face is drawn; no gradient."""
        return self.rendering.face_eye_mask * self.rendering.alpha

    @cached_property
    def picture(self) -> torch.Tensor:
        """(B, 3, R, R) RGB, the rendered face, 0 elsewhere.

        Shaded, as in the paper; DECA's HEAD compares unshaded albedo by accident (docs/deca_differences.md).
        """
        if self.model.spec.original.unshaded_photometric:
            return self.rendering.albedo_images * self.drawn
        return self.rendering.images * self.rendering.face_eye_mask

    @cached_property
    def photo(self) -> torch.Tensor:
        """(B, 3, R, R) RGB in [0, 1], the window's pictures."""
        return self._twice(self._photo_once)

    @cached_property
    def compared(self) -> torch.Tensor:
        """(B, 1, R, R) in [0, 1]: the window's face masks, or without segmentation the rendered face."""
        return self._twice(self._mask_once) if self.segmentation else self.drawn

    @cached_property
    def face_features(self) -> torch.Tensor:
        """(B, D) VGGFace2 features of the photo with the rendered face on it.

        Gradients reach the geometry only: albedo and light are constants, the sampling grid is not.
        """
        _ = self.target_features  # first: they hold no memory for a gradient
        original = self.model.spec.original
        albedo = sample(self.model.albedo(self.codes.texture).detach(), self.rendering.grid)
        face = albedo * sh_shading(self.rendering.normal_images, self.codes.light.detach())
        # Without alpha the background takes the face mask's value at the UV centre, which is 1.
        covered = self.rendering.face_eye_mask if original.constant_identity_background else self.drawn
        return self._features_of(face * covered + self.photo * (1 - covered))

    @cached_property
    @torch.no_grad()
    def target_features(self) -> torch.Tensor:
        """(B, D) VGGFace2 features of the photo; computed once per picture, also where the batch holds it twice."""
        return self._twice(self._features_of(self._photo_once))

    def _features_of(self, images: torch.Tensor) -> torch.Tensor:
        network: Any = self.networks.network("vggface2")
        features: torch.Tensor = network.features_of(images, self.model.spec.original.doubled_identity_input)
        return features


@dataclass(eq=False)
class DetailInputs(LossInputs):
    """Inputs of the detail phase; only the detail codes are permuted, so all else is computed once and taken twice.

    Only ``detail`` and what is computed from it have a gradient. Every term of the phase needs it.
    """

    detail: Detail = field(init=False)

    def __post_init__(self) -> None:
        """Decode the details, with the decoder in the training's precision."""
        with torch.no_grad(), single_precision(self.window.images.device):
            self._geometry_once = self.model.geometry(self.codes)
        geometry = self._geometry_once if self.order is None else self._geometry_once.doubled()
        self.detail = self.model.detail(self._permuted("detail"), geometry)

    @cached_property
    def texture(self) -> torch.Tensor:
        """(B, 3, U, U) RGB, the albedo under the detail's shading, cut to the face."""
        return face_window(self._albedo * self.detail.shading)

    @cached_property
    def target_texture(self) -> torch.Tensor:
        """(B, 3, U, U) RGB, the texture of the photo in the same window."""
        return self._twice(self._photo_texture_once)

    @cached_property
    def seen(self) -> torch.Tensor:
        """(B, 1, U, U) in [0, 1], ``visible`` cut to the face."""
        return self._twice(self._seen_once)

    @cached_property
    def visible(self) -> torch.Tensor:
        """(B, 1, U, U) in [0, 1]: inside the face masks of photo and head, and facing the camera."""
        return self._twice(self._visible_once)

    @cached_property
    def texture_maps(self) -> tuple[torch.Tensor, ...]:
        """Two VGG19 maps of ``texture`` where it is seen."""
        _ = self.target_maps  # first: they hold no memory for a gradient
        return self._maps_of(self.texture * self.seen)

    @cached_property
    @torch.no_grad()
    def target_maps(self) -> tuple[torch.Tensor, ...]:
        """Two VGG19 maps of ``target_texture`` where it is seen; computed once per texture."""
        return tuple(self._twice(maps) for maps in self._maps_of(self._photo_texture_once * self._seen_once))

    def _maps_of(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps: tuple[torch.Tensor, ...] = self.networks.network("vgg19")(images)
        return maps

    @cached_property
    @torch.no_grad()
    def _albedo(self) -> torch.Tensor:
        return self._twice(self.model.albedo(self.codes.texture))

    @cached_property
    @torch.no_grad()
    def _photo_texture_once(self) -> torch.Tensor:
        uv = self.model.renderer.uv
        return face_window(uv.extract_texture(self._photo_once, self._geometry_once.projected))

    @cached_property
    @torch.no_grad()
    def _visible_once(self) -> torch.Tensor:
        uv, projected = self.model.renderer.uv, self._geometry_once.projected
        facing = uv.self_visible(vertex_normals(projected, self.model.renderer.faces))
        return uv.extract_texture(self._mask_once, projected) * facing * uv.face_eye_mask

    @cached_property
    @torch.no_grad()
    def _seen_once(self) -> torch.Tensor:
        return face_window(self._visible_once)
