"""The identity task learns to separate people, and measures the distances to use on held-out people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from tests.bundled.test_people import store
from tvface.bundled.commands import COMMAND
from tvface.bundled.identity import CosFace, IdentityTask, figures
from tvface.bundled.people import People
from tvface.bundled.train import Recipe, main, train
from tvface.embedders.base import unit
from tvface.networks.bundles import IDENTITY, load_bundle
from tvface.networks.compact import CompactIdentity


def striped(count: int, each: int = 6, size: int = 96, seed: int = 0) -> People:
    """Every person is a different colour pattern, with noise."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(count, dtype=np.int32), each)
    patterns = rng.uniform(40, 215, (count, 6, 6, 3)).repeat(size // 6, 1).repeat(size // 6, 2)
    noise = rng.normal(0, 8, (len(person), size, size, 3))
    images = np.clip(patterns[person] + noise, 0, 255).astype(np.uint8)
    return People(images, person, np.tile(np.arange(each, dtype=np.int32) // 2, count))


class _Small(IdentityTask):
    def network(self) -> CompactIdentity:
        return CompactIdentity((8, 8, 16, 16), (0, 0, 0, 0))


def test_a_larger_margin_costs_more_and_the_own_centre_least() -> None:
    torch.manual_seed(0)
    loose, tight = CosFace(5, 8, margin=0.0), CosFace(5, 8, margin=0.4)
    tight.centres.data.copy_(loose.centres)
    centres = torch.nn.functional.normalize(loose.centres, dim=1)
    person = torch.arange(5)
    assert loose(centres, person) < tight(centres, person)
    assert tight(centres, person) < tight(centres, person.roll(1))
    by_hand = torch.nn.functional.cross_entropy(20 * (centres @ centres.T - 0.4 * torch.eye(5)), person)
    assert torch.allclose(tight(centres, person), by_hand)


def test_the_loss_falls_and_only_the_network_is_returned(tmp_path: Path) -> None:
    faces = striped(14, each=4)
    task = _Small(faces.count - 10)
    before = task.head.centres.detach().clone()
    net, curve = train(
        task, faces, Recipe(steps=15, batch=6, rate=1e-2, held_out=10, report_every=5, half=False), tmp_path / "c.pt"
    )
    assert curve[-1]["loss"] < 0.8 * curve[0]["loss"]
    assert not torch.equal(before, task.head.centres), "the centres are trained with the network"
    assert not any("centres" in name for name in net.state_dict())
    kept = torch.load(tmp_path / "c.pt", weights_only=True)
    assert torch.equal(kept["head"]["centres"], task.head.centres.detach())


def test_the_command_writes_weights_and_card(tmp_path: Path) -> None:
    store(striped(12, each=4), tmp_path / "people_0000.npz")
    words = ["identity", "--crops", str(tmp_path), "--steps", "2", "--batch", "4", "--held-out", "10"]
    (tmp_path / COMMAND).write_text(f"python -m tvface.bundled.faces --out {tmp_path}\n")
    main([*words, "--threads", "1", "--out", str(tmp_path)])
    bundle = load_bundle(tmp_path / IDENTITY)
    assert isinstance(bundle.net, CompactIdentity) and bundle.size == 96 and bundle.about["people"] == 12
    card = (tmp_path / IDENTITY).with_suffix(".md").read_text()
    assert bundle.sha256 in card and "of 12 people, the last 10 people held out" in card
    assert f"tvface.bundled.faces --out {tmp_path.name}\n" in card and "ROC area" in card
    assert str(tmp_path) not in card + json.dumps(bundle.about)
    assert (tmp_path / IDENTITY).stat().st_size < 4_000_000


def test_figures_of_vectors_that_are_right_and_of_noise() -> None:
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(20), 6)
    take = np.tile([0, 0, 1, 1, 2, 2], 20)
    centres = rng.normal(size=(20, 32))
    right = figures(unit(centres[person] + rng.normal(0, 0.3, (120, 32))), person, take)
    assert right["ROC area"] > 0.999 and right["best pairwise F1 of shows"] > 0.99
    assert 0.3 < right["distance within a take, 99 %"] < right["distance between tracks"] + 0.4
    assert right["pairwise precision at it"] > 0.99 and right["pairwise recall at it"] > 0.99
    noise = figures(unit(rng.normal(size=(120, 32))), person, take)
    assert 0.4 < noise["ROC area"] < 0.6 and noise["best pairwise F1 of shows"] < 0.5


def test_vectors_are_of_unit_length_and_blind_to_exposure() -> None:
    torch.manual_seed(0)
    net = CompactIdentity().eval()
    images = 0.3 + 0.4 * torch.rand(3, 3, 96, 96)
    with torch.inference_mode():
        vectors, darker = net(images), net(images * 0.7)
    assert vectors.shape == (3, 128) and torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert (vectors - darker).norm(dim=1).max() < 0.2 * torch.pdist(vectors).min() + 0.05
    assert sum(parameter.numel() for parameter in net.parameters()) < 1_000_000
