"""Spans of long windows: they cover, overlap, lie on a grid, and blocks give what the whole gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tests.training.conftest import bumpy_head
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.spans import SPAN, encode_spans, part_of, spans
from tvface.model.window import Window
from tvface.settings.model import ResidualEncoder


def test_spans_cover_and_overlap() -> None:
    assert spans(5) == [(0, 5)] and spans(10) == [(0, 10)]
    assert spans(11) == [(0, 10), (5, 11)] and spans(20) == [(0, 10), (5, 15), (10, 20)]
    assert spans(12, 3) == [(0, 7), (2, 12)], "numbers 3 .. 14: spans start at 0, 5"
    assert spans(6, 0, 1, 1) == [(k, k + 1) for k in range(6)]
    for count in range(1, 40):
        for first in range(11):
            parts = spans(count, first)
            assert parts[0][0] == 0 and parts[-1][1] == count
            assert all(b[0] < a[1] and a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(parts))
    for bad in ((0, 0), (3, 0, 4, 0), (3, 0, 4, 5)):
        with pytest.raises(ValueError, match="stride"):
            spans(*bad)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    sizes = {"width": 4, "layers": (1, 1, 1, 1), "hidden": 8}
    residual = ResidualEncoder(**sizes, channels=4, deform_groups=2, attention_width=8)
    model = FaceModel(ModelSpec("residual", 4, 2, 3, 32, 32, 32, 8.0, 0, residual=residual), bumpy_head())
    torch.nn.init.normal_(model.coarse_encoder.get_submodule("widen").weight, std=0.3)  # type: ignore[arg-type]
    return model.eval()


def window(frames: int) -> Window:
    generator = torch.Generator().manual_seed(0)
    flows = torch.randn(2, 1, frames - 1, 2, 16, 16, generator=generator)
    images = torch.rand(1, frames, 3, 32, 32, generator=generator)
    return Window(images, images[:, :, :1], torch.zeros(1, frames, 68, 2), flows[0], flows[1], ("x",))


@torch.no_grad()
def test_blocks_with_surroundings_give_what_the_whole_gives(model: FaceModel) -> None:
    whole = window(47)
    expected = encode_spans(model, whole, first=3).pose
    for start, stop in ((0, 16), (16, 32), (32, 47)):
        low, high = max(0, start - SPAN), min(47, stop + SPAN)
        got = encode_spans(model, part_of(whole, low, high), first=3 + low).pose
        np.testing.assert_allclose(got[start - low : stop - low], expected[start:stop], rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_codes_do_not_jump_where_a_span_ends(model: FaceModel) -> None:
    """Blending changes smoothly from one span to the next; side by side, the codes step at the border."""
    still = window(20)
    still = Window(still.images[:, :1].expand_as(still.images), *[getattr(still, n) for n in ("masks", "landmarks")],
                   0 * still.flows_backward, 0 * still.flows_forward, ("x",))  # fmt: skip
    apart, blended = (encode_spans(model, still, 0, 10, stride).shape for stride in (10, 5))
    jump = [float((codes[10] - codes[9]).norm()) for codes in (apart, blended)]
    assert jump[1] < 0.7 * jump[0]


@torch.no_grad()
def test_a_model_of_single_frames_needs_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    deca = FaceModel(ModelSpec("deca", 4, 2, 3, 32, 32, 32, 8.0, 0), bumpy_head()).eval()
    long = window(23)
    codes = encode_spans(deca, long)
    assert codes.pose.shape == (23, 6) and codes.detail is not None
    torch.testing.assert_close(codes.pose, deca.encode_coarse(long).pose)
