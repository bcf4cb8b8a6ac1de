"""What a network learns from synthetic shots: the true head, its points, its skin and the light on it.

The terms compare with truth where the paper's compare with found points and pictures, so that nothing has to be told
apart by priors: shape from expression, skin from light. No picture is rendered; light and albedo are compared with the
picture at the true head's vertices.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tvface.conventions.classes import BARE_SKIN
from tvface.evaluation.geometry import align_similarity
from tvface.evaluation.models import face_vertices
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.losses.eye import eye_loss
from tvface.losses.landmark import landmark_loss
from tvface.losses.lip import lip_loss
from tvface.model.face_model import Codes, FaceModel
from tvface.model.window import Window
from tvface.rendering.shading import sh_basis, vertex_normals
from tvface.runtime.device import single_precision
from tvface.settings.supervised import Terms
from tvface.supervised.windows import TaughtWindow
from tvface.training.task import Task

_FACING = 0.2  # z of a normal below which a vertex's colour is not compared: rims mix with what lies behind


class FaceTruth(nn.Module):
    """The face's vertices of true and predicted heads: the part of the head that a picture can tell.

    Args:
        head: the head's file.
        model: its forward model, with the codes' lengths.
    """

    faces: Tensor

    def __init__(self, head: HeadData, model: HeadModel) -> None:
        super().__init__()
        inside = face_vertices(head)
        self.count = len(inside)
        self.head = model.restricted(torch.from_numpy(inside))
        place = np.full(len(head.v_template), -1, np.int64)
        place[inside] = np.arange(len(inside))
        triangles = place[head.faces]
        self.register_buffer("faces", torch.from_numpy(triangles[(triangles >= 0).all(1)]))

    def neutral(self, shape: Tensor) -> Tensor:
        """Return the vertices (N,F,3) of shapes (N,I) at rest, m, about their mean."""
        rest = shape.new_zeros(len(shape), self.head.n_expression)
        return centred(self.head(shape, rest, shape.new_zeros(len(shape), 6)).vertices[:, : self.count])

    def posed(self, window: TaughtWindow) -> Tensor:
        """Return the true vertices (N,F,3) of a window's frames, m, camera axes, the head's origin at 0."""
        joints = window.joints.flatten(0, 1)
        pose = torch.cat([joints[:, :3], joints[:, 6:9]], 1)
        shape, expression = window.shape.flatten(0, 1), window.expression.flatten(0, 1)
        out = self.head(shape, expression, pose, joints[:, 3:6], joints[:, 9:])
        return out.vertices[:, : self.count]


class Lesson(Task):
    """The coarse encoder of a model learns from truth.

    Args:
        model: to train.
        head: the head's file.
        weights: of the terms.
        frozen_norm: normalisations of the encoder keep their statistics.
    """

    painted_mean: Tensor
    painted: Tensor

    def __init__(self, model: FaceModel, head: HeadData, weights: Terms, frozen_norm: bool = False) -> None:
        super().__init__()
        self.model, self.weights_of_terms = model, weights
        self.face = FaceTruth(head, model.head)
        self.skin = SkinTone(model, head)
        texels = torch.from_numpy(_texels(head, face_vertices(head), model.albedo.size))
        self.register_buffer("painted_mean", model.albedo.mean.flatten(2)[0][:, texels])
        self.register_buffer("painted", model.albedo.basis.unflatten(1, (3, -1))[..., texels])
        model.requires_grad_(False)
        model.coarse_encoder.requires_grad_(True)
        kinds = nn.modules.batchnorm._BatchNorm
        self._frozen = [m for m in model.coarse_encoder.modules() if isinstance(m, kinds)] if frozen_norm else []
        self.train()

    def train(self, mode: bool = True) -> Lesson:
        """Set the mode of the encoder; the rest stays in evaluation."""
        super().train(False)
        self.model.coarse_encoder.train(mode)
        for part in self._frozen:
            part.train(False)
        self.training = mode
        return self

    def trained(self) -> list[nn.Parameter]:
        """See :meth:`Task.trained`."""
        return list(self.model.coarse_encoder.parameters())

    def weights(self) -> dict[str, Tensor]:
        """See :meth:`Task.weights`."""
        return self.model.weights()

    def load_weights(self, state: dict[str, Tensor]) -> None:
        """See :meth:`Task.load_weights`."""
        self.model.load_weights(state)

    def forward(self, window: Window, step: int | None) -> dict[str, Tensor]:
        """Return the weighted terms (scalars)."""
        assert isinstance(window, TaughtWindow)
        codes = self.model.encode_coarse(window)
        with single_precision(window.images.device):
            terms = self._terms(codes, window)
            return {name: getattr(self.weights_of_terms, name) * value for name, value in terms.items()}

    def _terms(self, codes: Codes, window: TaughtWindow) -> dict[str, Tensor]:
        face = self.face
        out = face.head(codes.shape, codes.expression, codes.pose)
        points = project(out.landmarks2d, codes.camera)[..., :2]
        truth = window.landmarks.flatten(0, 1)
        with torch.no_grad():
            posed = face.posed(window)
            neutral = face.neutral(window.shape.flatten(0, 1))
        skin, resting = self.skin(codes.texture), face.neutral(codes.shape)
        return {
            "landmark": landmark_loss(points, truth),
            "eye": eye_loss(points, truth),
            "lip": lip_loss(points, truth),
            "posed": apart(centred(out.vertices[:, : face.count]), centred(posed)),
            "neutral": apart(resting, neutral),
            "size": (_size(resting) / _size(neutral)).log().abs().mean(),
            "units": (codes.expression - window.expression.flatten(0, 1)).square().mean(),
            "skin": (skin - window.skin.flatten(0, 1)).abs().mean(),
            "colour": self._colour(codes, window, posed),
            "albedo": codes.texture.square().mean(),
        }

    def _colour(self, codes: Codes, window: TaughtWindow, posed: Tensor) -> Tensor:
        """Return the mean difference of colour between the lit albedo and the picture, at visible true vertices."""
        size = window.images.shape[-1]
        with torch.no_grad():
            camera = window.camera.flatten(0, 1)[:, None]
            place = posed + window.translation.flatten(0, 1)[:, None]
            flat = place[..., :2] / -place[..., 2:] * place.new_tensor([1.0, -1.0])
            pixels = camera[..., 1:] + camera[..., :1] * flat
            grid = ((pixels + 0.5) / size * 2 - 1)[:, :, None]
            seen = F.grid_sample(window.target.flatten(0, 1), grid, align_corners=False)[..., 0].transpose(1, 2)
            inside = F.grid_sample(window.masks.flatten(0, 1), grid, align_corners=False)[:, 0, :, 0]
            normals = vertex_normals(1000 * posed, self.face.faces)
            visible = (inside > 0.99) & (normals[..., 2] > _FACING)
            basis = sh_basis(normals.transpose(1, 2)[..., None])[..., 0]
        painted = self.painted_mean + torch.einsum("nk,kcv->ncv", codes.texture, self.painted)
        lit = painted.transpose(1, 2) * torch.einsum("nkc,nkv->nvc", codes.light, basis)
        weight = visible[..., None].float()
        return ((lit - seen).abs() * weight).sum() / (3 * weight.sum()).clamp_min(1)


class SkinTone(nn.Module):
    """The mean colour of the skin that an albedo code means; a linear map.

    Args:
        model: with its albedo.
        head: its file, for the classes of the UV map.
    """

    mean: Tensor
    columns: Tensor

    def __init__(self, model: FaceModel, head: HeadData) -> None:
        super().__init__()
        bare = torch.from_numpy(bare_texels(head, model.albedo.size).ravel())
        self.register_buffer("mean", model.albedo.mean.flatten(2)[0][:, bare].mean(1))
        self.register_buffer("columns", model.albedo.basis.unflatten(1, (3, -1))[..., bare].mean(2))

    def forward(self, texture: Tensor) -> Tensor:
        """Return (N,3) display colours, 0..1, of codes (N,A)."""
        toned: Tensor = self.mean + texture @ self.columns
        return toned


def bare_texels(head: HeadData, size: int) -> np.ndarray:
    """Return where a UV map of side ``size`` shows bare skin of the face, (size, size) bool."""
    classes = cv2.resize(head.labels, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)
    inside = cv2.resize(head.face_mask, (size, size)) > 0.5
    return np.asarray(inside & np.isin(classes, BARE_SKIN))


def _texels(head: HeadData, vertices: np.ndarray, size: int) -> np.ndarray:
    """Return the texel (F,) int64 of each vertex in a flattened UV map of side ``size``."""
    corner = np.zeros(len(head.v_template), np.int64)
    corner[head.faces.ravel()] = head.uv_faces.ravel()
    uv = head.uv[corner[vertices]]
    column = np.clip((uv[:, 0] * size).astype(np.int64), 0, size - 1)
    row = np.clip(((1 - uv[:, 1]) * size).astype(np.int64), 0, size - 1)
    return np.asarray(row * size + column)


def _size(vertices: Tensor) -> Tensor:
    """Return the root mean square distance (N,1,1) of centred vertices (N,F,3) from their mean."""
    return vertices.square().sum(-1).mean(1).sqrt()[:, None, None]


def apart(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return the mean difference of coordinates of centred vertices (N,F,3), m, with the predicted ones in true size.

    A picture does not tell how large a head is: a quarter of what people differ in would be noise in the gradient.
    """
    return (predicted * (_size(truth) / _size(predicted)) - truth).abs().mean()


def similar_mm(predicted: Tensor, truth: Tensor) -> NDArray[np.float64]:
    """Return the mean distance (N,) of vertices (N,F,3) m after the best similarity, in mm."""
    a, b = predicted.double().numpy(), truth.double().numpy()
    return np.asarray(1000 * np.linalg.norm(align_similarity(a, b) - b, axis=-1).mean(-1))


def centred(vertices: Tensor) -> Tensor:
    """Return vertices (N,F,3) about their mean."""
    return vertices - vertices.mean(1, keepdim=True)
