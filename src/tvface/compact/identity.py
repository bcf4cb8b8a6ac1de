"""What the identity network learns: a margin softmax over the training people, judged on people it has not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tvface.compact.augment import Framing
from tvface.compact.people import FaceViews
from tvface.compact.tasks import Task
from tvface.compact.weights import IDENTITY
from tvface.embedders.base import unit
from tvface.evaluation.verification import pairs, verify
from tvface.mining.people import cluster
from tvface.networks.compact import CompactIdentity

SHOW = 10  # held-out people per made-up show, for the distance between tracks of one person
GRID = np.arange(0.4, 1.41, 0.02)


class CosFace(nn.Module):
    """Large margin cosine loss (Wang et al., CVPR 2018): softmax over people, the own one's cosine less a margin."""

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
        """``people`` is how many are trained on."""
        self.head = CosFace(people, 128)

    def network(self) -> CompactIdentity:
        return CompactIdentity()

    def loss(self, output: Tensor, views: FaceViews) -> Tensor:
        return self.head(output, views.person)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def judge(self, net: nn.Module, batches: Iterable[FaceViews]) -> dict[str, Any]:
        vectors, person, take = [], [], []
        for views in batches:
            vectors.append((net(views.images) + net(views.images.flip(-1))).float())
            person.append(views.person)
            take.append(views.take)
        return figures(
            unit(torch.cat(vectors).numpy()), torch.cat(person).numpy(), torch.cat(take).numpy().astype(np.int64)
        )


def figures(vectors: NDArray[np.float32], person: NDArray[np.int64], take: NDArray[np.int64]) -> dict[str, float]:
    """Return how well the vectors (N, D) of people in takes are told apart, and the distances to use.

    A take counts as a track. Pairs of one person are of different takes. The distance between tracks of one person is
    that of the best mean pairwise F1 over shows of ten people, clustered as :mod:`tvface.mining.people` does; those to
    a track and within a sequence leave 1 % of the pairs of one take out.
    """
    single = verify(*pairs(vectors, person, take))
    tracks, of_track = np.unique(np.stack([person, take], 1), axis=0, return_inverse=True)
    of_track = of_track.ravel()
    means = unit(np.stack([vectors[of_track == track].mean(0) for track in range(len(tracks))]))
    joined = verify(*pairs(means, tracks[:, 0], tracks[:, 1]))
    own, _ = pairs(vectors, of_track, np.arange(len(vectors)))
    f1 = _clustered(means, tracks[:, 0])
    return {
        "ROC area": single.area,
        "ROC area of tracks": joined.area,
        "equal error %": 100 * single.equal_error,
        "equal error of tracks %": 100 * joined.equal_error,
        "found at 1 % false %": 100 * single.true_accepts,
        "found at 1 % false, tracks %": 100 * joined.true_accepts,
        "pairwise F1 of shows": float(f1.max()),
        "distance between tracks": float(GRID[f1.argmax()]),
        "distance within a take, 99 %": float(np.percentile(own, 99)),
    }


def _clustered(means: NDArray[np.float32], person: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean pairwise F1 over made-up shows for each distance of the grid; zeros without enough people for one."""
    scores = []
    for first in range(0, int(person.max()) + 1 - SHOW + 1, SHOW):
        rows = (person >= first) & (person < first + SHOW)
        free = np.zeros((int(rows.sum()),) * 2, bool)
        upper = np.triu_indices(len(free), 1)
        same = (person[rows][:, None] == person[rows])[upper]
        labels = [cluster(means[rows], free, threshold) for threshold in GRID]
        found = [(label[:, None] == label)[upper] for label in labels]
        scores.append([2 * (same & joined).sum() / (same.sum() + joined.sum()) for joined in found])
    return np.mean(scores, axis=0) if scores else np.zeros(len(GRID))
