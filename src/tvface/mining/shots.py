"""Shot and scene boundaries of one clip from thumbnails of its sampled frames.

At 3 frames/s people and cameras move far between neighbours, so colour and luma distances alone cannot tell a cut
from motion: in dark footage a head that leaves the picture changes both as much as a cut does. After a cut, though,
hardly any part of the picture has a match near its old place by normalised cross-correlation. A cut is where the change
of colour and the unmatched part of the picture add up to the threshold; luma is measured and recorded only.

Two set-ups of one defocused room change less than a head that leaves the picture. Their cut still stands alone among
quiet neighbours, as the motion of a head does not: a smaller change of both kinds is a cut if it is prominent.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tvface.media.images import Image
from tvface.settings.data import Shots

WIDTH, HEIGHT = 64, 36
_BLOCK, _SEARCH = 12, 5  # thumbnail pixels: blocks of 1/5 of the width that may have moved by 1/13 of it
_MATCHED = 0.8  # correlation from which on a block counts as matched
_BAR = 24.0  # luma (0..255) that letterbox bars stay under
Array = NDArray[np.float32]


@dataclass(frozen=True)
class ShotTable:
    """Per frame of one clip: shot and scene number from 0, state, and the three distances to the frame before."""

    shot: NDArray[np.int32]
    scene: NDArray[np.int32]
    state: list[str]
    histogram: Array
    luma: Array
    structure: Array


def thumbnail(rgb: Image) -> Image:
    """Return the low-passed 36 x 64 x 3 thumbnail of a picture (uint8 RGB)."""
    return np.asarray(cv2.resize(rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def luma(rgb: Image) -> NDArray[np.uint8]:
    """Return the luma plane (uint8, BT.601 weights) of an RGB picture."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def without_bars(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut constant black bars (letterbox, pillarbox) off the (N, 36, 64, 3) thumbnails of a clip and resize back.

    A row or column is a bar if it stays dark in 95 % of the frames that are not dark as a whole; at most a third of
    the picture is cut from each edge.
    """
    grey = np.stack([luma(image) for image in thumbnails]).astype(np.float32)
    lit = grey[grey.mean((1, 2)) > 8.0]
    if len(lit) == 0:
        return thumbnails
    limits = []
    for axis, size in ((2, HEIGHT), (1, WIDTH)):
        bright = np.percentile(lit.max(axis=axis), 95, axis=0) > _BAR
        first = min(int(np.argmax(bright)), size // 3) if bright.any() else 0
        last = max(size - int(np.argmax(bright[::-1])), size - size // 3) if bright.any() else size
        limits.append((first, last))
    (top, bottom), (left, right) = limits
    if (top, bottom, left, right) == (0, HEIGHT, 0, WIDTH):
        return thumbnails
    return np.stack([thumbnail(np.ascontiguousarray(image[top:bottom, left:right])) for image in thumbnails])


def colour_histogram(image: Image) -> Array:
    """Return the 16 x 4 x 4 HSV histogram of a thumbnail, 256 values that sum to 1."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [16, 4, 4], [0, 180, 0, 256, 0, 256]).ravel()
    return np.asarray(counts / counts.sum(), np.float32)


