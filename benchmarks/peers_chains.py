"""The two chains that ``benchmarks/peers.py`` times: the plain one and tvface's."""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace, TracebackType
from typing import Any

import cv2
import facenet_pytorch
import numpy as np
import torch
from face_alignment import FaceAlignment, LandmarksType
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torchvision.transforms import functional as transforms

from benchmarks.timing import synchronise
from tests.reference.fill import fill
from tvface import assets, detectors
from tvface.landmarkers import compact as compact_landmarker
from tvface.landmarkers import fan as fan_landmarker
from tvface.landmarkers.fan import S3FD_SCALE, cut, window
from tvface.landmarkers.geometry import window_transform
from tvface.media.images import warp_crop
from tvface.networks import fan
from tvface.networks.bisenet import BiSeNet
from tvface.networks.loading import load_bisenet
from tvface.parsers import bisenet as bisenet_parser
from tvface.parsers import compact as compact_parser
from tvface.parsers.face import PAPER_TOOL, face_mask
from tvface.settings.data import Faces
from tvface.settings.labels import Landmarks, Masks

MIN_SCORE = Faces().min_score
REGION = 358  # px, 224 by the context of 1.6 that masks looks at
REGION_SCALE = 2.0  # region side / box side: 1.25 by 1.6
_STAGES = ("detection", "landmarks", "masks")
Images = Sequence[NDArray[np.uint8]]
Boxes = Sequence[NDArray[np.floating]]


@dataclasses.dataclass(frozen=True)
class Spec:
    """What both chains share, and tvface's precision and threads."""

    device: str
    min_face: int
    precision: str
    threads: int
    clock: str = "wall"

    @property
    def now(self) -> Callable[[], float]:
        """What tells the time in seconds: the wall's clock, or the processor time of this process."""
        return time.perf_counter if self.clock == "wall" else time.process_time


@dataclasses.dataclass(frozen=True)
class Found:
    """The n faces of one frame: boxes (n, 4), points (n, 68, 2) in its pixels, masks (n, REGION, REGION) bool."""

    boxes: NDArray[np.floating]
    points: NDArray[np.floating]
    masks: NDArray[np.bool_]


@functools.cache
def networks() -> tuple[nn.Module, nn.Module, dict[str, str]]:
    """Return FAN, BiSeNet, and where the parameters of each come from; tvface copies what it rearranges."""
    sources = {}
    made: dict[str, nn.Module] = {"fan": fan.build(), "bisenet": BiSeNet()}
    for name, net in made.items():
        try:
            path = assets.locate(name)
        except assets.MissingAsset:
            fill(net)
            sources[name] = "pseudo-random"
        else:
            made[name] = (fan.load(path) if name == "fan" else load_bisenet(path))[0]
            sources[name] = path.name
    return made["fan"].eval(), made["bisenet"].eval(), sources


