"""Albedo and light of a track whose geometry is fixed: alternating robust linear least squares.

The picture is bilinear, as :meth:`tvface.rendering.renderer.Renderer.render` draws it: albedo, which is linear in the
texture code, times shading, which is linear in the light; display values as they are. How bright the skin is and how
bright the light the pixels cannot say. So a first pass finds the apparent colour of the skin, the prior of lights and
people splits it, and a second pass fits with that skin.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from tvface.fitting.light_prior import LightPrior, harmonics, level
from tvface.fitting.skin_pixels import TEXELS, Patch, SkinPixels, View
from tvface.head.data import HeadData

LEAST = 60  # skin pixels that a frame needs
SPREAD = 0.12  # residual over the frame's brightness that halves a pixel's weight
CORRELATED = 10.0  # neighbouring pixels per independent one
FREE = 0.4  # relative deviation of the light's level about its estimate of the round before
RIDGE = 1.0  # weight of the unit normal prior per frame: the pixels' bias does not average out over frames
TONE = 0.01  # deviation of the fitted skin's mean colour from the one that the prior names
ROUNDS = (3, 2)  # of both passes


@dataclass(frozen=True)
class Appearance:
    """What a track looks like.

    Attributes:
        texture: (n,) float32, codes of :class:`tvface.head.albedo.AlbedoModel`.
        light: (T, 9, 3) float32, see :func:`tvface.rendering.shading.sh_shading`; of a frame with too few skin pixels
            the mean of the others.
        residual: (T,) float32, root mean square difference to the picture on skin, display values in [0, 1]; nan for a
            frame with too few skin pixels.
    """

    texture: np.ndarray
    light: np.ndarray
    residual: np.ndarray


@dataclass
class _Frame:
    """A usable frame. values (P, 3): colours over their mean on skin, ``brightness``; light (9, 3) for ``values``;
    weight (P,), of the last residuals (P, 3)."""

    patch: Patch
    brightness: float
    values: np.ndarray
    basis: np.ndarray
    light: np.ndarray
    weight: np.ndarray
    residual: np.ndarray


class Photometry:
    """Fit of albedo and light for one head.

    Args:
        head: topology, UV layout, masks, labels and albedo.
        n_texture: coefficients of the albedo.
        prior: of lights and skins; None: the shipped one.
        size: side in pixels to which pictures are reduced.

    Raises:
        ValueError: the head has fewer columns, or no skin in its face mask.
        WeightsError: the prior's file is missing.
    """

    def __init__(self, head: HeadData, n_texture: int, prior: LightPrior | None = None, size: int = 64) -> None:
        stored = len(head.albedo_basis)
        if n_texture > stored:
            raise ValueError(f"head.n_texture = {n_texture}: this head has {stored} albedo columns; lower the setting")
        self.pixels = SkinPixels(head, size)
        self.prior = prior or LightPrior.load()
        maps = (head.albedo_mean, *(column.astype(np.float32) for column in head.albedo_basis[:n_texture]))
        small = np.stack([cv2.resize(image, (TEXELS, TEXELS), interpolation=cv2.INTER_AREA) for image in maps])
        # (texel, channel, column), column 0 is the mean.
        self.maps = np.ascontiguousarray(small.reshape(len(maps), -1, 3).transpose(1, 2, 0))
        tone = self.maps[self.pixels.skin_texels].mean(0, dtype=np.float64)
        self._tone_mean, self._tone = tone[:, 0], tone[:, 1:]
        self._precision = np.linalg.inv(_with_free_level(self.prior))

    def fit(self, views: Iterable[View]) -> Appearance:
        """Return the appearance that all views share, and the light of each.

        The views are read once, in order; of each only its skin pixels are kept.

        Args:
            views: T frames; they may be loaded one by one.

        Raises:
            ValueError: no views, or wrong shapes or types in one.
        """
        patches, frames, code = self._first_pass(views)
        target = self.tone(code)
        if frames:
            target = self.prior.skin(*self._seen(list(frames.values()), code))
            gain = self.tone(code) / target
            for frame in frames.values():
                frame.light = frame.light * gain
            code = self._albedo(list(frames.values()), target)
        code = self._rounds(frames, code, target, ROUNDS[1])
        return self._appearance(code, len(patches), frames)

    def apparent(self, views: Iterable[View]) -> tuple[np.ndarray, np.ndarray]:
        """Return what the first pass sees of a person, the input of :meth:`LightPrior.skin`.

        Args:
            views: as :meth:`fit`.

        Returns:
            (K, 3) log of the apparent skin colour in each shot, K = 0 if no frame shows enough skin; (3,) log of the
            eyes' whites over it, or nan.
        """
        _, frames, code = self._first_pass(views)
        return self._seen(list(frames.values()), code) if frames else (np.zeros((0, 3)), np.full(3, np.nan))

    def _first_pass(self, views: Iterable[View]) -> tuple[list[Patch], dict[int, _Frame], np.ndarray]:
        """Return all patches, the frames with enough skin by their index, and a code (n,) with the mean skin."""
        patches = [self.pixels.patch(view) for view in views]
        if not patches:
            raise ValueError("photometry needs at least one view")
        target = self.prior.skins.mean(0)
        code = self._plain(target)
        frames = {k: self._frame(p, code) for k, p in enumerate(patches) if int(p.skin.sum()) >= LEAST}
        return patches, frames, self._rounds(frames, code, target, ROUNDS[0])

    def _rounds(self, frames: dict[int, _Frame], code: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
        """Alternate ``count`` times, and end with the lights."""
        for _ in range(count if frames else 0):
            code = self._round(list(frames.values()), code, target)
        albedo = self._map(code)
        for frame in frames.values():
            self._light(frame, albedo)
        return code

    def tone(self, code: np.ndarray) -> np.ndarray:
        """Return the mean colour (3,) of the skin that a code (n,) means, display values."""
        return np.asarray(self._tone_mean + self._tone @ code)

    def _plain(self, target: np.ndarray) -> np.ndarray:
        """Return the likeliest code (n,) with a skin colour."""
        system = np.eye(self._tone.shape[1]) + self._tone.T @ self._tone / TONE**2
        return np.asarray(np.linalg.solve(system, self._tone.T @ (target - self._tone_mean) / TONE**2))

    def _map(self, code: np.ndarray) -> np.ndarray:
        """Return the albedo (texels, 3) of a code (n,)."""
        return np.asarray(self.maps @ np.concatenate([[1.0], code]).astype(np.float32))

    def _frame(self, patch: Patch, code: np.ndarray) -> _Frame:
        """Start with the prior's mean shape of light."""
        colours = patch.colours.astype(np.float32) / np.float32(255)
        brightness = max(float(colours[patch.skin].mean()), 1 / 255)
        values = colours / np.float32(brightness)
        basis = harmonics(patch.normals.astype(np.float32))
        shape = self.prior.shape.reshape(9, 3)
        expected = self._map(code)[patch.texels] * (basis @ shape.astype(np.float32))
        gain = np.median(values[patch.skin], 0) / np.median(expected[patch.skin], 0)
        count = len(values)
        return _Frame(patch, brightness, values, basis, shape * gain, np.ones(count, np.float32), np.zeros((count, 3)))

    def _round(self, frames: list[_Frame], code: np.ndarray, target: np.ndarray) -> np.ndarray:
        albedo = self._map(code)
        for frame in frames:
            self._light(frame, albedo)
        return self._albedo(frames, target)

    def _weigh(self, frame: _Frame, albedo: np.ndarray) -> None:
        """Set residuals and weights: highlights, cast shadows and what hides the face count less."""
        frame.residual = frame.values - albedo * (frame.basis @ frame.light.astype(np.float32))
        frame.weight = 1 / (1 + (frame.residual**2).mean(1) / np.float32(SPREAD**2))

    def _light(self, frame: _Frame, whole: np.ndarray) -> None:
        """Solve for the light of a frame with the albedo (texels, 3), and weigh its pixels anew."""
        albedo = whole[frame.patch.texels]
        self._weigh(frame, albedo)
        weight = frame.weight * frame.patch.skin / np.float32(SPREAD**2 * CORRELATED)
        gain = np.maximum(level(frame.light), 0.05)
        # The unknowns are the light over its level: their prior is the shape's.
        system = self._precision.reshape(9, 3, 9, 3).copy()
        right = (self._precision @ self.prior.shape).reshape(9, 3)
        for c in range(3):
            design = frame.basis * (albedo[:, c] * np.float32(gain[c]))[:, None]
            weighted = design.T * weight
            system[:, c, :, c] += weighted @ design
            right[:, c] += weighted @ frame.values[:, c]
        frame.light = np.linalg.solve(system.reshape(27, 27), right.reshape(27)).reshape(9, 3) * gain
        self._weigh(frame, albedo)

    def _albedo(self, frames: list[_Frame], target: np.ndarray) -> np.ndarray:
        """Solve for the code (n,) with the lights. The pixels are summed by texel: frames add no columns."""
        texels = TEXELS**2
        squares, products = np.zeros((texels, 3)), np.zeros((texels, 3))
        for frame in frames:
            shading = frame.basis @ frame.light.astype(np.float32)
            for c in range(3):
                part = frame.weight * shading[:, c]
                squares[:, c] += np.bincount(frame.patch.texels, part * shading[:, c], texels)
                products[:, c] += np.bincount(frame.patch.texels, part * frame.values[:, c], texels)
        seen = np.flatnonzero(squares.any(1))
        scale = 1 / (SPREAD**2 * CORRELATED)
        columns = self.maps[seen].reshape(-1, self.maps.shape[2])
        square = (squares[seen] * scale).reshape(-1).astype(np.float32)
        product = (products[seen] * scale).reshape(-1).astype(np.float32)
        system = ((columns[:, 1:].T * square) @ columns[:, 1:]).astype(np.float64)
        right = (columns[:, 1:].T @ (product - square * columns[:, 0])).astype(np.float64)
        pull = len(frames) / TONE**2
        system += RIDGE * len(frames) * np.eye(len(system)) + pull * self._tone.T @ self._tone
        right += pull * self._tone.T @ (target - self._tone_mean)
        return np.asarray(np.linalg.solve(system, right))

    def _seen(self, frames: list[_Frame], code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log of the apparent skin colour per shot (K, 3), and of the eyes' whites over it (3,) or nan."""
        each = np.stack([np.maximum(level(frame.light) * frame.brightness, 1e-3) for frame in frames])
        each = np.log(each * self.tone(code))
        shots = np.array([frame.patch.shot for frame in frames])
        white = np.log(np.maximum(np.stack([frame.patch.whites for frame in frames]), 1 / 255)) - each
        white = white[np.isfinite(white).all(1)]
        seen = np.stack([np.median(each[shots == shot], 0) for shot in np.unique(shots)])
        return seen, np.median(white, 0) if len(white) else np.full(3, np.nan)

    def _appearance(self, code: np.ndarray, count: int, frames: dict[int, _Frame]) -> Appearance:
        lights = [frame.light * frame.brightness for frame in frames.values()]
        usual = np.mean(lights, 0) if lights else self.prior.usual_light(self.tone(code))
        light = np.repeat(usual[None], count, 0)
        residual = np.full(count, np.nan)
        for (index, frame), fitted in zip(frames.items(), lights, strict=True):
            light[index] = fitted
            residual[index] = frame.brightness * np.sqrt((frame.residual[frame.patch.skin] ** 2).mean())
        return Appearance(code.astype(np.float32), light.astype(np.float32), residual.astype(np.float32))


def fit_appearance(head: HeadData, views: Iterable[View], n_texture: int) -> Appearance:
    """Fit one albedo and a light per frame; see :meth:`Photometry.fit`, which saves the preparation for many tracks."""
    return Photometry(head, n_texture).fit(views)


def _with_free_level(prior: LightPrior) -> np.ndarray:
    """Return the covariance (27, 27) of shapes whose level may differ from 1 in each channel."""
    covariance = prior.shape_covariance + 1e-3 * np.eye(27)
    for c in range(3):
        free = np.zeros((9, 3))
        free[:, c] = FREE * prior.shape.reshape(9, 3)[:, c]
        covariance = covariance + np.outer(free, free)
    return np.asarray(covariance)
