"""Dense inverse search flow of OpenCV (Kroeger et al. 2016): needs no weights, milliseconds per pair."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tvface.flow.base import FlowBackend
from tvface.settings.model import Flow


class Backend(FlowBackend):
    """DIS, medium preset, refined down to full resolution because the crops are small already."""

    def __init__(self, settings: Flow, device: torch.device) -> None:
        """``device`` is not used: OpenCV computes on the CPU."""
        self.weights: dict[str, str] = {}
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(0)

    def flow(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :meth:`FlowBackend.flow`; the search runs on luma."""
        flows = []
        for a, b in zip(first, second, strict=True):
            grey = (cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), cv2.cvtColor(b, cv2.COLOR_RGB2GRAY))
            # None: start from zero. A passed array would be both the start and the result.
            displacement = self._dis.calc(*grey, None)  # type: ignore[call-overload]  # the stubs forget None
            flows.append(displacement.transpose(2, 0, 1))
        return np.asarray(np.stack(flows), np.float32)
