"""Drawing on pictures: boxes, points, class overlays, captions and contact sheets (RGB uint8, H x W x 3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from tvface.media.images import Image

Colour = tuple[int, int, int]

_LEGEND_CELL = 92  # px: swatch, the longest name ("right brow", 56 px), margins

# zllrunning's order, the order of class maps everywhere in tvface.
CLASS_NAMES = (
    "background", "skin", "left brow", "right brow", "left eye", "right eye", "glasses", "left ear", "right ear",
    "earring", "nose", "mouth", "upper lip", "lower lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
PALETTE: NDArray[np.uint8] = np.array(
    [
        (0, 0, 0), (236, 188, 150), (120, 72, 40), (160, 100, 60), (64, 132, 214), (110, 180, 240), (90, 90, 110),
        (240, 150, 110), (220, 120, 80), (250, 220, 80), (250, 210, 170), (120, 20, 40), (220, 60, 80), (180, 40, 90),
        (200, 150, 120), (210, 190, 60), (80, 150, 100), (110, 70, 130), (60, 180, 170),
    ],
    np.uint8,
)  # fmt: skip


def boxes(
    rgb: Image,
    corners: ArrayLike,
    colours: Sequence[Colour] | None = None,
    captions: Sequence[str] | None = None,
    thickness: int = 2,
) -> Image:
    """Return a copy of a picture with rectangles.

    Args:
        rgb: H x W x 3 uint8.
        corners: (N, 4) x0, y0, x1, y1 in pixels.
        colours: of each rectangle; by default distinct ones.
        captions: of each rectangle, drawn above it.
        thickness: of the lines in pixels.
    """
    canvas = rgb.copy()
    for index, (x0, y0, x1, y1) in enumerate(np.asarray(corners, np.float64).reshape(-1, 4)):
        colour = colours[index] if colours is not None else distinct_colour(index)
        cv2.rectangle(canvas, (round(x0), round(y0)), (round(x1), round(y1)), colour, thickness, cv2.LINE_AA)
        if captions is not None and captions[index]:
            canvas = text(canvas, captions[index], (x0, max(0, y0 - 17)), colour=(255, 255, 255), behind=colour)
    return canvas


def points(rgb: Image, positions: ArrayLike, colour: Colour = (60, 255, 90), radius: float = 2) -> Image:
    """Return a copy of a picture with filled discs.

    Args:
        rgb: H x W x 3 uint8.
        positions: (..., 2) x, y in pixels, drawn to 1/16 of a pixel.
        colour: RGB.
        radius: in pixels.
    """
    canvas = rgb.copy()
    for x, y in np.asarray(positions, np.float64).reshape(-1, 2):
        centre = (round(x * 16), round(y * 16))
        cv2.circle(canvas, centre, round(radius * 16), colour, -1, cv2.LINE_AA, shift=4)
    return canvas


def class_overlay(rgb: Image, labels: NDArray[np.integer], opacity: float = 0.5) -> Image:
    """Return the picture blended with the colours of its classes.

    Args:
        rgb: H x W x 3 uint8.
        labels: H x W in zllrunning order; background (0) is not coloured.
        opacity: of the colours, in 0..1.
    """
    colours = PALETTE[labels].astype(np.float32)
    weight = (opacity * (labels > 0)).astype(np.float32)[..., None]
    return np.clip(np.rint(rgb * (1 - weight) + colours * weight), 0, 255).astype(np.uint8)


def legend(classes: Sequence[int] | None = None, columns: int = 5, width: int = 640) -> Image:
    """Return a picture of colour swatches with the names of ``classes`` (default: all but background).

    Args:
        columns: most names side by side; a narrow picture has fewer.
        width: of the picture, px.
    """
    columns = max(1, min(columns, width // _LEGEND_CELL))
    entries = list(classes) if classes is not None else list(range(1, len(CLASS_NAMES)))
    rows, cell = -(-len(entries) // columns), width // columns
    canvas = np.full((rows * 20 + 4, width, 3), 255, np.uint8)
    for index, label in enumerate(entries):
        x, y = index % columns * cell + 4, index // columns * 20 + 4
        canvas[y : y + 12, x : x + 12] = PALETTE[label]
        canvas = text(canvas, CLASS_NAMES[label], (x + 17, y - 2), colour=(30, 30, 30), size=12)
    return canvas


def text(
    rgb: Image,
    words: str,
    position: tuple[float, float],
    colour: Colour = (255, 255, 255),
    behind: Colour | None = None,
    size: int = 12,
) -> Image:
    """Return a copy of a picture with text.

    Args:
        rgb: H x W x 3 uint8.
        words: the text.
        position: x, y of its top-left corner in pixels.
        colour: of the text, RGB; on a background it is black or white.
        behind: colour of a filled background; None: no background.
        size: of the font in pixels.
    """
    picture = PillowImage.fromarray(rgb)
    draw = ImageDraw.Draw(picture)
    x, y = position
    if behind is not None:
        left, top, right, bottom = draw.textbbox((x, y), words, font=_font(size))
        draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=behind)
        colour = (0, 0, 0) if np.dot(behind, (0.299, 0.587, 0.114)) > 140 else (255, 255, 255)
    draw.text((x, y), words, fill=colour, font=_font(size))
    return np.asarray(picture, np.uint8).copy()


def contact_sheet(
    images: Sequence[Image],
    captions: Sequence[str] | None = None,
    columns: int = 10,
    cell: tuple[int, int] = (112, 112),
    size: int = 11,
) -> Image:
    """Return pictures on a grid, each scaled into its cell without distortion. No pictures give one empty white cell.

    Args:
        images: H x W x 3 uint8 each.
        captions: below each picture; may have several lines.
        columns: most pictures side by side.
        cell: width and height of a cell in pixels, without the caption.
        size: of the font in pixels.
    """
    width, height = cell
    lines = max((caption.count("\n") + 1 for caption in captions or ()), default=0)
    tall, wide = height + lines * (size + 3) + 4, width + 4
    rows = max(1, -(-len(images) // columns))
    canvas = np.full((rows * tall, max(1, min(columns, len(images))) * wide, 3), 255, np.uint8)
    for index, image in enumerate(images):
        factor = min(width / image.shape[1], height / image.shape[0])
        fitted = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        row, column = divmod(index, columns)
        y, x = row * tall + 2 + (height - fitted[1]) // 2, column * wide + 2 + (width - fitted[0]) // 2
        canvas[y : y + fitted[1], x : x + fitted[0]] = cv2.resize(image, fitted, interpolation=method)
    if captions is not None:
        picture = PillowImage.fromarray(canvas)
        draw = ImageDraw.Draw(picture)
        for index, caption in enumerate(captions):
            row, column = divmod(index, columns)
            place = (column * wide + 3, row * tall + height + 3)
            draw.multiline_text(place, caption, fill=(20, 20, 20), font=_font(size), spacing=2)
        canvas = np.asarray(picture, np.uint8).copy()
    return canvas


def distinct_colour(index: int) -> Colour:
    """Return the ``index``-th colour of an endless list of colours that are easy to distinguish."""
    hue = (index * 0.618033988749895) % 1.0  # the golden ratio spreads any number of hues evenly
    hsv = np.array([[[round(hue * 179), 190 if index % 2 else 230, 235]]], np.uint8)
    red, green, blue = (int(value) for value in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0])
    return red, green, blue


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
