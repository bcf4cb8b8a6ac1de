"""The pixels of a photograph that show the head's skin, with what a fit of light and albedo needs of each."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from tvface.conventions.classes import BARE_SKIN
from tvface.head.data import HeadData
from tvface.rendering.rasterizer_numba import rasterize_numpy
from tvface.rendering.shading import vertex_normals

# Painted parts whose albedo is fitted too, where the picture and the head agree on the class: brows, eyes, lips.
PAINTED = (2, 3, 4, 5, 12, 13)
TEXELS = 128  # px, side of the albedo maps during the fit
STEEPEST = -0.2  # z of the projected normal above which a pixel is left out: rims mix with what lies behind
CLIPPED = 250  # from this value on a channel says little
EYES = (4, 5)
EYE_SIZE = 112  # px, side of the picture in which the whites of the eyes are sought, or its own if that is smaller
WHITES = 90  # percentile of an eye's brightness above which it is white
EYE_PIXELS = 20  # that the eyes need


@dataclass(frozen=True)
class View:
    """One frame of a track with its geometry.

    Attributes:
        vertices: (V, 3) metres, the posed head, axes of the camera: x right in the picture, y up, z to the camera.
        projected: (V, 3) normalised image coordinates of ``image``: x right, y down, smaller z nearer.
        image: (S, S, 3) uint8 RGB.
        labels: (S, S) uint8 zllrunning classes.
        shot: frames of one number count as one light when skin is told from light.
    """

    vertices: np.ndarray
    projected: np.ndarray
    image: np.ndarray
    labels: np.ndarray
    shot: int = 0


@dataclass(frozen=True)
class Patch:
    """Pixels of one view, 20 kB of a picture of 64 px. P is their number.

    Attributes:
        colours: (P, 3) uint8 RGB.
        texels: (P,) uint16, place of each pixel in the albedo map of TEXELS x TEXELS, row-major.
        normals: (P, 3) float16 unit normals, axes of the camera.
        skin: (P,) bool, skin and not a painted part.
        whites: (3,) float64 mean colour of the eyes' whites, display values in [0, 1]; nan if the eyes hardly show.
        shot: of the view.
    """

    colours: np.ndarray
    texels: np.ndarray
    normals: np.ndarray
    skin: np.ndarray
    whites: np.ndarray
    shot: int


def whites(view: View) -> np.ndarray:
    """Return the mean colour of the brightest pixels of the eyes, (3,) in [0, 1]; nan if fewer than EYE_PIXELS show.

    The white of an eye differs less between people than skin does: it tells how bright the light is.
    """
    side = min(EYE_SIZE, len(view.labels))
    labels = cv2.resize(view.labels, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
    eyes = np.isin(labels, EYES)
    if int(eyes.sum()) < EYE_PIXELS:
        return np.full(3, np.nan)
    colours = cv2.resize(view.image, (side, side), interpolation=cv2.INTER_AREA)[eyes] / 255.0
    brightness = colours.mean(1)
    return np.asarray(colours[brightness >= np.percentile(brightness, WHITES)].mean(0))


class SkinPixels:
    """Finder of skin pixels for one head.

    Args:
        head: topology, UV layout, masks and labels.
        size: side in pixels to which pictures are reduced.
    """

    def __init__(self, head: HeadData, size: int = 64) -> None:
        if size < 16:
            raise ValueError(f"photometry needs pictures of at least 16 pixels, got {size}")
        self.size, self.vertices = size, len(head.v_template)
        self.faces = np.ascontiguousarray(head.faces, np.int64)
        self._faces = torch.from_numpy(self.faces)
        self._uv = np.asarray(head.uv, np.float32)[head.uv_faces]
        inside = cv2.resize(head.face_eye_mask, (TEXELS, TEXELS), interpolation=cv2.INTER_AREA) > 0.5
        labels = cv2.resize(head.labels, (TEXELS, TEXELS), interpolation=cv2.INTER_NEAREST_EXACT)
        self.labels = np.where(inside, labels, 0).reshape(-1)
        self.skin_texels = np.flatnonzero(np.isin(self.labels, BARE_SKIN))
        if not len(self.skin_texels):
            raise ValueError("the head's face mask holds no texel of the classes 1 (skin) and 10 (nose)")

    def patch(self, view: View) -> Patch:
        """Return the pixels of a view.

        Raises:
            ValueError: wrong shapes or types.
        """
        self._check(view)
        size = self.size
        image = cv2.resize(view.image, (size, size), interpolation=cv2.INTER_AREA)
        labels = cv2.resize(view.labels, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)
        projected = np.ascontiguousarray(view.projected, np.float32)
        pixels = projected.copy()
        pixels[:, :2] = (pixels[:, :2] + 1) * (size / 2) - 0.5
        face, bary, _ = rasterize_numpy(pixels, self.faces, size, size)
        place = np.flatnonzero((face >= 0).ravel() & np.isin(labels, (*BARE_SKIN, *PAINTED)).ravel())
        face, bary, shown = face.ravel()[place], bary.reshape(-1, 3)[place], labels.ravel()[place]
        uv = np.einsum("pi,pij->pj", bary, self._uv[face])
        column, row = (np.clip((v * TEXELS).astype(np.int64), 0, TEXELS - 1) for v in (uv[:, 0], 1 - uv[:, 1]))
        texels = row * TEXELS + column
        both = torch.from_numpy(np.stack([np.asarray(view.vertices, np.float32), projected]))
        normals = vertex_normals(both, self._faces).numpy()
        corners = self.faces[face]
        facing = np.einsum("pi,pi->p", bary, normals[1][corners, 2]) < STEEPEST
        colours = image.reshape(-1, 3)[place]
        skin = np.isin(self.labels[texels], BARE_SKIN) & np.isin(shown, BARE_SKIN)
        painted = (self.labels[texels] == shown) & np.isin(shown, PAINTED)
        kept = (skin | painted) & facing & (colours.max(1) < CLIPPED)
        normal = np.einsum("pi,pij->pj", bary[kept], normals[0][corners[kept]])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        return Patch(
            colours[kept],
            texels[kept].astype(np.uint16),
            normal.astype(np.float16),
            skin[kept],
            whites(view),
            view.shot,
        )

    def _check(self, view: View) -> None:
        for name, array in (("vertices", view.vertices), ("projected", view.projected)):
            if np.shape(array) != (self.vertices, 3):
                raise ValueError(f"photometry: {name} are {np.shape(array)}, expected {(self.vertices, 3)}, the head's")
        side = len(view.labels)
        for name, array, shape in (("image", view.image, (side, side, 3)), ("labels", view.labels, (side, side))):
            if np.shape(array) != shape or array.dtype != np.uint8:
                raise ValueError(
                    f"photometry: {name} {array.dtype} {np.shape(array)}, expected uint8 {shape}, labels of {side} px"
                )
