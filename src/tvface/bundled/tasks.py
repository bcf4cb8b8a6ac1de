"""What the bundled networks learn: framing, loss, figures. One class per task; identity is in a module of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tvface.bundled.augment import Framing, Views
from tvface.conventions.classes import CLASSES as CLASS_NAMES
from tvface.conventions.face_mask import PAPER_TOOL
from tvface.networks.bundles import LANDMARKS, PARSER
from tvface.networks.compact import CLASSES, CompactLandmarks, CompactParser, soft_argmax


class Pictured(Protocol):
    """A batch: pictures (B, 3, s, s) in [0, 1], and the targets that a loss needs."""

    @property
    def images(self) -> Tensor:
        """Pictures, (B, 3, s, s) in [0, 1]."""


Batch = TypeVar("Batch", bound=Pictured)


class Task(ABC, Generic[Batch]):
    """One network to train: its file, input size, framing, loss and figures.

    ``head`` holds the parameters that only the loss needs; they are trained but not part of the weight file.
    """

    name: str
    file: str
    size: int
    framing: Framing
    occluded: float = 0.0  # part of the pictures that get an occluder
    head: nn.Module = nn.Identity()

    @abstractmethod
    def network(self) -> nn.Module:
        """Return the untrained network."""

    @abstractmethod
    def loss(self, output: Tensor, views: Batch) -> Tensor:
        """Return the scalar to minimise."""

    @abstractmethod
    def judge(self, net: nn.Module, batches: Iterable[Batch]) -> dict[str, Any]:
        """Return the figures on held-out views, for the log and the card."""

    def finish(self, net: nn.Module, batches: Iterable[Batch]) -> None:
        """Fit the parameters that are fitted after training, on held-out views."""


class LandmarkTask(Task[Views]):
    """68 points: mean distance plus cross-entropy of the heat maps with narrow Gaussians."""

    name = "landmarks"
    file = LANDMARKS
    size = 128
    framing = Framing(window=1.4, scale=0.15, shift=0.06, turn=0.3, up=0.8)
    occluded = 0.1
    sigma = 1.25  # of the target Gaussians, in heat-map cells
    eyes = 0.38  # outer eye distance of a frontal face in the mean framing, as a fraction of the window
    frontal = 0.8  # of that distance: faces with less are turned by some 45 degrees or more
    close = 0.05  # eye distances: an error below this counts as right, for the confidence

    def network(self) -> CompactLandmarks:
        """See :meth:`Task.network`."""
        return CompactLandmarks()

    def loss(self, output: Tensor, views: Views) -> Tensor:
        """See :meth:`Task.loss`."""
        predicted, _ = soft_argmax(output)
        inside = ((views.points > 0) & (views.points < 1)).all(-1)
        # Each face's own eye distance would shrink as the head turns, and profiles would dominate the loss.
        distance = (predicted - views.points).norm(dim=-1)[inside].mean() / self.eyes
        return 5 * distance + 0.2 * self._entropy(output, views.points)[inside].mean()

    def _entropy(self, output: Tensor, points: Tensor) -> Tensor:
        height, width = output.shape[-2:]
        x = torch.arange(width) + 0.5 - points[..., 0, None] * width
        y = torch.arange(height) + 0.5 - points[..., 1, None] * height
        columns = torch.softmax(-0.5 * (x / self.sigma) ** 2, -1)
        rows = torch.softmax(-0.5 * (y / self.sigma) ** 2, -1)
        target = rows[..., :, None] * columns[..., None, :]
        return -(target * output.flatten(2).log_softmax(-1).reshape(output.shape)).sum((2, 3))

    def judge(self, net: nn.Module, batches: Iterable[Views]) -> dict[str, Any]:
        """See :meth:`Task.judge`."""
        kept = list(batches)
        error, _ = self._errors(net, kept)
        whole = 100 * error.mean(1)
        front = torch.cat([views.eyes for views in kept]) > self.frontal * self.eyes
        return {
            "nme %": float(whole.mean()),
            "nme of faces near the front %": float(whole[front].mean()),
            "faces near the front %": float(100 * front.float().mean()),
            "nme median %": float(whole.median()),
            "nme inner 51 %": float(100 * error[:, 17:].mean()),
            "nme jaw %": float(100 * error[:, :17].mean()),
            "failures over 8 %": float(100 * (whole > 8).float().mean()),
        }

    @torch.inference_mode()
    def _errors(self, net: nn.Module, batches: Iterable[Views]) -> tuple[Tensor, Tensor]:
        errors, spreads = [], []
        for views in batches:
            predicted, spread = soft_argmax(net(views.images))
            errors.append((predicted - views.points).norm(dim=-1) / views.eyes[:, None])
            spreads.append(spread)
        return torch.cat(errors), torch.cat(spreads)

    def finish(self, net: nn.Module, batches: Iterable[Views]) -> None:
        """Fit the logistic that turns spread into the probability of an error below ``close`` (Newton steps)."""
        assert isinstance(net, CompactLandmarks)
        error, spread = self._errors(net, batches)
        x = torch.stack([torch.ones(error.numel()), -spread.flatten().clamp_min(1e-6).log()], 1).double()
        y = (error.flatten() < self.close).double()
        fit = torch.zeros(2, dtype=torch.float64)
        for _ in range(25):
            p = torch.sigmoid(x @ fit)
            weight = (p * (1 - p)).clamp_min(1e-6)
            fit = fit + torch.linalg.solve(x.T @ (x * weight[:, None]) + 1e-3 * torch.eye(2), x.T @ (y - p))
        net.calibration.copy_(fit.float())


class ParserTask(Task[Views]):
    """19 classes: weighted cross-entropy plus the overlap (soft Dice) of the classes in the picture."""

    name = "parser"
    file = PARSER
    size = 128
    framing = Framing(window=2.0, scale=0.25, shift=0.08, turn=0.25, up=0.0)
    occluded = 0.15

    def __init__(self, frequency: np.ndarray | None = None) -> None:
        """Weigh rare classes up by ``frequency``, (19,) part of the training pixels in each class."""
        rare = np.ones(CLASSES) if frequency is None else np.maximum(frequency, 1e-4) ** -0.3
        self.weights = torch.from_numpy((rare / rare[1]).clip(0.6, 4)).float()

    def network(self) -> CompactParser:
        """See :meth:`Task.network`."""
        return CompactParser()

    def loss(self, output: Tensor, views: Views) -> Tensor:
        """See :meth:`Task.loss`."""
        # A logit covers 2 x 2 labels. Picture i is compared at one of the four, another one for each i: a quarter of
        # the work of enlarging the logits, and unbiased on average.
        labels = torch.stack([label[i % 2 :: 2, i // 2 % 2 :: 2] for i, label in enumerate(views.labels)])
        entropy = F.cross_entropy(output, labels, self.weights)
        mass = output.softmax(1)
        hit = torch.zeros(CLASSES).index_add(0, labels.flatten(), mass.gather(1, labels[:, None]).flatten())
        count = torch.bincount(labels.flatten(), minlength=CLASSES)
        overlap = 2 * hit / (mass.sum((0, 2, 3)) + count).clamp_min(1)
        return entropy + 0.5 * (1 - overlap[count > 0]).mean()

    @torch.inference_mode()
    def judge(self, net: nn.Module, batches: Iterable[Views]) -> dict[str, Any]:
        """See :meth:`Task.judge`."""
        counts = torch.zeros(CLASSES, CLASSES, dtype=torch.int64)
        face = torch.zeros(CLASSES, dtype=torch.bool)
        face[list(PAPER_TOOL)] = True
        overlaps = []
        for views in batches:
            logits = F.interpolate(net(views.images), views.labels.shape[-2:], mode="bilinear", align_corners=False)
            predicted = logits.argmax(1)
            joint = views.labels.flatten() * CLASSES + predicted.flatten()
            counts += torch.bincount(joint, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
            ours, truth = face[predicted].flatten(1), face[views.labels].flatten(1)
            overlaps.append((ours & truth).sum(1) / (ours | truth).sum(1).clamp_min(1))
        hit, union = counts.diag().float(), (counts.sum(0) + counts.sum(1) - counts.diag()).float()
        present = counts.sum(1) > 0
        figures: dict[str, Any] = {"face mask IoU": float(torch.cat(overlaps).mean())}
        figures["mean IoU"] = float((hit / union)[present].mean())
        figures["pixel accuracy %"] = float(100 * hit.sum() / counts.sum())
        for index in torch.nonzero(present).flatten().tolist():
            figures[f"IoU {CLASS_NAMES[index]}"] = float(hit[index] / union[index])
        return figures


def class_frequency(labels: np.ndarray) -> np.ndarray:
    """Return the part of the pixels of (N, S, S) label maps in each of the 19 classes."""
    counts = np.bincount(labels.reshape(-1), minlength=CLASSES).astype(np.float64)
    return counts / counts.sum()


def plain(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return figures rounded to four digits, for cards and file metadata."""
    return {name: round(float(value), 4) for name, value in figures.items()}
