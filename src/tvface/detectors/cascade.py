"""MTCNN's cascade (Zhang et al. 2016) over a batch of pictures, with the conventions of facenet-pytorch's ``detect``.

The networks propose (every 2 pixels of every level of a pyramid), refine (24 x 24 crops) and decide (48 x 48 crops).
The arithmetic between them follows the package number by number (``tests/detectors`` compares the two), including its
mixture of pixel conventions: proposals are floored and their corners inclusive, crops reach from ``x0 - 1`` to
``x1 - 1``, offsets scale with ``side + 1``, the overlap of the first NMS has no + 1, the last one has. Where two boxes
of one face have the same probability up to rounding, either may survive. Unlike in the package, crops of all pictures
are resized at once, and nothing loops over boxes.

Shape letters: B pictures, N boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torchvision.ops import batched_nms

from tvface.detectors.area import AreaSampler

CELL = 12  # side of the receptive field of the proposal network
STRIDE = 2
FACTOR = 0.709  # from one level of the pyramid to the next
# Input pixels per call of a network: its first maps should fit the caches of a CPU, or the memory of a GPU.
PIXELS = {"cpu": 2**15, "cuda": 2**24}

Network = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]


@dataclass(frozen=True)
class Boxes:
    """Candidates: picture (N,) int64, box (N, 4) float32 x0, y0, x1, y1 in pixels, probability (N,) float32."""

    picture: torch.Tensor
    box: torch.Tensor
    score: torch.Tensor

    def __getitem__(self, index: torch.Tensor) -> Boxes:
        return Boxes(self.picture[index], self.box[index], self.score[index])

    def after_nms(self, overlap: float) -> torch.Tensor:
        """Return the indices that survive, by decreasing score; pictures do not suppress each other."""
        return batched_nms(self.box, self.score, self.picture, overlap)


@dataclass(frozen=True)
class Cascade:
    """The three networks, the smallest face and the thresholds.

    ``proposal`` maps (B, 3, h, w) to the probability of a face (B, h', w') and the box offsets (B, 4, h', w');
    ``refinement`` (N, 3, 24, 24) to (N, 4) offsets, (N, 2) probabilities; ``output`` (N, 3, 48, 48) to (N, 4) offsets,
    (N, 10) points, (N, 2) probabilities. All take (grey level - 127.5) / 128.
    """

    proposal: Network
    refinement: Network
    output: Network
    min_face: float
    thresholds: Sequence[float]

    def __call__(self, pictures: torch.Tensor) -> tuple[Boxes, torch.Tensor]:
        """Find the faces of (B, H, W, 3) uint8 pictures: boxes, and points (N, 5, 2), unordered."""
        sampler = AreaSampler(pictures)
        boxes = self._proposed(sampler)
        boxes, windows = _inside(sampler, boxes)
        if not len(windows):
            return _nothing(boxes)
        offsets, probability = _on_crops(self.refinement, sampler, boxes, windows, 24)
        boxes, offsets = _over(boxes, probability, self.thresholds[1], offsets)
        kept = boxes.after_nms(0.7)
        boxes = boxes[kept]
        boxes = Boxes(boxes.picture, squares(shifted(boxes.box, offsets[kept])), boxes.score)
        boxes, windows = _inside(sampler, boxes)
        if not len(windows):
            return _nothing(boxes)
        offsets, points, probability = _on_crops(self.output, sampler, boxes, windows, 48)
        boxes, offsets, points = _over(boxes, probability, self.thresholds[2], offsets, points)
        placed = _placed(boxes.box, points)
        boxes = Boxes(boxes.picture, shifted(boxes.box, offsets), boxes.score)
        kept = nms_of_smaller(boxes, 0.7)
        return boxes[kept], placed[kept]

    def _proposed(self, sampler: AreaSampler) -> Boxes:
        levels = [self._level(sampler, scale) for scale in scales(sampler.height, sampler.width, self.min_face)]
        offsets = torch.cat([offsets for _, offsets in levels])
        boxes = Boxes(
            torch.cat([level.picture for level, _ in levels]),
            torch.cat([level.box for level, _ in levels]),
            torch.cat([level.score for level, _ in levels]),
        )
        level = torch.cat([torch.full_like(part.picture, index) for index, (part, _) in enumerate(levels)])
        kept = batched_nms(boxes.box, boxes.score, boxes.picture * len(levels) + level, 0.5)
        boxes, offsets = boxes[kept], offsets[kept]
        kept = boxes.after_nms(0.7)
        boxes, offsets = boxes[kept], offsets[kept]
        sides = (boxes.box[:, 2:] - boxes.box[:, :2]).repeat(1, 2)
        return Boxes(boxes.picture, squares(boxes.box + offsets * sides), boxes.score)

    def _level(self, sampler: AreaSampler, scale: float) -> tuple[Boxes, torch.Tensor]:
        height, width = int(sampler.height * scale + 1), int(sampler.width * scale + 1)
        step = max(1, PIXELS[sampler.device.type] // (height * width))
        parts = [
            self.proposal(_normalised(sampler.resized(height, width, slice(start, start + step))))
            for start in range(0, sampler.count, step)
        ]
        probability, offsets = (torch.cat(outputs) for outputs in zip(*parts, strict=True))
        picture, row, column = (probability >= self.thresholds[0]).nonzero(as_tuple=True)
        corner = torch.stack([column, row], 1).to(torch.float32) * STRIDE
        # The package adds 1 to both corners: boxes that hold their last pixel, in pixels counted from 1.
        box = torch.cat([corner + 1, corner + CELL], 1).div(scale).floor()
        return Boxes(picture, box, probability[picture, row, column]), offsets[picture, :, row, column]


def scales(height: int, width: int, min_face: float) -> Iterator[float]:
    """Yield the pyramid's scales, from the one at which ``min_face`` pixels become :data:`CELL`."""
    scale = CELL / min_face
    side = min(height, width) * scale
    while side >= CELL:
        yield scale
        scale *= FACTOR
        side *= FACTOR


