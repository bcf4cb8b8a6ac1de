"""Poses and points of the human head, for its tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tvface.head.data import HeadData
from tvface.head.human import units
from tvface.head.model import HeadModel


def posed(
    model: HeadModel, head: HeadData, weights: Mapping[str, float], shape: np.ndarray | None = None
) -> np.ndarray:
    """Return the vertices (V,3) in mm with named units."""
    expression, jaw, eyes = units.controls(weights, head.notes["jaw_open_angle"])
    code = np.zeros(100) if shape is None else shape
    codes = (code, expression, np.concatenate([np.zeros(3), jaw]))
    tensors = [torch.tensor(np.asarray(value), dtype=torch.float32)[None] for value in codes]
    return model(*tensors, eyes=torch.from_numpy(eyes)[None]).vertices[0].numpy() * 1000


def points(vertices: np.ndarray, head: HeadData) -> np.ndarray:
    """Return the 68 points (68,3) of the 3D convention."""
    return np.einsum("nk,nkc->nc", head.full_bary, vertices[head.faces[head.full_faces]])
