"""Cuts of hair: what covers the scalp, how long its strands are, which way they are combed; and who wears which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvface.synthetic.people.population import Nature


@dataclass(frozen=True)
class Cut:
    """A cut; lengths in millimetres.

    shell: thickness of the closed layer over the scalp. cards: number of ribbons, 0 none. steps: segments of each.
    width: of a ribbon. kind: of ``hair.cards.KINDS``. comb: "whorl" (away from the crown), "side", "back", "up"
    (to a knot) or "out". top, sides: length of strands there. end: range of heights where hanging hair ends, None:
    ``top`` and ``sides`` hold. lift: how much the roots stand up. fall: weight of gravity at the tips. layer: thickness
    of the layer that the ribbons fill. wave: amplitude. curtain: azimuth in degrees that hanging hair leaves free.
    fringe: whether hair in front hangs over the forehead. loose: how far hair may leave its layer. strays: share of
    fly-away ribbons. unruly: standard deviation of their directions. gloss: strength of the
    highlight.
    """

    shell: float
    cards: int = 0
    steps: int = 3
    width: float = 9.0
    kind: str = "short"
    comb: str = "whorl"
    top: float = 30.0
    sides: float = 18.0
    end: tuple[float, float] | None = None
    lift: float = 0.5
    fall: float = 0.3
    layer: float = 8.0
    wave: float = 0.0
    curtain: float = 0.0
    fringe: bool = False
    loose: float = 6.0
    strays: float = 0.06
    unruly: float = 0.2
    gloss: float = 0.2


_UP = Cut(4.0, 240, 5, 13.0, "straight", "up", lift=0.05, fall=0.0, layer=4.0, loose=1.0, strays=0.03, unruly=0.06)
CUTS: dict[str, Cut] = {
    "bald": Cut(0.0),
    "rim": Cut(2.0, 150, 3, 8.0, top=12.0, sides=14.0, lift=0.25, fall=0.5, layer=4.0),
    "buzz": Cut(1.5),
    "crop": Cut(4.0, 330, 3, 8.5, top=26.0, sides=9.0, lift=0.75, fall=0.1, layer=7.0, unruly=0.3),
    "short": Cut(5.0, 360, 3, 10.0, top=38.0, sides=24.0, lift=0.5, fall=0.35, layer=9.0, unruly=0.3),
    "side": Cut(5.0, 340, 4, 12.0, comb="side", top=66.0, sides=24.0, lift=0.35, fall=0.1, layer=12.0, unruly=0.14),
    "back": Cut(5.0, 330, 4, 12.0, comb="back", top=66.0, sides=36.0, lift=0.3, fall=0.05, layer=12.0, unruly=0.14),
    "fringe": Cut(5.0, 340, 4, 11.0, "straight", "whorl", 50.0, 34.0, None, 0.4, 0.5, 10.0, fringe=True),
    "bob": Cut(
        5.0, 230, 6, 17.0, "straight", "side", end=(-112, -62), lift=0.2, fall=0.9, layer=15.0, curtain=56.0, unruly=0.1
    ),
    "long": Cut(
        5.0,
        160,
        7,
        18.0,
        "straight",
        "side",
        end=(-250, -150),
        lift=0.2,
        fall=0.95,
        layer=13.0,
        curtain=52.0,
        unruly=0.08,
    ),
    "wavy": Cut(
        6.0,
        160,
        7,
        22.0,
        "wavy",
        "side",
        end=(-235, -120),
        lift=0.3,
        fall=0.9,
        layer=20.0,
        wave=6.0,
        curtain=54.0,
        unruly=0.13,
    ),
    "curls": Cut(
        9.0,
        165,
        7,
        26.0,
        "curly",
        "side",
        end=(-190, -90),
        lift=0.5,
        fall=0.75,
        layer=24.0,
        wave=10.0,
        curtain=58.0,
        loose=10.0,
        unruly=0.22,
        gloss=0.12,
    ),
    "afro": Cut(14.0, 460, 3, 13.0, "coil", "out", 24.0, 18.0, None, 1.6, 0.0, 10.0, 5.0, loose=40.0, gloss=0.06),
    "bun": _UP,
    "ponytail": _UP,
}

# Shares of the cuts, in their order, of men and women; origin and age change them.
_MEN = (4, 0, 14, 20, 26, 20, 10, 6, 1, 2, 1, 2, 0, 1, 0)
_WOMEN = (1, 0, 1, 1, 6, 4, 4, 9, 16, 26, 18, 5, 0, 10, 8)


def wearer_shares(nature: Nature) -> np.ndarray:
    """Return the probabilities of the cuts, in the order of :data:`CUTS`, for a person: (cuts,) float64."""
    shares = dict(zip(CUTS, map(float, _MEN if nature.man else _WOMEN), strict=True))
    curly = float(np.clip(1.6 * nature.african - 0.3, 0, 1))
    for name in ("crop", "short", "side", "back", "fringe", "bob", "long", "wavy"):
        shares[name] *= 1 - 0.8 * curly
    shares["afro"] += curly * (24 if nature.man else 20)
    shares["curls"] += curly * (3 if nature.man else 18)
    shares["buzz"] += curly * (25 if nature.man else 4)
    shares["wavy"] *= 1 - 0.8 * float(np.clip(1.6 * nature.asian - 0.3, 0, 1))
    if nature.man and nature.age > 40:
        old = float(np.clip((nature.age - 40) / 35, 0, 1))
        shares["rim"] = 8 + 34 * old
        shares["bald"] += 14 * old
        shares["fringe"] *= 1 - old
    total = np.array(list(shares.values()))
    return np.asarray(total / total.sum())