def shifted(box: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Move the corners of (N, 4) boxes by offsets in units of their sides, the last pixel included."""
    sides = (box[:, 2:] - box[:, :2] + 1).repeat(1, 2)
    return box + offsets * sides


def squares(box: torch.Tensor) -> torch.Tensor:
    """Grow (N, 4) boxes to squares about their centres."""
    sides = box[:, 2:] - box[:, :2]
    side = sides.amax(1, keepdim=True)
    corner = box[:, :2] + sides * 0.5 - side * 0.5
    return torch.cat([corner, corner + side], 1)


def nms_of_smaller(boxes: Boxes, overlap: float) -> torch.Tensor:
    """Return the indices that survive NMS by the intersection over the smaller of two boxes, at most ``overlap``.

    Greedy by decreasing score, within pictures. Whether a box survives depends only on the better boxes that overlap
    it, so sweeps over all pairs at once settle the best boxes, then those that depend on them, and so on. Real faces
    need two or three sweeps.
    """
    # Of equal scores the last counts as the best, as in the package, whose probabilities are often 1 to all digits.
    order = boxes.score.argsort(stable=True).flip(0)
    box = boxes.box[order]
    sides = box[:, 2:] - box[:, :2] + 1
    area = sides.prod(1)
    low = torch.maximum(box[:, None, :2], box[None, :, :2])
    high = torch.minimum(box[:, None, 2:], box[None, :, 2:])
    shared = (high - low + 1).clamp_min(0).prod(2)
    beaten = shared / torch.minimum(area[:, None], area[None]) > overlap
    picture = boxes.picture[order]
    beaten = (beaten & (picture[:, None] == picture[None])).tril(-1)
    kept = torch.ones_like(picture, dtype=torch.bool)
    for _ in range(len(kept)):
        settled = ~(beaten & kept).any(1)
        if torch.equal(settled, kept):
            break
        kept = settled
    return order[kept]


def _inside(sampler: AreaSampler, boxes: Boxes) -> tuple[Boxes, torch.Tensor]:
    """Return the boxes that overlap their picture, ordered by picture, and their windows clipped to it."""
    boxes = boxes[boxes.picture.argsort(stable=True)]
    whole = boxes.box.trunc().long()
    low = whole[:, :2].clamp_min(1) - 1
    high = torch.minimum(whole[:, 2:], whole.new_tensor([sampler.width, sampler.height]))
    inside = (high > low).all(1)
    return boxes[inside], torch.cat([low, high], 1)[inside]


def _nothing(boxes: Boxes) -> tuple[Boxes, torch.Tensor]:
    return boxes, boxes.box.new_zeros((0, 5, 2))


def _on_crops(
    network: Network, sampler: AreaSampler, boxes: Boxes, windows: torch.Tensor, side: int
) -> tuple[torch.Tensor, ...]:
    step = max(1, PIXELS[sampler.device.type] // side**2)
    parts = [
        network(_normalised(sampler.crops(picture, window, side)))
        for picture, window in zip(boxes.picture.split(step), windows.split(step), strict=True)
    ]
    return tuple(torch.cat(outputs) for outputs in zip(*parts, strict=True))


def _normalised(grey: torch.Tensor) -> torch.Tensor:
    return grey.sub_(127.5).mul_(0.0078125)


def _over(boxes: Boxes, probability: torch.Tensor, threshold: float, *others: torch.Tensor) -> tuple[Any, ...]:
    score = probability[:, 1]
    passed = score > threshold
    return Boxes(boxes.picture[passed], boxes.box[passed], score[passed]), *(other[passed] for other in others)


def _placed(box: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Return points (N, 10), five x then five y in units of the box's sides, as (N, 5, 2) pixels."""
    sides = (box[:, 2:] - box[:, :2] + 1)[:, None]
    return points.reshape(-1, 2, 5).transpose(1, 2) * sides + box[:, None, :2] - 1
