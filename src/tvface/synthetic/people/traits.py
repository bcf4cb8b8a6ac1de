"""The looks of a procedural person, drawn once per person from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tvface.synthetic.people.haircuts import CUTS, wearer_shares
from tvface.synthetic.people.pigments import absorbed
from tvface.synthetic.people.population import Nature

TONES = np.array(
    [
        (0.930, 0.750, 0.645),
        (0.900, 0.705, 0.585),
        (0.870, 0.665, 0.530),
        (0.790, 0.580, 0.448),
        (0.655, 0.458, 0.338),
        (0.485, 0.322, 0.232),
        (0.335, 0.216, 0.156),
    ]
)  # RGB, light to dark; in the face's mean, without reddened zones
HAIR_COLOURS = np.array(
    [
        (0.07, 0.055, 0.05),
        (0.14, 0.09, 0.06),
        (0.24, 0.15, 0.09),
        (0.36, 0.24, 0.14),
        (0.62, 0.48, 0.29),
        (0.74, 0.62, 0.42),
        (0.45, 0.19, 0.09),
        (0.55, 0.54, 0.52),
        (0.80, 0.79, 0.77),
    ]
)
IRIS_COLOURS = np.array(
    [
        (0.17, 0.095, 0.055),
        (0.27, 0.165, 0.085),
        (0.34, 0.27, 0.15),
        (0.30, 0.33, 0.25),
        (0.33, 0.41, 0.49),
        (0.41, 0.45, 0.48),
    ]
)
HAIR_STYLES = tuple(CUTS)

LIPSTICKS: np.ndarray = np.array([[0.62, 0.12, 0.15], [0.68, 0.28, 0.29], [0.45, 0.15, 0.20], [0.72, 0.42, 0.39]])
EYE_SHADOWS: np.ndarray = np.array([[0.35, 0.22, 0.30], [0.30, 0.25, 0.20], [0.2, 0.25, 0.4]])


@dataclass(frozen=True)
class Traits:
    """Colours are RGB in [0, 1], lengths millimetres, strengths in [0, 1]."""

    seed: int
    nature: Nature
    skin: tuple[float, float, float]
    darkness: float  # 0 light .. 1 dark
    mottling: float
    redness: float
    age: float  # 0 at 20 years .. 1 at 80
    freckles: float
    lip_colour: tuple[float, float, float]
    lip_mix: float
    brow_width: float
    brow_density: float
    brow_colour: tuple[float, float, float]
    hair_colour: tuple[float, float, float]
    hair_style: str
    hair_line: float
    recession: float
    stubble: float
    beard: float
    moustache: float
    iris: tuple[float, float, float]
    eye_shadow: float
    shadow_colour: tuple[float, float, float]
    lashes: float
    cloth: tuple[float, float, float]
    cloth_stripes: float
    spectacles: str  # "", "round", "square" or "sun"
    hat: str  # "", "cap", "beanie", "wide" or "scarf"
    gloss: float = 0.7  # strength of the highlights, 0 powdered .. 1.8 oily
    tan: float = 0.0  # sun on forehead and cheeks against the neck
    tired: float = 0.3  # darkness below the eyes
    moles: int = 3
    blemishes: int = 0  # red spots
    lipstick: bool = False
    bushiness: float = 0.0  # of the brows: long, unruly and white hairs
    beard_style: str = "full"  # "full", "goatee" or "strap"
    beard_length: float = 8.0
    # The following are drawn by variety.py.
    brows: tuple[tuple[float, float], ...] = ()  # points 17..26 in frontal mm; empty: the head's brows
    crease: float = 0.0  # darkness of the upper lid's fold
    crease_height: float = 4.0  # of the fold above the lid, mm
    liner: float = 0.0  # width of the line along the upper lid
    liner_below: float = 0.0  # strength of the line along the lower lid
    wing: float = 0.0  # length of the upper line beyond the outer corner
    lash_length: float = 0.0
    smoke: float = 0.0  # dark shadow all around the eye
    parting: float = 0.0  # where the hair parts, degrees of azimuth
    hair_volume: float = 1.0  # times the style's thickness
    hair_waves: float = 0.0  # unevenness of that thickness, 0 .. 1
    curtain: float = 0.0  # azimuth in degrees where hanging hair begins; 0: that of the cut
    hair_natural: tuple[float, float, float] | None = None  # colour of the strands that are not grey; None: hair_colour
    grey: float = 0.0  # share of white strands
    highlights: float = 0.0  # strength of bleached strands
    clothes: str = ""  # one of clothes.KINDS; empty: drawn
    hair_end: float = 0.0  # height where hanging hair ends, mm; 0: drawn from the range of the cut


def rgb(colour: np.ndarray) -> tuple[float, float, float]:
    """Turn an array of three into a tuple of plain floats."""
    r, g, b = (float(value) for value in colour)
    return r, g, b


def _jitter(rng: np.random.Generator, colour: np.ndarray, spread: float) -> tuple[float, float, float]:
    return rgb(np.clip(colour * (1 + rng.normal(0, spread, 3)) * (1 + rng.normal(0, spread)), 0.02, 0.97))


def _skin(rng: np.random.Generator, late: np.random.Generator, nature: Nature) -> tuple[np.ndarray, float]:
    """Draw a skin colour between neighbouring tones, and how dark it is, 0 .. 1.

    A person's difference from their tone is one of melanin, blood and carotene, so no hue outside of people's occurs.
    """
    middle = 5.2 * nature.african + 2.0 * nature.asian + 1.0 * nature.caucasian
    tone = float(np.clip(rng.normal(middle, 0.8), 0, len(TONES) - 1))
    low = int(tone)
    skin = TONES[low] + (tone - low) * (TONES[min(low + 1, len(TONES) - 1)] - TONES[low])
    blood = late.normal(0.10 * nature.caucasian + 0.03, 0.05)
    yellow = late.normal(0.08 * nature.asian - 0.03 * nature.caucasian, 0.05)
    skin = absorbed(skin, late.normal(0, 0.03), blood, yellow)
    return np.clip(skin * np.exp(late.normal(0, 0.02)), 0.02, 0.95), tone / (len(TONES) - 1)


def _hair_colour(rng: np.random.Generator, grey: float, nature: Nature) -> tuple[np.ndarray, np.ndarray]:
    """Draw a colour, and the same mixed with ``grey`` in [0, 1]; only people of mostly Caucasian origin have light
    hair."""
    natural = HAIR_COLOURS[int(rng.integers(0, 7 if nature.caucasian > 0.55 else 2))]
    white = HAIR_COLOURS[7] + rng.random() * (HAIR_COLOURS[8] - HAIR_COLOURS[7])
    return np.asarray(natural), np.asarray(natural + grey * (white - natural))


def _grey(rng: np.random.Generator, years: float) -> float:
    """Draw how grey the hair is: half of the people have begun at 50, few are dark at 75; some dye their hair."""
    begun = rng.normal(48, 9)
    if rng.random() < 0.2:
        return 0.0
    return float(np.clip((years - begun) / 18, 0, 1))


def _beard(rng: np.random.Generator, male: bool) -> tuple[float, float]:
    """Draw the density of beard and moustache; most beards have a moustache as thick, few moustaches stand alone."""
    beard = float(rng.uniform(0.5, 1)) if male and rng.random() < 0.28 else 0.0
    if beard and rng.random() < 0.8:
        return beard, beard
    return beard, float(rng.uniform(0.5, 1)) if male and rng.random() < 0.08 else 0.0


def _weathered(rng: np.random.Generator, nature: Nature, make_up: bool) -> dict[str, Any]:
    """Draw shine, tan, marks of the skin, and the cut of a beard."""
    old = float(np.clip((nature.age - 45) / 30, 0, 1))
    blemished = rng.random() < (0.3 if nature.age < 35 else 0.08) and not make_up
    return {
        "gloss": float(np.clip(rng.normal(0.8 if make_up else 1.0, 0.3) - 0.15 * old, 0.2, 1.8)),
        "tan": float(rng.uniform(0, 1)) * (rng.random() < 0.4),
        "tired": float(rng.beta(1.5, 3.0)) * (0.5 if make_up else 1.0),
        "moles": int(rng.poisson(3.0)),
        "blemishes": int(rng.integers(4, 36)) if blemished else 0,
        "bushiness": old * float(rng.uniform(0.1, 1.0)) if nature.man else 0.15 * old,
        "beard_style": str(rng.choice(["full", "goatee", "strap"], p=[0.7, 0.2, 0.1])),
        "beard_length": float(np.exp(rng.normal(np.log(6.0), 0.55))),
    }


def draw_hat(rng: np.random.Generator, male: bool) -> str:
    """Draw a kind of hat."""
    kinds, shares = ("cap", "beanie", "wide", "scarf"), ((0.5, 0.38, 0.12, 0.0) if male else (0.25, 0.25, 0.15, 0.35))
    return str(rng.choice(kinds, p=shares))


def draw_traits(seed: int, nature: Nature | None = None) -> Traits:
    """Draw a person's looks; equal seeds and natures give equal looks.

    Args:
        nature: sex, age and origin that the looks must fit; None: drawn from the seed.
    """
    rng = np.random.default_rng([seed, 0x5EED])
    nature = nature or Nature.draw(rng)
    # What came later has a generator of its own, so that the older looks of a seed stay.
    late = np.random.default_rng([seed, 0x1A7E])
    skin, darkness = _skin(rng, late, nature)
    age = float(np.clip((nature.age - 20) / 60, 0, 1))
    grey = _grey(rng, nature.age)
    natural, hair = _hair_colour(rng, grey, nature)
    male = nature.man
    eyes = len(IRIS_COLOURS) if nature.caucasian > 0.55 else 2
    style = str(rng.choice(HAIR_STYLES, p=wearer_shares(nature)))
    make_up = (not male) and rng.random() < 0.5
    lipstick = make_up and late.random() < 0.7
    blood = late.uniform(0.5, 0.85) * (1 - 0.5 * darkness)
    bare = absorbed(skin, late.uniform(0.0, 0.1) + 0.15 * darkness, blood, -late.uniform(0.05, 0.35))
    # Lipstick lets some of the skin's brightness through.
    stick = LIPSTICKS[int(rng.integers(4))] if make_up else bare
    lip = stick * (0.35 + 0.75 * skin.mean()) if lipstick else bare
    beard, moustache = _beard(rng, male)
    brow = hair * rng.uniform(0.5, 0.95)
    # Brows turn grey later than the hair, and against skin pure grey would look blue.
    brow = brow * min(1.0, 0.5 / brow.max()) * (1 - 0.3 * grey) * (1 - grey * np.array([0.0, 0.1, 0.22]))
    brow = 0.8 * brow + 0.1 * skin  # thin hair lets the skin through
    glasses = ""
    if rng.random() < 0.2:
        glasses = str(rng.choice(["round", "square", "square", "sun"]))
    hat = draw_hat(rng, male) if rng.random() < 0.08 else ""
    return Traits(
        seed=seed,
        nature=nature,
        skin=_jitter(rng, skin, 0.005),
        darkness=float(darkness),
        mottling=float(rng.uniform(0.012, 0.035)),
        redness=float(rng.uniform(0.1, 1.0) * (1 - 0.6 * darkness)),
        age=age,
        freckles=float(rng.uniform(0.3, 1)) if rng.random() < 0.25 else 0.0,
        lip_colour=_jitter(rng, lip, 0.04 if lipstick else 0.01),
        lipstick=lipstick,
        lip_mix=float(rng.uniform(0.5, 0.92) if lipstick else rng.uniform(0.7, 1.0)),
        brow_width=float(rng.uniform(3.4, 6.2) if male else rng.uniform(2.2, 4.6)),
        brow_density=float(rng.uniform(0.35, 1.0)),
        brow_colour=_jitter(rng, brow, 0.04 - 0.03 * grey),
        hair_colour=_jitter(rng, hair, 0.02),
        hair_style=style,
        hair_line=float(rng.uniform(50, 70)),
        recession=float(rng.uniform(0, 1) * (1.0 if male else 0.3)),
        stubble=float(rng.uniform(0.15, 0.8)) if male and not beard and rng.random() < 0.6 else 0.0,
        beard=beard,
        moustache=moustache,
        iris=_jitter(rng, IRIS_COLOURS[int(rng.integers(0, eyes))], 0.08),
        eye_shadow=float(rng.uniform(0.2, 0.7)) if make_up else 0.0,
        shadow_colour=_jitter(rng, EYE_SHADOWS[int(rng.integers(3))], 0.1),
        lashes=float(rng.uniform(0.6, 1.0) if make_up else rng.uniform(0.25, 0.75)),
        cloth=_jitter(rng, rng.uniform(0.06, 0.85) * (1 - rng.uniform(0, 0.7) * rng.uniform(0, 1, 3)), 0.02),
        cloth_stripes=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.3 else 0.0,
        spectacles=glasses,
        hat=hat,
        hair_natural=_jitter(rng, natural, 0.02),
        grey=grey,
        highlights=float(rng.uniform(0.3, 0.9)) if not male and natural.mean() > 0.12 and rng.random() < 0.35 else 0.0,
        **_weathered(late, nature, make_up),
    )
