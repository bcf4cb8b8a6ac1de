"""A made-up show for the tests of the data stages: drawn faces, and a detector that knows where they were drawn.

Every picture carries a number in black and white blocks at its lower edge; the detector reads it and looks the faces
up, so that the stages see real pictures, real codecs and exact boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tvface.detectors.base import Detections, Detector
from tvface.media.images import Image, encode_jpeg
from tvface.media.video import write_video
from tvface.settings import Settings, parse_settings
from tvface.stages import faces, frames, identities, sequences

HEIGHT, WIDTH = 240, 320
_BITS, _BLOCK = 12, 16
_SKIN = [(225, 170, 130), (120, 80, 60), (200, 190, 90), (150, 120, 220)]
_HAIR = [(40, 30, 25), (20, 20, 22), (170, 60, 30), (60, 160, 150)]
# Eyes, nose, mouth corners in units of the box side, relative to its centre.
_LAYOUT = np.array([(-0.2, -0.12), (0.2, -0.12), (0, 0.08), (-0.15, 0.28), (0.15, 0.28)])


@dataclass(frozen=True)
class Face:
    """One drawn face: who, where its centre is, how large, how far its mouth hangs down (in box sides)."""

    person: int
    x: float = 160
    y: float = 110
    side: float = 90
    mouth: float = 0.0
    score: float = 0.999

    @property
    def points(self) -> np.ndarray:
        layout = _LAYOUT.copy()
        layout[3:, 1] += self.mouth
        return layout * self.side + (self.x, self.y)


def talking(person: int, count: int, **where: float) -> list[list[Face]]:
    """``count`` frames of one person who talks."""
    return [[Face(person, mouth=0.08 * (k % 2), **where)] for k in range(count)]


def draw(faces_: Sequence[Face], number: int, place: int) -> Image:
    """Draw one picture in front of the background ``place``."""
    rng = np.random.default_rng(place)
    coarse = rng.integers(30, 226, (9, 12)).astype(np.uint8)
    value = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    hue = np.full_like(value, (place * 53) % 180)
    picture = cv2.cvtColor(np.stack([hue, np.full_like(value, 140), value], -1), cv2.COLOR_HSV2RGB)
    for face in faces_:
        _draw_face(picture, face)
    picture[-_BLOCK:, : _BITS * _BLOCK] = 0
    for bit in range(_BITS):
        if number >> bit & 1:
            picture[-_BLOCK:, bit * _BLOCK : (bit + 1) * _BLOCK] = 255
    return np.asarray(picture, np.uint8)


def _draw_face(picture: np.ndarray, face: Face) -> None:
    grain = np.random.default_rng(100 + face.person).integers(-25, 26, (24, 24, 1)).astype(np.float32)
    side = round(face.side)
    patch = np.full((side, side, 3), _SKIN[face.person], np.float32)
    patch += np.atleast_3d(cv2.resize(grain, (side, side), interpolation=cv2.INTER_NEAREST))
    patch[: side // 4] = _HAIR[face.person]
    for x, y in (face.points[:2] - (face.x, face.y)) + side / 2:
        cv2.circle(patch, (round(x), round(y)), max(2, side // 16), (20, 20, 30), -1)
    left, right = face.points[3:] - (face.x, face.y) + side / 2
    cv2.line(patch, (round(left[0]), round(left[1])), (round(right[0]), round(right[1])), (150, 30, 40), side // 14)
    x0, y0 = round(face.x - face.side / 2), round(face.y - face.side / 2)
    part = picture[max(y0, 0) : y0 + side, max(x0, 0) : x0 + side]
    if 0 in part.shape or x0 + side <= 0 or y0 + side <= 0:
        return
    part[:] = np.clip(patch, 0, 255)[max(-y0, 0) :, max(-x0, 0) :][: part.shape[0], : part.shape[1]]


class KnowingDetector(Detector):
    """Reads the number in the picture and returns the faces drawn under it."""

    weights: dict[str, str] = {"drawn": "0" * 64}  # noqa: RUF012

    def __init__(self, script: dict[int, list[Face]]) -> None:
        self.script = script
        self.batches: list[int] = []

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.batches.append(len(images))
        assert len({image.shape for image in images}) == 1
        return [self._faces(image) for image in images]

    def _faces(self, image: Image) -> Detections:
        blocks = image[-_BLOCK + 4 : -4, : _BITS * _BLOCK].reshape(_BLOCK - 8, _BITS, _BLOCK, 3).mean((0, 2, 3))
        number = int(sum(1 << bit for bit in range(_BITS) if blocks[bit] > 128))
        faces = sorted(self.script.get(number, []), key=lambda face: -face.side)
        if not faces:
            return Detections.none()
        boxes = [(f.x - f.side / 2, f.y - f.side / 2, f.x + f.side / 2, f.y + f.side / 2) for f in faces]
        return Detections(
            np.array(boxes, np.float32),
            np.array([face.score for face in faces], np.float32),
            np.stack([face.points for face in faces]).astype(np.float32),
        )


class Show:
    """Footage in a folder, the detector that knows it, and the four stages run over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.detector = KnowingDetector({})
        self._number = 1

    def pictures(self, script: Sequence[Sequence[Face]], place: int = 1) -> list[Image]:
        """Draw frames and tell the detector about them."""
        drawn = []
        for present in script:
            self.detector.script[self._number] = list(present)
            drawn.append(draw(present, self._number, place))
            self._number += 1
        return drawn

    def video(self, name: str, pictures: Sequence[Image]) -> Path:
        """Write pictures as a video at 3 frames/s, so that each is one sample."""
        path = self.folder / "videos" / name
        write_video(path, pictures, 3, crf=10, preset="ultrafast")
        return path

    def clip(self, show: str, name: str, pictures: Sequence[Image]) -> Path:
        """Write pictures as a TVQA clip folder."""
        folder = self.folder / "frames_hq" / f"{show}_frames" / name
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures, 1):
            (folder / f"{number:05d}.jpg").write_bytes(encode_jpeg(picture, 95))
        return folder

    def settings(self, **blocks: object) -> Settings:
        return parse_settings({"synth": {"enabled": False}, "results": str(self.folder / "results"), **blocks})

    def path(self, stage: str, name: str) -> Path:
        return self.folder / "results" / stage / name

    def run_frames(self, settings: Settings, shard: str, source: Path | list[Path]) -> None:
        outputs = {"manifest": self.path("frames", f"{shard}.parquet"), "store": self.path("frames", f"{shard}.tar")}
        frames.run(settings, {"source": source}, outputs, shard=shard)

    def run_faces(self, settings: Settings, shard: str) -> None:
        inputs = {"frames": self.path("frames", f"{shard}.parquet"), "store": self.path("frames", f"{shard}.tar")}
        faces.run(settings, inputs, {"manifest": self.path("faces", f"{shard}.parquet")}, shard=shard)

    def run_identities(
        self, settings: Settings, show: str, shards: Sequence[str], decisions: Sequence[Path] = ()
    ) -> None:
        inputs = {"faces": [self.path("faces", f"{shard}.parquet") for shard in shards], "decisions": list(decisions)}
        identities.run(settings, inputs, {"manifest": self.path("identities", f"{show}.parquet")}, shard=show)

    def run_sequences(self, settings: Settings, show: str, shard: str) -> None:
        inputs = {
            "frames": self.path("frames", f"{shard}.parquet"),
            "store": self.path("frames", f"{shard}.tar"),
            "faces": self.path("faces", f"{shard}.parquet"),
            "identities": self.path("identities", f"{show}.parquet"),
        }
        outputs = {
            "manifest": self.path("sequences", f"{shard}.parquet"),
            "candidates": self.path("sequences", f"{shard}.candidates.parquet"),
            "crops": self.path("sequences", f"{shard}.tar"),
        }
        sequences.run(settings, inputs, outputs, shard=shard)

    def run_all(self, settings: Settings, show: str, shard: str, source: Path | list[Path]) -> None:
        self.run_frames(settings, shard, source)
        self.run_faces(settings, shard)
        self.run_identities(settings, show, [shard])
        self.run_sequences(settings, show, shard)
