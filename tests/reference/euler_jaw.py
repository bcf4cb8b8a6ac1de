"""The jaw in Euler angles, DECA's option ``jaw_type: euler``, which tvface does not have (its ``trainer.py``)."""

from __future__ import annotations

import torch

ROLL_WEIGHT = 100.0
CLOSED_WEIGHT = 10.0


def jaw_roll_loss(jaw: torch.Tensor) -> torch.Tensor:
    """Half the weighted SUM of squared rolls: (B, 3) Euler angles x, y, z in rad -> scalar; z is the roll."""
    return ROLL_WEIGHT * jaw[:, 2].square().sum() / 2


def jaw_closed_loss(jaw: torch.Tensor) -> torch.Tensor:
    """Half the weighted SUM of squared rotations beyond the closed mouth: (B, 3) rad -> scalar; x > 0 opens."""
    return CLOSED_WEIGHT * torch.relu(-jaw[:, 0]).square().sum() / 2


def axis_angle_of_euler(euler: torch.Tensor) -> torch.Tensor:
    """Return axis-angle vectors (N,3) of Euler angles (N,3) x, y, z, rad: the rotation Rx Ry Rz.

    Source: half-angle quaternions. The gradient is finite at zero; angles whose rotation is a half turn have no unique
    axis.
    """
    (cx, cy, cz), (sx, sy, sz) = (euler / 2).cos().unbind(1), (euler / 2).sin().unbind(1)
    w = cx * cy * cz - sx * sy * sz
    axis = torch.stack([sx * cy * cz + cx * sy * sz, cx * sy * cz - sx * cy * sz, cx * cy * sz + sx * sy * cz], 1)
    # The shorter of the two rotations; at zero, angle / sine tends to two.
    axis = torch.where(w[:, None] < 0, -axis, axis)
    square = axis.square().sum(1, keepdim=True)
    tiny = square < torch.finfo(euler.dtype).eps ** 2
    sine = torch.where(tiny, torch.ones_like(square), square).sqrt()
    factor = 2 * torch.atan2(sine, w.abs()[:, None]) / sine
    return axis * torch.where(tiny, 2.0, factor)
