"""One wrong formula in tvface per reference file: the file's check catches it, by a number that is off.

The tolerances are measured (:mod:`tests.reference.checks.rounding`), so a test must say that they are no excuse. The
errors are of the kinds that get into code: a constant off by a thousandth, a sign, an axis, a step left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.reference import checks
from tests.reference.arrays import ROOT, SHARED
from tests.reference.checks.sheet import Folder, Sheet

Plant = Callable[[pytest.MonkeyPatch], None]
THOUSANDTH = 1.001


def value(path: str, wrong: Any) -> Plant:
    """Replace a constant."""
    return lambda patch: patch.setattr(path, wrong)


def result(path: str, change: Callable[[Any], Any]) -> Plant:
    """Change what a function returns."""
    return _wrapped(path, lambda right: lambda *args, **named: change(right(*args, **named)))


def argument(path: str, place: int, change: Callable[[Any], Any]) -> Plant:
    """Change an argument of a function."""

    def wrap(right: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **named: right(*args[:place], change(args[place]), *args[place + 1 :], **named)

    return _wrapped(path, wrap)


def _wrapped(path: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Plant:
    from pkgutil import resolve_name

    owner, _, name = path.rpartition(".")
    return lambda patch: patch.setattr(resolve_name(owner), name, wrap(getattr(resolve_name(owner), name)))


class _Steeper(torch.autograd.Function):
    """The same value with a gradient that is a thousandth too large."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return THOUSANDTH * gradient


class _LooseNorm(torch.nn.BatchNorm2d):
    """Batch normalisation with another epsilon."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)


def _scaled(x: Any) -> Any:
    return x * THOUSANDTH


def _only_first_step(plant: Plant) -> Plant:
    """In the step's check: without the pictures before it, which have files of their own."""

    def patch_both(patch: pytest.MonkeyPatch) -> None:
        plant(patch)
        patch.setattr("tests.reference.checks.steps._coarse_values", lambda run: None)

    return patch_both


HEAD, NETWORKS = "tests.reference.checks.head", "tests.reference.checks.networks"
PLANTED: dict[str, Plant] = {
    # The camera's scale; a pixel of a crop's side; epsilons of normalisations; the angle of a rotation.
    "deca/camera.npz": argument(f"{HEAD}.project", 1, lambda camera: camera * torch.tensor([THOUSANDTH, 1, 1])),
    "deca/data.npz": argument("tests.reference.deca_crops.square_transform", 1, lambda side: side + 1),
    "deca/encoder.npz": value("tvface.networks.resnet.nn.BatchNorm2d", _LooseNorm),
    "deca/flame_free.npz": argument("tvface.head.model.rodrigues", 0, _scaled),
    "deca/generator.npz": value("tvface.networks.detail_decoder.STAGE_EPS", 0.801),
    # RGB where the network takes BGR; a pair of points of the eyes; the width of a similarity.
    "deca/identity.npz": argument("tvface.networks.vggface2.preprocess", 0, lambda images: images.flip(1)),
    "deca/losses.npz": value("tvface.losses.eye.UPPER", (37, 38, 43, 43)),
    "deca/mrf.npz": value("tvface.losses.mrf.SIGMA", 0.5 * THOUSANDTH),
    # Pixel centres a hundredth of a pixel off; the length of normals; the gradient of a loss; RGB or BGR again.
    "deca/render_free.npz": result("tvface.rendering.rasterizer._centres", lambda centres: centres + 0.02 / 224),
    "deca/shading_free.npz": result("tests.reference.checks.rendering.vertex_normals", lambda n: n * THOUSANDTH),
    "deca/steps.npz": _only_first_step(argument("tvface.losses.landmark.landmark_loss", 0, _Steeper.apply)),
    "deca/texture.npz": result("tvface.head.albedo.AlbedoModel.forward", lambda albedo: albedo.flip(1)),
    "deca/uv_free.npz": argument("tvface.rendering.renderer.Renderer.detail_normals", 1, _scaled),
    "net/bisenet.npz": argument("tvface.networks.bisenet._resize", 0, _scaled),
    "net/bisenet_yakhyo.npz": argument("tvface.networks.bisenet._resize", 0, _scaled),
    # A residue's bound; a mask's weight; a margin; left and right; the window and its cells; x and y of a flow.
    "net/deform_align.npz": argument("tvface.networks.alignment.torch.tanh", 0, _scaled),
    "net/deform_conv2d.npz": argument("tvface.networks.deformable.deform_conv2d", 4, _scaled),
    "net/extract_face.npz": argument("tests.reference.checks.people.box_crop", 2, lambda margin: margin + 1),
    "net/face_mask.npz": argument("tests.reference.checks.parsing.mask_of", 0, lambda labels: labels[:, ::-1]),
    "net/fan.npz": value("tests.reference.checks.landmarks.MIRROR", np.arange(68)),
    "net/fan_crop.npz": value("tvface.landmarkers.fan.CENTRE_UP", 0.12 * THOUSANDTH),
    "net/fan_decode.npz": value("tvface.landmarkers.fan.WINDOW", 200.0 * THOUSANDTH),
    "net/flow_warp.npz": argument("tests.reference.checks.warp.flow_warp", 1, lambda flow: flow.flip(1)),
    "net/inception_resnet_v1.npz": argument("tvface.embedders.inception_resnet.forward", 1, _scaled),
    # The shift of a box; the slope of a rectifier; the step of a pyramid.
    "net/mtcnn_detect.npz": argument("tvface.detectors.cascade.shifted", 1, lambda offsets: 0.98 * offsets),
    "net/mtcnn_nets.npz": argument("tvface.detectors.mtcnn_networks.F.prelu", 1, _scaled),
    "net/mtcnn_stages.npz": value("tvface.detectors.cascade.FACTOR", 0.71),
    # Slopes again; flows, of frames in the wrong order and a thousandth too long.
    "net/propagation_t1.npz": value("tvface.networks.residual.SLOPE", 0.1 * THOUSANDTH),
    "net/propagation_t2.npz": argument("tvface.networks.propagation.flow_warp", 1, _scaled),
    "net/propagation_t5.npz": result("tvface.networks.propagation.compose", lambda flows: flows.flip(1)),
    "net/residual_blocks.npz": value("tvface.networks.residual.SLOPE", 0.1 * THOUSANDTH),
    "net/spynet_fill.npz": argument("tvface.networks.spynet.flow_warp", 1, _scaled),
}


class Caught(Exception):
    """The first line that failed."""


class _Impatient(Sheet):
    def add(self, name: str, *numbers: Any) -> None:
        """Write a line; stop at the first that fails."""
        super().add(name, *numbers)
        if not self.lines[-1].passed:
            raise Caught(self.lines[-1])


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_caught_by(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name](monkeypatch)
    monkeypatch.setattr("tests.reference.checks.rounding.RUNS", 1)
    with pytest.raises(Caught) as caught:
        checks.check_file(Folder(ROOT, SHARED / "licensed" / "deca", SHARED / "weights"), name, _Impatient)
    (line,) = caught.value.args
    assert math.isfinite(line.absolute) and line.absolute > 0, f"a number is off, not the form of an array: {line}"
    # Not by a hair: what is caught here is caught by the tolerances of any processor.
    assert line.relative > 2 * line.share, str(line)


def test_every_file_has_its_error() -> None:
    assert set(PLANTED) == {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*.npz")}