def region(frame: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Cut the square round a face that is labelled, REGION x REGION x 3."""
    centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).mean())
    transform = window_transform(np.asarray(centre, np.float64), REGION_SCALE * side, REGION)
    return np.asarray(warp_crop(frame, transform, REGION), np.uint8)


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
        self.spec, self.device = spec, torch.device(spec.device)
        self.detector = facenet_pytorch.MTCNN(keep_all=True, min_face_size=spec.min_face, device=self.device)
        self.fan, self.bisenet, self.sources = networks()
        self.fan.to(self.device)
        self.bisenet.to(self.device)
        # The package's object without its constructor, which downloads the weights that are given here.
        self.aligner = FaceAlignment.__new__(FaceAlignment)
        given: dict[str, Any] = {
            "device": spec.device,
            "flip_input": False,
            "landmarks_type": LandmarksType.TWO_D,
            "verbose": False,
            "dtype": torch.float32,
            "max_batch_size": 1,
            "face_alignment_net": self.fan,
            "face_detector": SimpleNamespace(reference_scale=S3FD_SCALE),
        }
        self.aligner.__dict__.update(given)

    def __call__(self, frames: Images, seconds: dict[str, float]) -> list[Found]:
        """Go through frames one by one; ``loop`` of ``seconds`` is the time of the scripts' loop over pixels."""
        return [self._frame(frame, seconds) for frame in frames]

    def _frame(self, frame: NDArray[np.uint8], seconds: dict[str, float]) -> Found:
        with _timed(self.spec, seconds, "detection"):
            boxes, scores, _ = self.detector.detect(frame, landmarks=True)
        kept = [] if boxes is None else [box for box, score in zip(boxes, scores, strict=True) if score >= MIN_SCORE]
        if not kept:
            return Found(np.zeros((0, 4)), np.zeros((0, 68, 2)), np.zeros((0, REGION, REGION), bool))
        with _timed(self.spec, seconds, "landmarks"):
            points = self.aligner.get_landmarks_from_image(frame, detected_faces=kept)
        masks = []
        for box in kept:
            with _timed(self.spec, seconds, "masks"):
                picture = region(frame, box)
                labels = self.logits(picture).squeeze(0).cpu().numpy().argmax(0)
                mask = np.isin(labels, PAPER_TOOL).astype(np.uint8) * 255
                small = Image.fromarray(mask).resize((REGION, REGION), Image.Resampling.BILINEAR)
                masks.append(np.asarray(small) / 255 >= 0.5)
            with _timed(self.spec, seconds, "loop"):
                pixel_by_pixel(labels)
        return Found(np.stack(kept), np.stack(points), np.stack(masks))

    @torch.no_grad()
    def logits(self, picture: NDArray[np.uint8]) -> torch.Tensor:
        """BiSeNet's first head, (1, 19, 512, 512); all three are computed."""
        resized = Image.fromarray(picture).resize((512, 512), Image.Resampling.BILINEAR)
        image = transforms.normalize(transforms.to_tensor(resized), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        heads = self.bisenet.heads(image[None].to(self.device))  # type: ignore[operator]
        found: torch.Tensor = heads[0]
        return found

    @torch.no_grad()
    def maps(self, frames: Images, boxes: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return FAN's heat maps and BiSeNet's logits before enlargement, of all faces."""
        heat, logits = [], []
        for frame, each in zip(frames, boxes, strict=True):
            for box in each:
                crop = torch.from_numpy(cut(frame, *window(box))).to(self.device).permute(2, 0, 1)[None] / 255
                heat.append(self.fan(crop)[-1].cpu())
                # Corners lie on corners: every 73rd pixel of 512 is every 9th entry of 64.
                logits.append(self.logits(region(frame, box))[:, :, ::73, ::73].cpu())
        return torch.cat(heat).numpy(), torch.cat(logits).numpy()


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
        self.spec, self.device = spec, torch.device(spec.device)
        self.detector = detectors.create("mtcnn", Faces(min_face=spec.min_face), self.device)
        landmarks = Landmarks(precision=spec.precision, flip=bundled, refine=False, decode="integer")  # type: ignore[arg-type]
        masks = Masks(precision=spec.precision)  # type: ignore[arg-type]
        self.bundled = bundled
        if bundled:
            self.compact = compact_landmarker.Backend(landmarks, self.device)
            self.parser: Any = compact_parser.Backend(masks, self.device)
        else:
            face_alignment, parsing, _ = networks()
            self.fan = fan_landmarker.Backend(landmarks, self.device, face_alignment)
            self.parser = bisenet_parser.Backend(masks, self.device, parsing)

    def __call__(self, frames: Images, seconds: dict[str, float]) -> list[Found]:
        """Go through a batch of frames."""
        with _timed(self.spec, seconds, "detection"):
            found = self.detector.detect(frames)
            boxes = [one.boxes[one.scores >= MIN_SCORE] for one in found]
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
        pairs = [(frame, box) for frame, each in zip(frames, boxes, strict=True) for box in each]
        heat = self.fan.heatmaps(np.stack([cut(frame, *window(box)) for frame, box in pairs]))
        logits = self.parser.logits(np.stack([region(frame, box) for frame, box in pairs]))
        return heat, logits[:, :, ::9, ::9].cpu().numpy()

    def _points(self, frames: Images, boxes: Boxes) -> NDArray[np.floating]:
        pictures: Any = [frame for frame, each in zip(frames, boxes, strict=True) for _ in each]
        flat = np.concatenate(boxes)
        if self.bundled:
            return self.compact.locate(pictures, flat.astype(np.float32))[0]
        return self.fan.find(pictures, flat.astype(np.float64), S3FD_SCALE)[0]

    def _masks(self, frames: Images, boxes: Boxes) -> NDArray[np.bool_]:
        regions = [region(frame, box) for frame, each in zip(frames, boxes, strict=True) for box in each]
        stacked = np.stack(regions) if regions else np.zeros((0, REGION, REGION, 3), np.uint8)
        return face_mask(self.parser.parse(stacked))


class Workers:
    """Processes that hold a :class:`TvfaceChain` each; every one goes through the frames it is given as through an
    episode of its own. One runs in this process."""

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
            return [found for part in parts for found in self.here(part, seconds)]
        for work in self.work:
            work.put(parts)
        results = [self._result() for _ in self.processes]
        for _, spent in results:
            for stage, value in spent.items():
                seconds[stage] += value / self.count**2
        found: list[Found] = results[0][0]
        return found

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
            results.put(([found for part in parts for found in chain(part, seconds)], seconds))
    except BaseException as error:
        results.put(error)
        raise
