"""What DECA's code does and its paper does not: each setting against the behaviour without it."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from tests.training.conftest import bumpy_head
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.settings.model import Original
from tvface.settings.phases import CoarseTerms
from tvface.training.loss_networks import LossNetworks
from tvface.training.phases import PhaseTask
from tvface.training.sampler import Sampler


@pytest.fixture
def window(project, tiny):
    rows = read(project / "dataset.parquet", DATASET).rows
    return Sampler(load_clips(rows[rows["split"] == "train"], 32, tiny.masks.classes), 2, 3, 0).window(0)


def build(tiny, phase: str, networks: LossNetworks | None = None, *, original: Original, **changes) -> PhaseTask:
    spec = dataclasses.replace(ModelSpec.of("deca", tiny.train, tiny.head, 0), original=original)
    settings = dataclasses.replace(getattr(tiny.train, phase), **changes)
    return PhaseTask(FaceModel(spec, bumpy_head()), phase, settings, networks)


def test_every_frame_counted_twice_weighs_penalties_double(tiny, window):
    """The penalties are sums over frames, the other terms means."""
    once, twice = (
        {k: float(v.detach()) for k, v in build(tiny, "pretrain", original=original)(window, 0).items()}
        for original in (Original(), Original(always_doubled=True))
    )
    assert set(once) == set(twice) == {"landmark", "eye", "lip", "shape", "expression"}
    for name, value in once.items():
        assert value > 0
        assert twice[name] == pytest.approx((2 if name in ("shape", "expression") else 1) * value, rel=1e-5), name


def test_the_photo_surrounds_the_head_of_the_identity_loss(tiny, window):
    """DECA's background pixels all point to the centre of the UV map, and so show one colour."""
    seen: list[torch.Tensor] = []

    def features_of(images, doubled):
        seen.append(images.detach())
        return images.flatten(1)

    networks = LossNetworks({"vggface2": SimpleNamespace(features_of=features_of)})  # type: ignore[arg-type]
    loss_weights = CoarseTerms(**dict.fromkeys(("landmark", "eye", "lip", "photometric", "shape", "expression"), 0.0))
    values = {}
    for constant in (False, True):
        seen.clear()
        original = Original(constant_identity_background=constant)
        task = build(tiny, "coarse", networks, original=original, loss_weights=loss_weights, consistency=False)
        with torch.no_grad():
            values[constant] = float(task(window, 0)["identity"])
        photo, overlay = seen
        corner = overlay[..., :3, :3] - photo[..., :3, :3]
        assert bool(corner.any()) is constant
    assert values[False] < values[True]
