"""What the identity network learns: a margin softmax over the training people, judged on held-out people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tvface.bundled.augment import Framing
from tvface.bundled.people import FaceViews
from tvface.bundled.tasks import Task
from tvface.embedders.base import unit
from tvface.evaluation.verification import pairs, verify
from tvface.mining.people import cluster
from tvface.networks.bundles import IDENTITY
from tvface.networks.compact import CompactIdentity

SHOW = 10  # held-out people per made-up show, for the distance between tracks of one person
GRID = np.arange(0.1, 1.41, 0.02)


class CosFace(nn.Module):
    """Large margin cosine loss (Wang et al., CVPR 2018): softmax over people, the true one's cosine less a margin."""

    def __init__(self, people: int, dimension: int, scale: float = 20.0, margin: float = 0.25) -> None:
        super().__init__()
        start = torch.randn(people, dimension, generator=torch.Generator().manual_seed(0))
        self.centres = nn.Parameter(start * dimension**-0.5)
        self.scale, self.margin = scale, margin

    def forward(self, vectors: Tensor, person: Tensor) -> Tensor:
        """Return the mean loss of unit vectors (B, D) of the people ``person`` (B,) int64."""
        cosine = vectors @ F.normalize(self.centres, dim=1).T
        less = self.margin * F.one_hot(person, len(self.centres))
        return F.cross_entropy(self.scale * (cosine - less), person)


class IdentityTask(Task[FaceViews]):
    """Unit vectors that are near for one person, whatever the light, pose, clothes and surroundings."""

    name = "identity"
    file = IDENTITY
    size = 96
    framing = Framing(window=1.0, scale=0.06, shift=0.03, turn=0.07, up=0.0)

    def __init__(self, people: int) -> None:
        """Set up the loss for ``people``, the number of people in training."""
        self.head = CosFace(people, 128)

    def network(self) -> CompactIdentity:
        """See :meth:`tvface.bundled.tasks.Task.network`."""
        return CompactIdentity()

    def loss(self, output: Tensor, views: FaceViews) -> Tensor:
        """See :meth:`tvface.bundled.tasks.Task.loss`."""
        return self.head(output, views.person)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def judge(self, net: nn.Module, batches: Iterable[FaceViews]) -> dict[str, Any]:
        """See :meth:`tvface.bundled.tasks.Task.judge`."""
        vectors, person, take = [], [], []
        for views in batches:
            vectors.append((net(views.images) + net(views.images.flip(-1))).float())
            person.append(views.person)
            take.append(views.take)
        return figures(
            unit(torch.cat(vectors).numpy()), torch.cat(person).numpy(), torch.cat(take).numpy().astype(np.int64)
        )


def figures(vectors: NDArray[np.float32], person: NDArray[np.int64], take: NDArray[np.int64]) -> dict[str, float]:
    """Return how well an embedder separates people, and the distances to use as thresholds.

    A take counts as a track. Positive pairs come from different takes. The distance between tracks of one person has
    the best pairwise F0.5 over shows of ten people clustered as :mod:`tvface.mining.people` does. F0.5 weighs
    precision above recall: to split one person does less harm than to merge two. The distances within a take and to
    its mean are 99th percentiles.

    Args:
        vectors: (N, D) float32 unit vectors.
        person: (N,) int64.
        take: (N,) int64, number of the take within the person.
    """
    single = verify(*pairs(vectors, person, take))
    tracks, of_track = np.unique(np.stack([person, take], 1), axis=0, return_inverse=True)
    of_track = of_track.ravel()
    means = unit(np.stack([vectors[of_track == track].mean(0) for track in range(len(tracks))]))
    joined = verify(*pairs(means, tracks[:, 0], tracks[:, 1]))
    within_take, _ = pairs(vectors, of_track, np.arange(len(vectors)))
    precision, recall, f1 = _clustered(means, tracks[:, 0])
    careful = 1.25 * precision * recall / np.maximum(0.25 * precision + recall, 1e-9)  # F0.5
    best = int(careful.argmax())
    to_mean = np.linalg.norm(vectors - means[of_track], axis=1)
    return {
        "ROC area": single.area,
        "ROC area of tracks": joined.area,
        "equal error %": 100 * single.equal_error,
        "equal error of tracks %": 100 * joined.equal_error,
        "found at 1 % false %": 100 * single.true_accepts,
        "found at 1 % false, tracks %": 100 * joined.true_accepts,
        "best pairwise F1 of shows": float(f1.max()),
        "distance of it": float(GRID[f1.argmax()]),
        "distance between tracks": float(GRID[best]),
        "pairwise precision at it": float(precision[best]),
        "pairwise recall at it": float(recall[best]),
        "distance within a take, 99 %": float(np.percentile(within_take, 99)),
        "distance to a take's mean, 99 %": float(np.percentile(to_mean, 99)),
    }


def _clustered(
    means: NDArray[np.float32], person: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return pairwise precision, recall and F1, pooled over made-up shows, for each distance of the grid.

    Raises:
        ValueError: there are not enough people for one show.
    """
    correct, predicted, positives = np.zeros(len(GRID)), np.zeros(len(GRID)), 0
    for first in range(0, int(person.max()) + 1 - SHOW + 1, SHOW):
        rows = (person >= first) & (person < first + SHOW)
        free = np.zeros((int(rows.sum()),) * 2, bool)
        upper = np.triu_indices(len(free), 1)
        same = (person[rows][:, None] == person[rows])[upper]
        positives += int(same.sum())
        for place, threshold in enumerate(GRID):
            label = cluster(means[rows], free, threshold)
            joined = (label[:, None] == label)[upper]
            correct[place] += (same & joined).sum()
            predicted[place] += joined.sum()
    if not positives:
        raise ValueError(f"{int(person.max()) + 1} held-out people; made-up shows of {SHOW} need as many")
    precision = np.where(predicted > 0, correct / np.maximum(predicted, 1), 1.0)
    return precision, correct / positives, 2 * correct / (predicted + positives)
