"""Backgrounds of synthetic pictures: rooms, streets, landscapes and studios, and sample pictures of scikit-image.

The scenes are drawn once each, larger than a picture; a background is a window of one, mirrored, in the light of the
picture and out of focus. The sample pictures are permissively licensed. No picture shows a person, a cat or a coin with
a head on it: such a face would have no label.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numba
import numpy as np
from skimage import data

from tvface.synthetic.camera.lens import HIGHLIGHTS, defocus, to_linear
from tvface.synthetic.noise import Noise
from tvface.synthetic.places import rooms, scenery

# (function of skimage.data, licence, source); checked against the docstrings of scikit-image 0.26.0. Pictures
# without a stated licence (the Middlebury motorcycle, page, moon) are left out.
PICTURES: tuple[tuple[str, str, str], ...] = (
    ("coffee", "CC0", "Rachel Michetti, Pikolo Espresso Bar"),
    ("rocket", "public domain", "SpaceX Photos"),
    ("gravel", "CC0", "CC0Textures Gravel04"),
    ("brick", "CC0", "CC0Textures Bricks25"),
    ("grass", "CC0", "linolafett, Grass 01"),
    ("hubble_deep_field", "public domain", "NASA, HubbleSite 2012/37"),
    ("text", "public domain", "Wikipedia, Corner.png"),
    ("clock", "public domain", "Stefan van der Walt"),
    ("retina", "CC0", "Mikael Haggstrom"),
)


@lru_cache(maxsize=32)
def picture(name: str) -> np.ndarray:
    """Return one sample picture, RGB uint8 (H, W, 3), read-only.

    Raises:
        KeyError: the name is not one of :data:`PICTURES`.
    """
    names = [entry[0] for entry in PICTURES]
    if name not in names:
        raise KeyError(f"no background picture named {name!r}; valid: {', '.join(names)}")
    image = getattr(data, name)()
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    image = np.ascontiguousarray(image[:, :, :3], dtype=np.uint8)
    image.setflags(write=False)
    return image


def picture_background(name: str, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a random, possibly mirrored and defocused window of a sample picture: RGB uint8 (height, width, 3)."""
    source = picture(name)
    rows, columns = source.shape[:2]
    largest = min(columns / width, rows / height)
    scale = largest * rng.uniform(0.45, 1.0)
    cut_width, cut_height = max(2, int(width * scale)), max(2, int(height * scale))
    x = int(rng.integers(0, columns - cut_width + 1))
    y = int(rng.integers(0, rows - cut_height + 1))
    window = source[y : y + cut_height, x : x + cut_width]
    interpolation = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    image = cv2.resize(window, (width, height), interpolation=interpolation)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    return blur(image, rng.uniform(0, 0.012) * width)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Apply a Gaussian blur with ``sigma`` in pixels; below .3 px return the picture unchanged."""
    if sigma < 0.3:
        return np.ascontiguousarray(image)
    return cv2.GaussianBlur(image, (0, 0), sigma)


def gradient_background(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a two-colour gradient in a random direction with soft noise: RGB uint8 (height, width, 3)."""
    first, second = rng.uniform(0.05, 0.95, (2, 3))
    second = first + (second - first) * rng.uniform(0.2, 1.0)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = np.cos(angle) * columns / width + np.sin(angle) * rows / height
    ramp = (ramp - ramp.min()) / (np.ptp(ramp) + 1e-6)
    image = first + (second - first) * ramp[:, :, None]
    noise = Noise(cells=int(rng.integers(2, 12)), octaves=2).draw(width, height, rng)
    image = image * (1 + rng.uniform(0, 0.2) * noise[:, :, None])
    return np.clip(image * 255, 0, 255).astype(np.uint8)


Draw = Callable[[int, int, np.random.Generator], np.ndarray]
SCENE = (400, 300)  # width and height of a drawn scene
# What lies behind people in each kind of surroundings, how often, and how many scenes of it there are.
SCENES: dict[str, tuple[tuple[Draw, float, int], ...]] = {
    "indoors": (
        (rooms.room, 0.72, 56),
        (scenery.plain, 0.18, 16),
        (scenery.curtain, 0.05, 6),
        (scenery.studio, 0.05, 24),
    ),
    "outdoors": (
        (rooms.street, 0.4, 30),
        (scenery.landscape, 0.35, 24),
        (scenery.foliage, 0.2, 12),
        (scenery.plain, 0.05, 16),
    ),
    "studio": (
        (scenery.studio, 0.5, 24),
        (scenery.plain, 0.25, 16),
        (scenery.curtain, 0.1, 6),
        (rooms.room, 0.15, 56),
    ),
    "dark": (
        (scenery.night, 0.35, 12),
        (scenery.stage, 0.4, 16),
        (scenery.curtain, 0.1, 6),
        (rooms.room, 0.15, 56),
    ),
}


