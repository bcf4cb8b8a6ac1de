"""Area resampling of many windows of a batch of pictures with one summed-area table (Crow, SIGGRAPH 1984).

A window of n pixels becomes m: pixel i of the result is the mean of pixels ``floor(i n / m)`` to
``ceil((i + 1) n / m) - 1``, on both axes. That is torch's ``interpolate(mode="area")``, with which facenet-pytorch
resizes, and it holds for enlargement too. torch reads every pixel of the picture again for every size and window; here
a mean costs four look-ups in the table. Sums are integers, so the means are exact up to their last rounding. In
pictures of more than 16 million pixels the table wraps around at 2^32, which does not affect differences of entries.
"""

from __future__ import annotations

import cv2
import torch


class AreaSampler:
    """Resizes windows of pictures of one size.

    Args:
        pictures: (B, H, W, 3) uint8 on any device.
    """

    def __init__(self, pictures: torch.Tensor) -> None:
        self.count, self.height, self.width = pictures.shape[:3]
        self.device = pictures.device
        self._sums = pictures.new_zeros((self.count, self.height + 1, self.width + 1, 3), dtype=torch.int32)
        if self.device.type == "cpu":
            for picture, table in zip(pictures.numpy(), self._sums.numpy(), strict=True):
                cv2.integral(picture, table, sdepth=cv2.CV_32S)
        else:
            self._sums[:, 1:, 1:] = pictures.cumsum(1, dtype=torch.int32).cumsum(2, dtype=torch.int32)

    def resized(self, height: int, width: int, pictures: slice = slice(None)) -> torch.Tensor:
        """Return whole pictures at another size, (B, 3, height, width) float32 in 0..255, channels last."""
        top, bottom = _edges(self.height, height, self.device)
        left, right = _edges(self.width, width, self.device)
        area = ((bottom - top)[:, None] * (right - left)).to(torch.float32)
        rows = self._sums[pictures].index_select(1, bottom) - self._sums[pictures].index_select(1, top)
        sums = rows.index_select(2, right) - rows.index_select(2, left)
        return (sums.to(torch.float32) / area[..., None]).permute(0, 3, 1, 2)

    def crops(self, pictures: torch.Tensor, windows: torch.Tensor, side: int) -> torch.Tensor:
        """Return windows as squares.

        Args:
            pictures: (N,) int64, the picture of each window.
            windows: (N, 4) int64 x0, y0, x1, y1; columns x0 .. x1 - 1 and rows y0 .. y1 - 1, at least one of each,
                inside the picture.
            side: of the result.

        Returns:
            (N, 3, side, side) float32 in 0..255, channels last.
        """
        x0, y0, x1, y1 = (value[:, None] for value in windows.unbind(1))
        left, right = (x0 + edge for edge in _edges(x1 - x0, side, self.device))
        top, bottom = (y0 + edge for edge in _edges(y1 - y0, side, self.device))
        flat = self._sums.view(-1, 3)

        def at(edge: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            place = edge + other
            return flat.index_select(0, place.reshape(-1)).view(*place.shape, 3)

        start = pictures[:, None] * (self.height + 1)
        above, below = (((start + edge) * (self.width + 1))[:, :, None] for edge in (top, bottom))
        left, right = left[:, None], right[:, None]
        sums = at(below, right) - at(below, left) - at(above, right) + at(above, left)
        area = ((bottom - top)[:, :, None] * (right - left)).to(torch.float32)
        return (sums.to(torch.float32) / area[..., None]).permute(0, 3, 1, 2)


def _edges(size: int | torch.Tensor, cells: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first pixel of each cell and the one after its last, (..., cells) int64; sizes are (..., 1)."""
    cell = torch.arange(cells, device=device)
    return cell * size // cells, -(-(cell + 1) * size // cells)
