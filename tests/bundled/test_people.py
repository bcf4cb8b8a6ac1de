"""Training faces on disk and in batches; what may change of a face, and what stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tvface.bundled import people
from tvface.bundled.people import People
from tvface.bundled.rims import INNER, cover, ellipse, jitter, replace_rims, shade
from tvface.bundled.samples import SamplesError


def plain(count: int, each: int = 4, size: int = 16) -> People:
    """Every person has a different grey."""
    person = np.repeat(np.arange(count, dtype=np.int32), each)
    images = np.broadcast_to((20 + 10 * person)[:, None, None, None], (len(person), size, size, 3)).astype(np.uint8)
    return People(images, person, np.tile(np.arange(each, dtype=np.int32) // 2, count))


def store(faces: People, path: Path) -> None:
    np.savez(path, images=faces.images, person=faces.person, take=faces.take)


def test_people_are_numbered_through_all_shards(tmp_path: Path) -> None:
    store(plain(3), tmp_path / "people_0000.npz")
    store(plain(2), tmp_path / "people_0001.npz")
    read = people.load(tmp_path)
    assert read.count == 5 and len(read) == 20
    assert read.person.tolist() == np.repeat(np.arange(5), 4).tolist()
    assert read.take.tolist() == [0, 0, 1, 1] * 5


def test_held_out_people_are_never_trained_on() -> None:
    kept, held_out = plain(5).split(2)
    assert kept.count == 3 and held_out.count == 2 and held_out.person.min() == 0
    assert set(kept.images.ravel()) == {20, 30, 40} and set(held_out.images.ravel()) == {50, 60}
    with pytest.raises(SamplesError, match="make more"):
        plain(3).split(3)


def test_faces_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="no shards"):
        people.load(tmp_path)
    np.savez(tmp_path / "people_0000.npz", images=np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(SamplesError, match="without person, take"):
        people.load(tmp_path)
    np.savez(tmp_path / "people_0000.npz", images=np.zeros((2, 8, 8, 3), np.uint8), person=[0], take=[0, 0])
    with pytest.raises(SamplesError, match="different lengths"):
        people.load(tmp_path)


def test_batches_keep_faces_and_people_together() -> None:
    faces = plain(6)
    seen = np.concatenate([views.person.numpy() for views in faces.plain_batches(None, 7)])
    assert seen.tolist() == faces.person.tolist()
    for views in faces.plain_batches(None, 5):
        assert torch.allclose(views.images.mean((1, 2, 3)) * 255, 20 + 10 * views.person.float(), atol=1e-3)
    first = faces.training_batches(None, 8, torch.Generator().manual_seed(0))
    again = faces.training_batches(None, 8, torch.Generator().manual_seed(0))
    rounds = [next(first) for _ in range(3)]
    assert sorted(torch.cat([views.person for views in rounds]).tolist()) == sorted(faces.person.tolist())
    assert torch.equal(rounds[0].images, next(again).images)
    assert all(views.images.min() >= 0 and views.images.max() <= 1 for views in rounds)


def test_a_new_rim_leaves_the_inner_face() -> None:
    images = torch.rand(64, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    changed = replace_rims(images, torch.Generator().manual_seed(0), part=0.5)
    half = torch.tensor([INNER]) * 0.8
    inside = (ellipse(half, 48) > 0.5).expand(64, 3, 48, 48)
    assert (changed - images)[inside].abs().max() < 0.02
    moved = (changed[:, :, :4, :4] - images[:, :, :4, :4]).abs().amax((1, 2, 3)) > 0.05
    assert 0.3 < moved.float().mean() < 0.7


def test_jitter_is_small_and_mirrors_every_other_one() -> None:
    ramp = torch.linspace(0.2, 0.8, 48).expand(64, 3, 48, 48)
    moved = jitter(ramp, torch.Generator().manual_seed(0))
    rising = moved[:, :, 24, 36].mean(1) > moved[:, :, 24, 12].mean(1)
    assert 0.3 < rising.float().mean() < 0.7
    straight = torch.where(rising[:, None, None, None], moved, moved.flip(-1))
    assert (straight - ramp)[:, :, 8:-8, 8:-8].abs().max() < 0.08


def test_light_and_covers_stay_in_range() -> None:
    images = torch.full((40, 3, 32, 32), 0.5)
    lit = shade(images, torch.Generator().manual_seed(0))
    assert lit.min() >= 0 and lit.max() <= 1 and not torch.equal(lit, images)
    assert torch.allclose(lit.mean((2, 3)), images.mean((2, 3)), atol=0.08), "a ramp, not another exposure"
    covered = (cover(images, torch.Generator().manual_seed(0), part=0.5) != images).any(1)
    assert 0.2 < covered.flatten(1).any(1).float().mean() < 0.8
    assert covered.float().mean((1, 2)).max() < 0.15
    assert torch.equal(cover(images, torch.Generator().manual_seed(0), part=0.0), images)
