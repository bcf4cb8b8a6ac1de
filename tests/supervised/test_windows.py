"""Windows of shots: deterministic, framed with their truth, damaged frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tvface.conventions.face_mask import PAPER_TOOL
from tvface.flow.dis import Backend as Dis
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.model.clips import CPU
from tvface.settings.model import Flow
from tvface.supervised.lesson import FaceTruth
from tvface.supervised.shots import Shots
from tvface.supervised.windows import ShotSampler, conditioned, cut, stacked


def sampler(some: Shots, lengths: tuple[int, ...] = (5,), seed: int = 0) -> ShotSampler:
    return ShotSampler([some], 32, lengths, 20, seed, PAPER_TOOL)


def test_a_batch_is_a_function_of_seed_and_step(some: Shots) -> None:
    first, again = sampler(some), sampler(some)
    again.window(3)
    one, two, other = first.window(7), again.window(7), first.window(8)
    assert one.images.shape == (4, 5, 3, 32, 32) and one.flows_backward.shape == (4, 4, 2, 16, 16)
    assert torch.equal(one.images, two.images) and torch.equal(one.flows_forward, two.flows_forward)
    assert one.names == two.names == first.names(7)
    assert not torch.equal(one.images, other.images)
    assert not torch.equal(one.images, sampler(some, seed=1).window(7).images)


def test_lengths_vary_within_the_budget(some: Shots) -> None:
    drawn = sampler(some, (1, 5, 10))
    shapes = {drawn.window(step).images.shape[:2] for step in range(12)}
    assert shapes == {(20, 1), (4, 5), (2, 10)}
    with pytest.raises(ValueError, match="no shot has 11 frames"):
        sampler(some, (11,)).window(0)


def test_truth_moves_with_the_frame(some: Shots, head: HeadData) -> None:
    """The true vertices, projected by the window's camera, meet the window's points."""
    square = (50, np.array([6, 9]))
    frames = cut(some, 1, 2, 3, 32, PAPER_TOOL, "clean", square)
    window = stacked([frames], ("x",), Dis(Flow(), CPU))
    model = HeadModel(head, head.shape_basis.shape[2], head.expression_basis.shape[2])
    joints = window.joints[0]
    pose = torch.cat([joints[:, :3], joints[:, 6:9]], 1)
    out = model(window.shape[0], window.expression[0], pose, joints[:, 3:6], joints[:, 9:])
    place = out.landmarks2d + window.translation[0][:, None]
    camera = window.camera[0][:, None]
    pixels = camera[..., 1:] + camera[..., :1] * place[..., :2] / -place[..., 2:] * torch.tensor([1.0, -1.0])
    normalised = (pixels + 0.5) / 32 * 2 - 1
    # Nose, mouth and brows are fixed vertices; annotators put jaw and eye corners elsewhere.
    apart = (normalised - window.landmarks[0])[:, 27:36].norm(dim=-1) * 16
    assert float(apart.max()) < 0.6, apart


def test_damage_hits_the_frames_it_should(some: Shots) -> None:
    hit = [False, True, False, False, True]
    frames = conditioned(some, 2, 32, PAPER_TOOL, "dark", hit, 5, 0)
    changed = [not np.array_equal(a, b) for a, b in zip(frames.pictures, frames.target, strict=True)]
    assert changed == hit
    clean = conditioned(some, 2, 32, PAPER_TOOL, None, hit, 5, 0)
    assert all(np.array_equal(a, b) for a, b in zip(clean.pictures, clean.target, strict=True))


def test_the_face_truth_is_the_heads(some: Shots, head: HeadData) -> None:
    model = HeadModel(head, head.shape_basis.shape[2], head.expression_basis.shape[2])
    face = FaceTruth(head, model)
    window = sampler(some).window(0)
    posed = face.posed(window)
    joints = window.joints.flatten(0, 1)
    pose = torch.cat([joints[:, :3], joints[:, 6:9]], 1)
    shape, expression = window.shape.flatten(0, 1), window.expression.flatten(0, 1)
    whole = model(shape, expression, pose, joints[:, 3:6], joints[:, 9:]).vertices
    apart = torch.cdist(posed[:1].double(), whole[:1].double()).amin(2)
    assert float(apart.max()) < 1e-6 and posed.shape == (20, face.count, 3)
    neutral = face.neutral(shape)
    assert float(neutral.mean(1).abs().max()) < 1e-6
