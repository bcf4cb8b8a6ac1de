"""Every scalar loss with its gradient, in float32 and in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tests.reference.checks.rounding import as_array, norm
from tests.reference.checks.sheet import DOUBLE, Sheet
from tests.reference.euler_jaw import axis_angle_of_euler, jaw_closed_loss, jaw_roll_loss
from tvface.losses.detail_photometric import detail_photometric_loss
from tvface.losses.displacement import displacement_loss
from tvface.losses.eye import eye_loss
from tvface.losses.landmark import WEIGHTS, landmark_loss
from tvface.losses.lip import lip_loss
from tvface.losses.photometric import photometric_loss
from tvface.losses.regularisation import code_energy, light_loss
from tvface.losses.smoothness import smoothness_loss
from tvface.losses.symmetry import erode, symmetry_loss

ONES = (1.0,) * 68


def scalar(
    sheet: Sheet,
    key: str,
    loss: Callable[..., torch.Tensor],
    name: str,
    *others: str,
    absolute: float = 0.0,
    take: Callable[[np.ndarray], np.ndarray] = lambda gradient: gradient[..., ::4, ::4],
) -> None:
    """Compare a loss of the input ``name`` (which gets the gradient) and ``others``: value, gradient, its norm.

    absolute: allowed beside the relative tolerance of the value in float32.
    """
    reference = sheet.reference
    for dtype in (torch.float32, torch.float64):
        x = reference.tensor(name, dtype).requires_grad_()
        arguments = [reference.tensor(other, dtype) for other in others]
        value = loss(x, *arguments)
        value.backward()
        if dtype == torch.float64:
            # Where the truth is 0 there is nothing to be relative to.
            rest = {"relative": DOUBLE, "absolute": 1e-12}
            sheet.compare(f"{key}.f64", value, **rest)
            sheet.compare(f"{key}.f64.grad_norm", norm(x.grad), **rest)
            continue
        sheet.compare(key, value, absolute=absolute)
        # No gradient at all where an argument is compared with itself, but for what rounding leaves.
        rest = {"absolute": absolute if float(reference[f"{key}.grad_norm"]) == 0 else 0.0}
        sheet.compare(f"{key}.grad_norm", norm(x.grad), **rest)
        for part, gradient in ((f"{key}.grad", as_array(x.grad)), (f"{key}.grad.sub", take(as_array(x.grad)))):
            if part in reference:
                sheet.compare(part, gradient, **rest)


def _visible(weights: tuple[float, ...]) -> Callable[..., torch.Tensor]:
    return lambda predicted, target: landmark_loss(predicted, target, target[..., 2], weights=weights)


def _white(shading: torch.Tensor) -> torch.Tensor:
    """How far the mean shading of each colour is from white; the original defines it and trains without it."""
    return (shading.mean((0, 2, 3)) - 0.99).square().mean()


# Key of the file, loss, input that gets the gradient, other inputs.
LOSSES: tuple[tuple[Any, ...], ...] = (
    ("weighted_landmark", _visible(WEIGHTS), "lmk_pred", "lmk_gt"),
    ("weighted_landmark_visibility", _visible(WEIGHTS), "lmk_pred", "lmk_gt_partly_visible"),
    ("plain_landmark_visibility", _visible(ONES), "lmk_pred", "lmk_gt_partly_visible"),
    ("eye_distance", eye_loss, "lmk_pred", "lmk_gt"),
    ("lip_distance", lip_loss, "lmk_pred", "lmk_gt"),
    ("photometric", photometric_loss, "predicted_image", "image", "mask"),
    ("shape_reg_weight1", code_energy, "shapecode"),
    ("expression_reg_weight1", code_energy, "expcode"),
    ("tex_reg_weight1", code_energy, "texcode"),
    ("light_reg_weight1", light_loss, "lightcode"),
    ("jaw_roll_reg", jaw_roll_loss, "euler_jaw"),
    ("jaw_close_reg", jaw_closed_loss, "euler_jaw"),
    ("shading_smooth", smoothness_loss, "shading"),
    ("shading_white_unused", _white, "shading"),
    ("z_reg_weight1", displacement_loss, "uv_z"),
    ("z_sym_weight1", symmetry_loss, "uv_z", "uv_vis_mask"),
    ("photo_detail_weight1", detail_photometric_loss, "texture_pred", "texture_gt", "uv_vis_mask"),
)


def losses(sheet: Sheet) -> None:
    """``losses.npz``."""
    reference = sheet.reference
    for key, loss, *names in LOSSES:
        scalar(sheet, key, loss, *names)
    sheet.exact("landmark_weights", np.array(WEIGHTS))
    sheet.exact("landmark_weight_sum", sum(WEIGHTS))
    sheet.bits("uv_vis_mask_eroded", erode(reference.tensor("uv_vis_mask")))
    sheet.compare("euler_jaw_as_axis_angle", axis_angle_of_euler(reference.tensor("euler_jaw")))
