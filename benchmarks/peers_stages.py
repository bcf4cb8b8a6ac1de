"""Detection, 68 points and masks, each as its package or published script does it and as tvface does it.

What a stage needs is imported when the stage is made, so that one whose package is absent does not stop the others.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torchvision.transforms import functional as transforms

from tests.reference.fill import fill
from tvface import detectors
from tvface.assets import registry as assets
from tvface.conventions.boxes import window_transform
from tvface.conventions.face_mask import PAPER_TOOL, face_mask
from tvface.media.images import warp_crop
from tvface.networks.bisenet import BiSeNet
from tvface.networks.loading import load_bisenet
from tvface.parsers import bisenet as bisenet_parser
from tvface.settings.data import Faces
from tvface.settings.labels import Landmarks, Masks

MIN_SCORE = Faces().min_score
REGION = 358  # px, 224 by the context of 1.6 that masks looks at
REGION_SCALE = 2.0  # region side / box side: 1.25 by 1.6
RANDOM = "pseudo-random"
Images = Sequence[NDArray[np.uint8]]
Boxes = Sequence[NDArray[np.floating]]


@dataclasses.dataclass(frozen=True)
class Spec:
    """What both sides share, and tvface's precision and threads."""

    device: str
    min_face: int
    precision: str
    threads: int
    clock: str = "wall"

    @property
    def now(self) -> Callable[[], float]:
        """What tells the time in seconds: the wall's clock, or the processor time of this process."""
        return time.perf_counter if self.clock == "wall" else time.process_time

    @property
    def landmarks(self) -> Landmarks:
        """What face-alignment does: one look, no mirrored crop, whole pixels."""
        return Landmarks(precision=self.precision, flip=False, refine=False, decode="integer")  # type: ignore[arg-type]

    @property
    def masks(self) -> Masks:
        """BiSeNet in the spec's precision."""
        return Masks(precision=self.precision)  # type: ignore[arg-type]


@functools.cache
def network(name: str) -> tuple[nn.Module, str]:
    """Return ``fan`` or ``bisenet``, and where its parameters come from; tvface copies what it rearranges."""
    try:
        path = assets.locate(name)
    except assets.MissingAsset:
        path = None
    if name == "fan":
        from tvface.networks import fan

        made = fan.build() if path is None else fan.load(path)[0]
    else:
        made = BiSeNet() if path is None else load_bisenet(path)[0]
    if path is None:
        fill(made)
    return made.eval(), RANDOM if path is None else path.name


