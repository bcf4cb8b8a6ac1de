"""2D-FAN with four stacks (Bulat and Tzimiropoulos, ICCV 2017): geometry, decoding and batching.

The network is that of the ``face_alignment`` package. The code around it is new: it takes crops in batches, does not
round points to whole pixels, and accepts boxes of other detectors than S3FD. Source: the package, release 1.5.0; its
numbers: ``tests/reference/net/fan_{crop,decode}.npz``.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tvface.assets.reports import LoadReport
from tvface.conventions.boxes import centre_and_sides
from tvface.conventions.points68 import MIRROR
from tvface.landmarkers.base import Landmarker
from tvface.networks import fan as network
from tvface.networks.inference import prepared
from tvface.runtime.device import arithmetic, name_of
from tvface.settings.labels import Landmarks

CROP = 256
HEAT = 64
WINDOW = 200.0  # side of the window at scale 1, in pixels
S3FD_SCALE = 195.0  # mean width + height of an S3FD box at scale 1
# The original's value for detectors whose boxes are tighter than S3FD's (RetinaFace, SCRFD, YuNet in 1.5.0). MTCNN,
# trained on the same WIDER FACE boxes, is assumed to be one of them; the second pass depends less on this value.
TIGHT_SCALE = 165.0
CENTRE_UP = 0.12  # the window's centre above the box's, in box heights


def window(box: NDArray[np.floating], reference: float = S3FD_SCALE) -> tuple[NDArray[np.float64], float]:
    """Return centre (x, y) and scale of FAN's window for a box x0, y0, x1, y1 (pixels).

    The window is ``200 * scale`` pixels wide. ``reference`` is the detector's :data:`S3FD_SCALE` equivalent.
    """
    centres, sides = centre_and_sides(np.asarray(box)[None, :4])
    centre = centres[0] - (0.0, CENTRE_UP * sides[0, 1])
    return centre, float(sides[0].sum() / reference)


def window_corners(centre: NDArray[np.floating], scale: float) -> NDArray[np.int32]:
    """Return the whole-pixel corners [[x0, y0], [x1, y1]] of the window, as in the original.

    They are heat-image points 1 and 256 of 256 mapped back and truncated toward zero, so the window is a 256th
    smaller than ``200 * scale``. Columns x0 .. x1 - 1 and rows y0 .. y1 - 1 belong to it.
    """
    side = WINDOW * scale
    ends = np.array([1.0, CROP]) / CROP - 0.5
    corners = np.asarray(centre, np.float64)[None] + ends[:, None] * side
    # The original computes in float32: an integer there must not fall below that integer here.
    return np.trunc(corners.astype(np.float32)).astype(np.int32)


def cut(image: NDArray[np.uint8], centre: NDArray[np.floating], scale: float) -> NDArray[np.uint8]:
    """Return the 256 x 256 x 3 window of an H x W x 3 uint8 picture, black outside it.

    Raises:
        ValueError: the window is under two pixels wide.
    """
    (x0, y0), (x1, y1) = window_corners(centre, scale).tolist()
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise ValueError(f"a face box of scale {scale:.4f} at {np.asarray(centre).tolist()} is too small for FAN")
    height, width = image.shape[:2]
    canvas = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if left < right and top < bottom:
        canvas[top - y0 : bottom - y0, left - x0 : right - x0] = image[top:bottom, left:right]
    return np.asarray(cv2.resize(canvas, (CROP, CROP), interpolation=cv2.INTER_LINEAR), np.uint8)


def peaks(heatmaps: NDArray[np.floating], decode: str = "gaussian") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the maximum of each heat map.

    Args:
        heatmaps: (..., H, W).
        decode: ``quarter``: a quarter of a cell toward the higher neighbour on each axis, as the original;
            ``gaussian``: the top of the parabola through the logarithms of the maximum and its two neighbours, exact
            for the Gaussians that FAN is trained on. Maxima on the border are not refined, on either axis.

    Returns:
        (..., 2) column and row in cells, cell centres at k + 0.5; (...) the maxima. Of equal maxima the first counts.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.reshape(-1, height * width)
    best = flat.argmax(1)
    rows, columns = np.divmod(best, width)
    index = np.arange(len(flat))
    maps = flat.reshape(-1, height, width)
    value = flat[index, best].astype(np.float64)
    inside = (columns > 0) & (columns < width - 1) & (rows > 0) & (rows < height - 1)
    # Border maxima read their own cell instead of a neighbour, which makes their refinement zero.
    step = inside.astype(np.int64)
    offsets = []
    for d_row, d_column in ((0, 1), (1, 0)):
        after = maps[index, rows + d_row * step, columns + d_column * step].astype(np.float64)
        before = maps[index, rows - d_row * step, columns - d_column * step].astype(np.float64)
        offsets.append(0.25 * np.sign(after - before) if decode == "quarter" else _parabola(before, value, after))
    cells = np.stack([columns, rows], 1) + 0.5 + np.stack(offsets, 1)
    return cells.reshape(*heatmaps.shape[:-2], 2), value.reshape(heatmaps.shape[:-2])


def _parabola(before: NDArray[np.float64], top: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    floor = np.maximum(1e-3 * top, 1e-12)  # keeps the logarithms finite
    low, mid, high = (np.log(np.maximum(part, floor)) for part in (before, top, after))
    curvature = low - 2 * mid + high
    flat = curvature > -1e-9
    return np.where(flat, 0.0, np.clip(0.5 * (low - high) / np.where(flat, 1.0, curvature), -0.5, 0.5))


def to_picture(cells: NDArray[np.floating], centre: NDArray[np.floating], scale: float) -> NDArray[np.float64]:
    """Map (..., 2) heat-map cells to picture pixels by the original's inverse transform (resolution 64)."""
    return np.asarray(centre, np.float64) + (np.asarray(cells, np.float64) / HEAT - 0.5) * (WINDOW * scale)