@lru_cache(maxsize=256)
def scene(draw: Draw, number: int) -> np.ndarray:
    """Return a scene, RGB uint8 (300, 400, 3), read-only; ``number`` is the seed of its generator."""
    linear = draw(*SCENE, np.random.default_rng([number, 0x5CE]))
    image = encoded(linear)
    image.setflags(write=False)
    return image


def _display_table() -> np.ndarray:
    """Return the display values over the root of light 0..16: (4096,) uint8; what is above white keeps its order."""
    linear = 16 * np.linspace(0, 1, 4096) ** 2
    over = np.maximum(linear - 0.83, 0)
    rolled = np.minimum(linear, 0.83) + 0.17 * over / (over + 0.6)  # white is reached by lamps alone
    return np.round(255 * rolled ** (1 / 2.2)).astype(np.uint8)


_DISPLAY = _display_table()


@numba.njit(cache=True, nogil=True, fastmath=True)
def _encode(linear: np.ndarray, tint: np.ndarray, table: np.ndarray, image: np.ndarray) -> None:
    last = table.shape[0] - 1
    scale = np.float32(last / 4.0)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            for k in range(3):
                place = scale * np.sqrt(max(linear[y, x, k] * tint[k], np.float32(0.0)))
                image[y, x, k] = table[min(int(place + np.float32(0.5)), last)]


def encoded(linear: np.ndarray, tint: np.ndarray | None = None) -> np.ndarray:
    """Return the display values of linear light (H, W, 3) float32 times ``tint`` (3,): (H, W, 3) uint8."""
    image = np.empty(linear.shape, np.uint8)
    gains = np.ones(3) if tint is None else tint
    _encode(np.ascontiguousarray(linear, np.float32), np.asarray(gains, np.float32), _DISPLAY, image)
    return image


def scene_background(kind: str, behind: np.ndarray, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a window from a scene, in the light of the picture and out of focus: RGB uint8 (height, width, 3).

    Args:
        kind: of :data:`SCENES`.
        behind: (3,) linear light on the background, 1 for a white that is just white.
    """
    choices = SCENES[kind]
    draw, _, count = choices[int(rng.choice(len(choices), p=[share for _, share, _ in choices]))]
    source = scene(draw, int(rng.integers(count)))
    rows, columns = source.shape[:2]
    scale = min(columns / width, rows / height) * rng.uniform(0.35, 1.0)
    cut = np.array([max(2, int(width * scale)), max(2, int(height * scale))])
    x, y = int(rng.integers(0, columns - cut[0] + 1)), int(rng.integers(0, rows - cut[1] + 1))
    window = source[y : y + cut[1], x : x + cut[0]]
    image = cv2.resize(window, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
    repaint = np.exp(rng.normal(0, 0.12, 3))
    tint = np.clip(behind, 0.004, 3.0) * repaint
    radius = 0.0 if rng.random() < 0.12 else float(np.exp(rng.uniform(np.log(0.004), np.log(0.055)))) * width
    return encoded(defocus(to_linear(image, HIGHLIGHTS), radius), tint)


def random_background(
    width: int,
    height: int,
    rng: np.random.Generator,
    kind: str = "indoors",
    behind: np.ndarray | tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """Draw a background: most are scenes, the rest sample pictures and gradients; RGB uint8 (height, width, 3).

    Args:
        width, height: in pixels.
        rng: of everything random.
        kind: of the surroundings, see :data:`SCENES`.
        behind: (3,) linear light on the background.
    """
    choice = rng.random()
    if choice < 0.8:
        return scene_background(kind, np.asarray(behind), width, height, rng)
    if choice < 0.93:
        name = PICTURES[int(rng.integers(len(PICTURES)))][0]
        image = picture_background(name, width, height, rng)
    else:
        image = gradient_background(width, height, rng)
    gain = np.clip(np.asarray(behind), 0.02, 1.5) ** (1 / 2.2)
    return np.clip(image * gain, 0, 255).astype(np.uint8)