def region(frame: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Cut the square round a face that is labelled, REGION x REGION x 3."""
    centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).mean())
    transform = window_transform(np.asarray(centre, np.float64), REGION_SCALE * side, REGION)
    return np.asarray(warp_crop(frame, transform, REGION), np.uint8)


class PlainDetection:
    """facenet-pytorch's ``detect``, frame by frame."""

    def __init__(self, spec: Spec) -> None:
        import facenet_pytorch

        device = torch.device(spec.device)
        self.detector = facenet_pytorch.MTCNN(keep_all=True, min_face_size=spec.min_face, device=device)

    def __call__(self, frame: NDArray[np.uint8]) -> list[NDArray[np.floating]]:
        """Return the boxes (4,) of a frame's faces."""
        boxes, scores, _ = self.detector.detect(frame, landmarks=True)
        return [] if boxes is None else [box for box, score in zip(boxes, scores, strict=True) if score >= MIN_SCORE]


class OwnDetection:
    """tvface's MTCNN, a batch of frames of one size at once."""

    def __init__(self, spec: Spec) -> None:
        self.detector = detectors.create("mtcnn", Faces(min_face=spec.min_face), torch.device(spec.device))

    def __call__(self, frames: Images) -> list[NDArray[np.floating]]:
        """Return the boxes (n, 4) of every frame."""
        return [one.boxes[one.scores >= MIN_SCORE] for one in self.detector.detect(frames)]


class PlainLandmarks:
    """face-alignment's own ``get_landmarks_from_image`` per frame: crop, 2D-FAN face by face, decoding."""

    def __init__(self, spec: Spec) -> None:
        from face_alignment import FaceAlignment, LandmarksType

        from tvface.landmarkers.fan import S3FD_SCALE

        self.device = torch.device(spec.device)
        self.net = network("fan")[0].to(self.device)
        # The package's object without its constructor, which downloads the weights that are given here.
        self.aligner = FaceAlignment.__new__(FaceAlignment)
        attributes: dict[str, Any] = {
            "device": spec.device,
            "flip_input": False,
            "landmarks_type": LandmarksType.TWO_D,
            "verbose": False,
            "dtype": torch.float32,
            "max_batch_size": 1,
            "face_alignment_net": self.net,
            "face_detector": SimpleNamespace(reference_scale=S3FD_SCALE),
        }
        self.aligner.__dict__.update(attributes)

    def __call__(self, frame: NDArray[np.uint8], boxes: Boxes) -> list[NDArray[np.floating]]:
        """Return the points (68, 2) of a frame's faces."""
        output: list[NDArray[np.floating]] = self.aligner.get_landmarks_from_image(frame, detected_faces=boxes)
        return output

    @torch.no_grad()
    def maps(self, frames: Images, boxes: Boxes) -> NDArray[np.float32]:
        """Return the heat maps (n, 68, 64, 64) of all faces."""
        crops = [torch.from_numpy(window).to(self.device) for window in windows(frames, boxes)]
        heat = [self.net(crop.permute(2, 0, 1)[None] / 255)[-1].cpu() for crop in crops]
        return np.asarray(torch.cat(heat).numpy(), np.float32)


class OwnLandmarks:
    """tvface's FAN on all faces of a batch of frames at once."""

    def __init__(self, spec: Spec) -> None:
        from tvface.landmarkers import fan

        self.reference = fan.S3FD_SCALE
        self.backend = fan.Backend(spec.landmarks, torch.device(spec.device), network("fan")[0])

    def __call__(self, frames: Images, boxes: Boxes) -> NDArray[np.floating]:
        """Return the points (n, 68, 2) of all faces."""
        pictures: Any = [frame for frame, each in zip(frames, boxes, strict=True) for _ in each]
        return self.backend.find(pictures, np.concatenate(boxes).astype(np.float64), self.reference)[0]

    def maps(self, frames: Images, boxes: Boxes) -> NDArray[np.float32]:
        """Return the heat maps (n, 68, 64, 64) of all faces."""
        return self.backend.heatmaps(np.stack(windows(frames, boxes)))


def windows(frames: Images, boxes: Boxes) -> list[NDArray[np.uint8]]:
    """Cut FAN's windows (256, 256, 3) round all faces."""
    from tvface.landmarkers.fan import cut, window

    return [cut(frame, *window(box)) for frame, each in zip(frames, boxes, strict=True) for box in each]


class PlainMasks:
    """BiSeNet face by face in the way of the published scripts: Pillow, all three heads, argmax in numpy."""

    def __init__(self, spec: Spec) -> None:
        self.device = torch.device(spec.device)
        self.net = network("bisenet")[0].to(self.device)

    def __call__(self, frame: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.integer]:
        """Return the classes (512, 512) of the region round a face."""
        return np.asarray(self.logits(region(frame, box)).squeeze(0).cpu().numpy().argmax(0))

    @staticmethod
    def mask(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return the face mask (REGION, REGION)."""
        mask = np.isin(labels, PAPER_TOOL).astype(np.uint8) * 255
        small = Image.fromarray(mask).resize((REGION, REGION), Image.Resampling.BILINEAR)
        return np.asarray(np.asarray(small) / 255 >= 0.5)

    @torch.no_grad()
    def logits(self, picture: NDArray[np.uint8]) -> torch.Tensor:
        """BiSeNet's first head, (1, 19, 512, 512); all three are computed."""
        resized = Image.fromarray(picture).resize((512, 512), Image.Resampling.BILINEAR)
        image = transforms.normalize(transforms.to_tensor(resized), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        heads = self.net.heads(image[None].to(self.device))  # type: ignore[operator]
        output: torch.Tensor = heads[0]
        return output

    def maps(self, frames: Images, boxes: Boxes) -> NDArray[np.float32]:
        """Return the logits (n, 19, 8, 8) of all faces before enlargement, every ninth."""
        # Corners lie on corners: every 73rd pixel of 512 is every 9th entry of 64.
        logits = [self.logits(one)[:, :, ::73, ::73].cpu() for one in regions(frames, boxes)]
        return np.asarray(torch.cat(logits).numpy(), np.float32)


class OwnMasks:
    """tvface's BiSeNet on all faces of a batch of frames at once."""

    def __init__(self, spec: Spec) -> None:
        self.backend = bisenet_parser.Backend(spec.masks, torch.device(spec.device), network("bisenet")[0])

    def __call__(self, frames: Images, boxes: Boxes) -> NDArray[np.bool_]:
        """Return the face masks (n, REGION, REGION) of all faces."""
        return face_mask(self.backend.parse(regions(frames, boxes)))

    def maps(self, frames: Images, boxes: Boxes) -> NDArray[np.float32]:
        """Return the logits (n, 19, 8, 8) of all faces before enlargement, every ninth."""
        return np.asarray(self.backend.logits(regions(frames, boxes))[:, :, ::9, ::9].cpu().numpy(), np.float32)


def regions(frames: Images, boxes: Boxes) -> NDArray[np.uint8]:
    """Cut the regions (n, REGION, REGION, 3) round all faces."""
    cuts = [region(frame, box) for frame, each in zip(frames, boxes, strict=True) for box in each]
    return np.stack(cuts) if cuts else np.zeros((0, REGION, REGION, 3), np.uint8)


def apart(reference: NDArray[np.floating], tested: NDArray[np.floating]) -> float:
    """Return the RMS difference of two maps, in standard deviations of the first."""
    return float(np.sqrt(np.square(tested - reference).mean()) / reference.std())
