"""The bundled landmark network: a one-stack hourglass trained on tvface's renders. Needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.assets.reports import LoadReport
from tvface.conventions.boxes import centre_and_sides, unwindow, window_transform
from tvface.conventions.points68 import MIRROR
from tvface.landmarkers.base import Landmarker
from tvface.media.images import warp_crop
from tvface.networks.bundles import LANDMARKS, Bundle, load_with_report
from tvface.networks.compact import CompactLandmarks, soft_argmax
from tvface.networks.inference import folded, prepared
from tvface.runtime.device import arithmetic, name_of
from tvface.settings.labels import Landmarks


class Backend(Landmarker):
    """Heat maps of an upright square window around the box, read by soft-argmax.

    The confidence of a point is the probability that it lies within 5 % of the eye distance of the truth. It is
    estimated from the spread of the heat map and calibrated on renders that the network had not seen.
    """

    needs = ("compact_landmarks",)

    def __init__(self, settings: Landmarks, device: torch.device, bundle: Bundle | None = None) -> None:
        """Load the bundled weights, or take ``bundle``."""
        self.settings = settings
        self.refine = settings.refine
        self.device = device
        if bundle is None:
            (bundle,) = self.load_needs(settings)
        else:
            self.weights = {LANDMARKS: bundle.sha256}
        if not isinstance(bundle.net, CompactLandmarks):
            raise TypeError(f"expected a CompactLandmarks network, got {type(bundle.net).__name__}")
        self.net = bundle.net.to(device)
        self.dtype = arithmetic(settings.precision, device)
        self.precision = name_of(self.dtype)
        self.heat = prepared(folded(bundle.net), device, self.dtype)
        self.size, self.window = bundle.size, bundle.window

    @classmethod
    def load(cls, path: Path) -> tuple[Bundle, LoadReport]:
        """See :meth:`tvface.assets.backends.Weighted.load`."""
        return load_with_report(path)

    def find(
        self, crops: NDArray[np.uint8], boxes: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See :meth:`Landmarker.find`."""
        centres, sides = centre_and_sides(boxes)
        transforms = [
            window_transform(centre, self.window * side, self.size)
            for centre, side in zip(centres, sides.mean(1), strict=True)
        ]
        points = np.zeros((len(crops), 68, 2))
        confidence = np.zeros((len(crops), 68))
        for start in range(0, len(crops), self.settings.batch):
            part = slice(start, min(start + self.settings.batch, len(crops)))
            windows = np.stack([warp_crop(crops[i], transforms[i], self.size) for i in range(part.start, part.stop)])
            fractions, confidence[part] = self._read(windows)
            for i in range(part.start, part.stop):
                points[i] = unwindow(fractions[i - start] * self.size - 0.5, transforms[i])
        return points, confidence

    @torch.inference_mode()
    def _read(self, windows: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points as fractions of the window and their confidence; with ``flip``, the mirror image counts too."""
        images = (torch.from_numpy(windows).to(self.device).permute(0, 3, 1, 2).float() / 255).to(self.dtype)
        points, spread = soft_argmax(self.heat(images).float())
        confidence = self.net.confidence(spread)
        if self.settings.flip:
            mirror = torch.from_numpy(MIRROR).to(self.device)
            mirrored, spread = soft_argmax(self.heat(images.flip(-1)).float()[:, mirror])
            mirrored[..., 0] = 1 - mirrored[..., 0]
            points = (points + mirrored) / 2
            confidence = (confidence + self.net.confidence(spread)) / 2
        return points.double().cpu().numpy(), confidence.double().cpu().numpy()
