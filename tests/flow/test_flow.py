"""Backends agree on the direction of flow."""

import numpy as np
import pytest

from tests.reference.arrays import SHARED
from tests.training.footage import sliding
from tvface.flow import available, create
from tvface.flow.base import sequence_flow
from tvface.settings.base import SettingsError
from tvface.settings.model import Flow

SPYNET = SHARED / "weights" / "spynet_sintel_final.safetensors"


def backend(name: str):
    if name == "spynet" and not SPYNET.is_file():
        pytest.skip(f"needs SPyNet's weights at {SPYNET}")
    return create(name, Flow(weights_file=str(SPYNET)))


@pytest.mark.parametrize("name", ["dis", "spynet"])
def test_every_backend_points_from_a_frame_to_where_it_is_seen(name):
    clip = sliding("s", "e", "p", frames=2, size=96)
    flow = backend(name).flow(clip.images[:1], clip.images[1:])
    assert flow.shape == (1, 2, 96, 96) and flow.dtype == np.float32
    inner = flow[0, :, 24:-24, 24:-24].mean((1, 2))
    np.testing.assert_allclose(inner, [2, 1], atol=0.35)  # the picture slides 2 px right and 1 px down


@pytest.mark.parametrize("name", ["dis", "spynet"])
def test_a_still_picture_has_no_flow(name):
    clip = sliding("s", "e", "p", frames=1, size=64)
    assert np.abs(backend(name).flow(clip.images, clip.images)).mean() < 0.15


def test_one_frame_has_no_pairs():
    clip = sliding("s", "e", "p", frames=1)
    assert sequence_flow(backend("dis"), clip.images, 32, np.zeros(1, bool)).shape == (2, 0, 2, 32, 32)


def test_an_unknown_backend_lists_the_known_ones():
    with pytest.raises(SettingsError, match=r"dataset\.flow\.backend: 'raft' is not registered; valid: dis, spynet"):
        create("raft", Flow())
    assert available() == ["dis", "spynet"]


def test_crops_must_be_square():
    with pytest.raises(ValueError, match="square"):
        sequence_flow(backend("dis"), [np.zeros((4, 6, 3), np.uint8)] * 2, 32, np.zeros(2, bool))


@pytest.mark.parametrize("name", ["dis", "spynet"])
def test_flow_of_whole_crops_is_averaged_down(name):
    """The picture slides (2, 1) px at its own size, (1, 0.5) px on the grid of half the side."""
    clip = sliding("s", "e", "p", frames=2, size=96)
    flow = sequence_flow(backend(name), clip.images, 48, np.zeros(2, bool), "crop")
    assert flow.shape == (2, 1, 2, 48, 48) and flow.dtype == np.float16
    np.testing.assert_allclose(flow[0, 0, :, 12:-12, 12:-12].mean((1, 2)), [1, 0.5], atol=0.18)
    np.testing.assert_allclose(flow[1, 0, :, 12:-12, 12:-12].mean((1, 2)), [-1, -0.5], atol=0.18)