def structure_change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Return the part (0..1) of the textured blocks of two luma thumbnails that the other one does not hold nearby.

    Correlation ignores brightness and contrast, so light changes score low. Two flat pictures score 0.
    """
    # The square root brings dark regions to a contrast that the texture test can see.
    planes = [np.sqrt(plane.astype(np.float32) * 255) for plane in (before, after)]
    matched = total = 0
    for template, other in (planes, planes[::-1]):
        padded = cv2.copyMakeBorder(other, _SEARCH, _SEARCH, _SEARCH, _SEARCH, cv2.BORDER_REFLECT)
        for y in range(0, HEIGHT - _BLOCK + 1, _BLOCK // 2):
            for x in range(0, WIDTH - _BLOCK + 1, _BLOCK // 2):
                block = template[y : y + _BLOCK, x : x + _BLOCK]
                if block.std() < 2:
                    continue
                window = padded[y : y + _BLOCK + 2 * _SEARCH, x : x + _BLOCK + 2 * _SEARCH]
                total += 1
                if window.std() >= 0.5:  # correlation with a flat window is 0 / 0
                    matched += bool(cv2.matchTemplate(window, block, cv2.TM_CCOEFF_NORMED).max() >= _MATCHED)
    return 1 - matched / total if total else 0.0


def find_shots(
    thumbnails: NDArray[np.uint8],
    times: NDArray[np.float64],
    settings: Shots,
    black_luma: float,
    duplicate: float,
) -> ShotTable:
    """Split one clip into shots and scenes and give every frame a state.

    Args:
        thumbnails: (N, 36, 64, 3) uint8 RGB of the sampled frames in order, see :func:`thumbnail`.
        times: (N,) presentation times in seconds.
        settings: thresholds.
        black_luma: mean luma (0..255) under which a frame is black.
        duplicate: a frame none of whose thumbnail pixels differs from the frame before by more luma is a duplicate.
    """
    clip = _Clip(thumbnails, settings)
    count = len(thumbnails)
    black = np.array([luma(image).mean() < black_luma for image in thumbnails], bool)
    distances = np.zeros((count, 3), np.float32)
    for k in range(1, count):
        distances[k] = clip.measures(k - 1, k)
    cut = np.array([k > 0 and clip.differ(distances[k, 0], distances[k, 2]) for k in range(count)], bool)
    cut |= _prominent(distances[:, 0], distances[:, 2], settings)
    state = np.full(count, "valid", object)
    _join_flashes(clip, cut, state)
    _join_dissolves(clip, cut, state)
    grey = clip.grey
    still = np.array([k > 0 and _largest_change(grey[k - 1], grey[k]) <= duplicate for k in range(count)], bool)
    state[still & (state == "valid") & ~cut] = "duplicate"
    state[black] = "black"
    shot = _join_short(np.cumsum(cut).astype(np.int32), clip.histograms, settings.min_frames)
    scene = _scenes(shot, times, clip.histograms, settings)
    return ShotTable(shot, scene, [str(s) for s in state], *(distances[:, i].copy() for i in range(3)))


class _Clip:
    """The thumbnails of a clip without black bars, with what their comparison needs."""

    def __init__(self, thumbnails: NDArray[np.uint8], settings: Shots) -> None:
        self.settings = settings
        self.cropped = without_bars(thumbnails) if len(thumbnails) else thumbnails
        self.grey = np.zeros((0, HEIGHT, WIDTH), np.uint8)
        self.histograms: Array = np.zeros((0, 256), np.float32)
        if len(thumbnails):
            self.grey = np.stack([luma(image) for image in self.cropped])
            self.histograms = np.stack([colour_histogram(image) for image in self.cropped])

    def measures(self, a: int, b: int) -> tuple[float, float, float]:
        """Return the distances of two frames in colour, luma and structure, 0..1."""
        colours = float(np.clip(1 - np.minimum(self.histograms[a], self.histograms[b]).sum(), 0, 1))
        brightness = float(np.abs(self.grey[a].astype(np.float32) - self.grey[b]).mean() / 255)
        return colours, brightness, structure_change(self.grey[a], self.grey[b])

    def differ(self, colours: float, structure: float) -> bool:
        """Return whether frames at these distances belong to two shots."""
        return colours + structure >= self.settings.cut


def _join_flashes(clip: _Clip, cut: NDArray[np.bool_], state: NDArray[np.object_]) -> None:
    """Remove the two cuts around a frame whose neighbours look alike; the frame is a flash."""
    for k in range(1, len(cut) - 1):
        if not (cut[k] and cut[k + 1]):
            continue
        colours, _, structure = clip.measures(k - 1, k + 1)
        if colours < clip.settings.flash and not clip.differ(colours, structure):
            cut[k] = cut[k + 1] = False
            state[k] = "flash"


def _join_dissolves(clip: _Clip, cut: NDArray[np.bool_], state: NDArray[np.object_]) -> None:
    """Find up to three frames that mix two shots; the shots are cut in their middle."""
    for span in (4, 3, 2):
        for k in range(len(cut) - span):
            if (state[k : k + span + 1] != "valid").any() or not _is_blend(clip.cropped[k : k + span + 1]):
                continue
            colours, _, structure = clip.measures(k, k + span)
            if colours > clip.settings.dissolve and clip.differ(colours, structure):
                # Two mixtures far apart may have counted as a cut; the dissolve has one cut, in its middle.
                cut[k + 1 : k + span + 1] = False
                cut[k + (span + 1) // 2] = True
                state[k + 1 : k + span] = "dissolve"


def _prominent(colours: Array, structure: Array, settings: Shots) -> NDArray[np.bool_]:
    """Find quiet cuts: both kinds of change together exceed ``quiet`` and stand far above the frames around them.

    One neighbour may be as large (another cut nearby); a clip's first frames, with fewer than three neighbours, have
    no cut of this kind.
    """
    total = colours + structure
    cuts = np.zeros(len(total), bool)
    for k in range(1, len(total)):
        around = np.sort(np.concatenate([total[max(1, k - 5) : k], total[k + 1 : k + 6]]))
        if len(around) < 3:
            continue
        cuts[k] = (
            colours[k] >= settings.quiet_histogram
            and structure[k] >= settings.quiet_structure
            and total[k] >= settings.quiet
            and total[k] >= settings.prominence * around[-2]
        )
    return cuts


def _largest_change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> int:
    # The mean over the picture would call a still body with a talking mouth a duplicate.
    return int(cv2.absdiff(before, after).max())


def _is_blend(frames: NDArray[np.uint8]) -> bool:
    """Return whether the inner frames are mixtures of the outer two, in order: a dissolve and not a pan."""
    first, last = frames[0].astype(np.float32).ravel(), frames[-1].astype(np.float32).ravel()
    change = last - first
    size = float(np.linalg.norm(change))
    if size == 0:
        return False
    before = 0.15  # below this share the frame is the first one with some motion
    for frame in frames[1:-1]:
        moved = frame.astype(np.float32).ravel() - first
        share = float(moved @ change) / size**2
        if not before < share < 0.85 or np.linalg.norm(moved - share * change) > 0.35 * size:
            return False
        before = share
    return True


def _join_short(shot: NDArray[np.int32], histograms: Array, min_frames: int) -> NDArray[np.int32]:
    """Join each shot that is too short to the neighbour with the nearer mean histogram; renumber from 0."""
    shot = shot.copy()
    while True:
        names, sizes = np.unique(shot, return_counts=True)
        short = np.flatnonzero(sizes < min_frames)
        if len(names) < 2 or len(short) == 0:
            return np.unique(shot, return_inverse=True)[1].astype(np.int32)
        place = int(short[0])
        means = [histograms[shot == name].mean(0) for name in names]
        neighbours = [i for i in (place - 1, place + 1) if 0 <= i < len(names)]
        target = min(neighbours, key=lambda i: float(np.abs(means[i] - means[place]).sum()))
        shot[shot == names[place]] = names[target]


def _scenes(
    shot: NDArray[np.int32], times: NDArray[np.float64], histograms: Array, settings: Shots
) -> NDArray[np.int32]:
    """Number the connected components of shots that look alike and lie near each other in time (A B A B)."""
    names = np.unique(shot)
    means = [histograms[shot == name].mean(0) for name in names]
    span = [(times[shot == name][0], times[shot == name][-1]) for name in names]
    scene = list(range(len(names)))
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            if span[b][0] - span[a][1] > settings.scene_gap:
                break
            if 1 - np.minimum(means[a], means[b]).sum() < settings.scene_histogram:
                # Shots between two of one scene belong to it as well: scenes are stretches of time.
                merged = min(scene[a : b + 1])
                scene[a : b + 1] = [merged] * (b + 1 - a)
    numbers = np.unique(scene, return_inverse=True)[1]
    return np.asarray([numbers[int(np.searchsorted(names, s))] for s in shot], np.int32)
