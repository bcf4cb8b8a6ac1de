"""The two chains that ``benchmarks/peers.py`` times: the plain one and tvface's."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.peers_stages import (
    REGION,
    Boxes,
    Images,
    OwnDetection,
    OwnLandmarks,
    OwnMasks,
    PlainDetection,
    PlainLandmarks,
    PlainMasks,
    Spec,
    network,
    regions,
)
from benchmarks.timing import synchronise
from tvface.conventions.face_mask import PAPER_TOOL, face_mask
from tvface.landmarkers import compact as compact_landmarker
from tvface.parsers import compact as compact_parser

_STAGES = ("detection", "landmarks", "masks")


@dataclasses.dataclass(frozen=True)
class Found:
    """The n faces of one frame: boxes (n, 4), points (n, 68, 2) in its pixels, masks (n, REGION, REGION) bool."""

    boxes: NDArray[np.floating]
    points: NDArray[np.floating]
    masks: NDArray[np.bool_]


@contextmanager
def _timed(spec: Spec, seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time of a block to one stage, the device's work included."""
    start = spec.now()
    yield
    synchronise(torch.device(spec.device))
    seconds[stage] += spec.now() - start


class PlainChain:
    """The packages as their documentation shows them."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.detection, self.landmarks, self.masks = PlainDetection(spec), PlainLandmarks(spec), PlainMasks(spec)
        self.sources = {name: network(name)[1] for name in ("fan", "bisenet")}

    def __call__(self, frames: Images, seconds: dict[str, float]) -> list[Found]:
        """Go through frames one by one; ``loop`` of ``seconds`` is the time of the scripts' loop over pixels."""
        return [self._frame(frame, seconds) for frame in frames]

    def _frame(self, frame: NDArray[np.uint8], seconds: dict[str, float]) -> Found:
        with _timed(self.spec, seconds, "detection"):
            kept = self.detection(frame)
        if not kept:
            return Found(np.zeros((0, 4)), np.zeros((0, 68, 2)), np.zeros((0, REGION, REGION), bool))
        with _timed(self.spec, seconds, "landmarks"):
            points = self.landmarks(frame, kept)
        masks = []
        for box in kept:
            with _timed(self.spec, seconds, "masks"):
                labels = self.masks(frame, box)
                masks.append(self.masks.mask(labels))
            with _timed(self.spec, seconds, "loop"):
                pixel_by_pixel(labels)
        return Found(np.stack(kept), np.stack(points), np.stack(masks))

    def maps(self, frames: Images, boxes: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return FAN's heat maps and BiSeNet's logits before enlargement, of all faces."""
        return self.landmarks.maps(frames, boxes), self.masks.maps(frames, boxes)


def pixel_by_pixel(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Make the mask as the paper's tool does: a double loop in Python."""
    mask = np.zeros(labels.shape, np.uint8)
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            if labels[row, column] in PAPER_TOOL:
                mask[row, column] = 255
    return mask


class TvfaceChain:
    """tvface's backends, with the plain chain's networks or the bundled ones."""

    def __init__(self, spec: Spec, bundled: bool = False) -> None:
        self.spec, self.bundled = spec, bundled
        self.detection = OwnDetection(spec)
        if bundled:
            device, landmarks = torch.device(spec.device), dataclasses.replace(spec.landmarks, flip=True)
            self.compact = compact_landmarker.Backend(landmarks, device)
            self.parser = compact_parser.Backend(spec.masks, device)
        else:
            self.landmarks, self.masks = OwnLandmarks(spec), OwnMasks(spec)

    def __call__(self, frames: Images, seconds: dict[str, float]) -> list[Found]:
        """Go through a batch of frames."""
        with _timed(self.spec, seconds, "detection"):
            boxes = self.detection(frames)
        with _timed(self.spec, seconds, "landmarks"):
            points = self._points(frames, boxes)
        with _timed(self.spec, seconds, "masks"):
            masks = self._masks(frames, boxes)
        ends = np.cumsum([len(each) for each in boxes])[:-1]
        return [Found(*parts) for parts in zip(boxes, np.split(points, ends), np.split(masks, ends), strict=True)]

    def labels(self, frames: Images, boxes: Boxes) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Return points and masks of all faces."""
        return self._points(frames, boxes), self._masks(frames, boxes)

    def maps(self, frames: Images, boxes: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return FAN's heat maps and BiSeNet's logits before enlargement, of all faces."""
        return self.landmarks.maps(frames, boxes), self.masks.maps(frames, boxes)

    def _points(self, frames: Images, boxes: Boxes) -> NDArray[np.floating]:
        if not self.bundled:
            return self.landmarks(frames, boxes)
        pictures: Any = [frame for frame, each in zip(frames, boxes, strict=True) for _ in each]
        return self.compact.locate(pictures, np.concatenate(boxes).astype(np.float32))[0]

    def _masks(self, frames: Images, boxes: Boxes) -> NDArray[np.bool_]:
        return face_mask(self.parser.parse(regions(frames, boxes))) if self.bundled else self.masks(frames, boxes)


class Workers:
    """Processes with a :class:`TvfaceChain` each, which process frames as one episode each. One is this process."""

    def __init__(self, spec: Spec, count: int, warm_up: Images) -> None:
        self.count, self.here = count, None
        if count == 1:
            self.here = TvfaceChain(spec)
            self.here(warm_up, dict.fromkeys(_STAGES, 0.0))
            return
        context = multiprocessing.get_context("spawn")
        self.work, self.results = [context.Queue() for _ in range(count)], context.Queue()
        self.processes = [
            context.Process(target=_serve, args=(spec, list(warm_up), work, self.results), daemon=True)
            for work in self.work
        ]
        for process in self.processes:
            process.start()
        for _ in self.processes:
            self._result()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.here is None:
            for work, process in zip(self.work, self.processes, strict=True):
                work.put(None)
                process.join()

    def __call__(self, frames: Images, batch: int, seconds: dict[str, float]) -> list[Found]:
        """Go through frames in every process; return what the first to end has found.

        To ``seconds`` goes what the frames cost once: the mean of the processes over their number.
        """
        parts = [frames[start : start + batch] for start in range(0, len(frames), batch)]
        if self.here is not None:
            return [output for part in parts for output in self.here(part, seconds)]
        for work in self.work:
            work.put(parts)
        results = [self._result() for _ in self.processes]
        for _, spent in results:
            for stage, value in spent.items():
                seconds[stage] += value / self.count**2
        output: list[Found] = results[0][0]
        return output

    def _result(self) -> Any:
        result = self.results.get()
        if isinstance(result, BaseException):
            raise result
        return result


def _serve(spec: Spec, warm_up: Images, work: Any, results: Any) -> None:
    try:
        torch.set_num_threads(spec.threads)
        cv2.setNumThreads(spec.threads)
        chain = TvfaceChain(spec)
        chain(warm_up, dict.fromkeys(_STAGES, 0.0))
        results.put("ready")
        while (parts := work.get()) is not None:
            seconds = dict.fromkeys(_STAGES, 0.0)
            results.put(([output for part in parts for output in chain(part, seconds)], seconds))
    except BaseException as error:
        results.put(error)
        raise
