"""Pictures, points and labels of a view move together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tvface.bundled.augment import Views, frame, occlude, recolour
from tvface.bundled.samples import Samples
from tvface.bundled.tasks import LandmarkTask, ParserTask
from tvface.conventions.classes import MIRROR as MIRROR_CLASSES
from tvface.conventions.points68 import MIRROR


def _marked(count: int, size: int = 128) -> Samples:
    """One bright pixel-sized blob per crop at point 17's place, of class 2 (left brow), other points around it."""
    rng = np.random.default_rng(0)
    points = rng.uniform(40, 88, (count, 68, 2)).astype(np.float32)
    y, x = np.mgrid[:size, :size]
    blob = np.stack([np.exp(-((x - p[17, 0]) ** 2 + (y - p[17, 1]) ** 2) / 8) for p in points])
    images = np.repeat((255 * blob).astype(np.uint8)[..., None], 3, 3)
    return Samples(images, points, np.where(blob > 0.2, 2, 0).astype(np.uint8))


def _centroid(weight: torch.Tensor) -> torch.Tensor:
    height, width = weight.shape[-2:]
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    total = weight.sum((1, 2))
    return torch.stack([(weight.sum(1) @ x) / total, (weight.sum(2) @ y) / total], 1)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_the_marked_point_stays_on_its_mark(seed: int | None) -> None:
    samples = _marked(32)
    task = LandmarkTask()
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    views = frame(
        torch.from_numpy(samples.images),
        torch.from_numpy(samples.points),
        torch.from_numpy(samples.labels),
        replace(task.framing, window=2.0),
        task.size,
        generator,
    )
    shown = _centroid(views.images.mean(1) ** 2)
    classes = [set(torch.unique(label).tolist()) - {0} for label in views.labels]
    assert all(len(shown_classes) == 1 for shown_classes in classes)
    mirrored = torch.tensor([shown_classes == {int(MIRROR_CLASSES[2])} for shown_classes in classes])
    index = torch.where(mirrored, int(MIRROR[17]), 17)
    points = views.points[torch.arange(32), index]
    assert (shown - points).abs().max() < 0.004, "half a pixel of 128"
    labelled = _centroid((views.labels > 0).float())
    assert (labelled - points).abs().max() < 0.008
    assert mirrored.any() == (seed is not None) and not mirrored.all()


def test_plain_views_are_centred_and_of_the_stated_side() -> None:
    samples = _marked(4)
    task = ParserTask()
    views = next(samples.plain_batches(task, 4))
    low, high = views.points.amin(1), views.points.amax(1)
    assert torch.allclose((low + high) / 2, torch.full((4, 2), 0.5), atol=1e-5)
    from tvface.conventions.boxes import BOX_SIDE

    expected = 1 / (task.framing.window * BOX_SIDE)
    assert torch.allclose((high - low).mean(1), torch.full((4,), expected), atol=1e-5)


def test_recolouring_stays_in_range_and_follows_the_seed() -> None:
    images = torch.rand(10, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    first, second, other = (recolour(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.min() >= 0 and first.max() <= 1
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_an_occluder_is_background_in_the_labels() -> None:
    views = Views(torch.zeros(50, 3, 64, 64), torch.zeros(50, 68, 2), torch.ones(50, 64, 64).long(), torch.ones(50))
    covered = occlude(views, torch.Generator().manual_seed(0), part=0.5)
    gone = covered.labels == 0
    share = gone.flatten(1).any(1).float().mean()
    assert 0.25 < share < 0.75
    assert not (covered.images.amax(1) > 0)[~gone].any(), "the picture changes only where the labels do"
    assert occlude(views, torch.Generator().manual_seed(0), part=0.0).labels.min() == 1