class Backend(Landmarker):
    """FAN on the boxes of MTCNN.

    ``settings.decode`` selects the decoding of :func:`peaks`; ``integer`` is that of the original: quarter cells, then
    truncation toward zero to whole pixels. Confidence is the height of the peak, about 0..1, clipped at 0.
    """

    needs = ("fan",)

    def __init__(self, settings: Landmarks, device: torch.device, net: nn.Module | None = None) -> None:
        """Load the weights, or take ``net``: a FAN with four stacks, or a module that returns the last stack's maps."""
        self.settings = settings
        self.refine = settings.refine
        self.device = device
        self.weights = {}
        if net is None:
            (net,) = self.load_needs(settings)
        self.dtype = arithmetic(settings.precision, device)
        self.precision = name_of(self.dtype)
        self.net = prepared(network.LastHeatmaps(net) if isinstance(net, network.FAN) else net, device, self.dtype)

    @classmethod
    def load(cls, path: Path) -> tuple[nn.Module, LoadReport]:
        """See :meth:`tvface.assets.backends.Weighted.load`."""
        return network.load(path)

    def find(
        self, crops: NDArray[np.uint8], boxes: NDArray[np.floating], reference: float = TIGHT_SCALE
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See :meth:`Landmarker.find`; ``reference`` is that of the boxes' detector (see :func:`window`)."""
        windows = [window(box, reference) for box in boxes]
        points = np.zeros((len(crops), 68, 2))
        confidence = np.zeros((len(crops), 68))
        for start in range(0, len(crops), self.settings.batch):
            part = range(start, min(start + self.settings.batch, len(crops)))
            heat = self.heatmaps(np.stack([cut(crops[i], *windows[i]) for i in part]))
            cells, value = peaks(heat, "gaussian" if self.settings.decode == "gaussian" else "quarter")
            confidence[start : start + len(part)] = np.maximum(value, 0)
            for row, i in enumerate(part):
                points[i] = to_picture(cells[row], *windows[i])
        if self.settings.decode == "integer":
            points = np.trunc(points)
        return points, confidence

    @torch.inference_mode()
    def heatmaps(self, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (N, 68, 64, 64) heat maps of the last stack for (N, 256, 256, 3) uint8 windows.

        With ``settings.flip`` they are averaged with those of the mirrored windows, mirrored back (the original adds
        them, which doubles its scores).
        """
        batch = (torch.from_numpy(windows).to(self.device).permute(0, 3, 1, 2).float() / 255).to(self.dtype)
        heat = self.net(batch)
        if self.settings.flip:
            mirror = torch.from_numpy(MIRROR).to(self.device)
            heat = (heat + self.net(batch.flip(-1))[:, mirror].flip(-1)) / 2
        maps: NDArray[np.float32] = heat.float().cpu().numpy()
        return maps
