"""What is known of light and skin before a picture is seen: it decides what of a colour is skin and what is light."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from tvface.assets.registry import ROOT
from tvface.networks.bundles import WeightsError
from tvface.rendering.shading import SH_FACTORS

PLACE = ROOT / "resources" / "weights" / "light_prior.npz"

# Normals of a face that looks at the camera: the mean light on them is the light's level.
FRONT = np.array([(0, 0, 1), (0.6, 0, 0.8), (-0.6, 0, 0.8), (0, 0.6, 0.8), (0, -0.6, 0.8)])
# Freedom of the t distributions: pictures are odd more often than a normal distribution allows.
FREEDOM = 5.0
# Power of the pictures' likelihood. With 1 the error is least, but every person is drawn towards the common tones: one
# light gives 69 % of the true differences between people; with 1.5 it gives 77 %, and the error is the same.
TRUST = 1.5


def harmonics(normals: np.ndarray) -> np.ndarray:
    """Return the nine functions of :func:`tvface.rendering.shading.sh_basis` at unit normals (N, 3): (N, 9)."""
    x, y, z = normals.T
    plain = np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], 1)
    return np.asarray(plain * np.array(SH_FACTORS, plain.dtype))


def level(light: np.ndarray) -> np.ndarray:
    """Return the level of lights (..., 9, 3): the mean reflected light of white at :data:`FRONT`, RGB (..., 3)."""
    return np.asarray(harmonics(FRONT).mean(0) @ light)


@dataclass(frozen=True)
class LightPrior:
    """Statistics of lights, of people's skin and of the whites of their eyes; ``tvface.bundled.light_prior`` makes it.

    A light is its level (RGB) times a shape. Cameras expose for the face, but not wholly: the log level falls with the
    log of the skin's mean over RGB. The pictures are of M kinds, whose levels scatter differently: straight from the
    renderer, graded like footage, dark on purpose.

    Attributes:
        shape: (27,) mean of the coefficients (9, 3) over the level, row-major.
        shape_covariance: (27, 27).
        skins: (N, 3) mean colours of people's skin, display values in [0, 1].
        exposure: () slope of the log level over the log skin, negative.
        shares: (M,) of the kinds of pictures; centres: (M, 3) their mean log level on a skin of 1; scatters: (M, 3, 3)
            of the log level about that.
        whites: (2, 3) log of the eyes' whites over the level: on a skin of 1, and its slope over the log skin.
        whites_scatter: (3, 3) about that.
    """

    names: ClassVar[tuple[str, ...]] = (
        *("shape", "shape_covariance", "skins", "exposure", "shares", "centres", "scatters", "whites"),
        "whites_scatter",
    )
    shape: np.ndarray
    shape_covariance: np.ndarray
    skins: np.ndarray
    exposure: np.ndarray
    shares: np.ndarray
    centres: np.ndarray
    scatters: np.ndarray
    whites: np.ndarray
    whites_scatter: np.ndarray

    @classmethod
    def load(cls, place: Path = PLACE) -> LightPrior:
        """Read a table, by default the shipped one.

        Raises:
            WeightsError: it is missing.
        """
        return _load(place)

    def save(self, place: Path) -> None:
        """Write the table as npz."""
        np.savez_compressed(place, **{name: getattr(self, name).astype(np.float32) for name in self.names})

    def usual_light(self, skin: np.ndarray) -> np.ndarray:
        """Return the mean light (9, 3) on a skin (3,)."""
        return np.asarray(self.shape.reshape(9, 3) * np.exp(self.centres[0] + self.exposure * np.log(skin.mean())))

    def skin(self, seen: np.ndarray, whites: np.ndarray) -> np.ndarray:
        """Return the expected skin colour of a person seen under K lights: the mean of the table's people, each by how
        well their skin explains the pictures.

        Args:
            seen: (K, 3) log of the apparent colour under each light: skin times level, per channel.
            whites: (3,) log of the eyes' whites over the apparent skin; nan if the eyes do not show.

        Returns:
            (3,) display values.
        """
        skins = np.log(self.skins)
        mean = np.log(self.skins.mean(1))[:, None]
        off = np.asarray(seen)[:, None] - skins - self.exposure * mean
        kinds = zip(self.shares, self.centres, self.scatters, strict=True)
        likely = np.log(sum(share * _density(off - centre, scatter) for share, centre, scatter in kinds)).sum(0)
        if np.isfinite(whites).all():
            expected = self.whites[0] + self.whites[1] * mean - skins
            likely = likely + np.log(_density(np.asarray(whites) - expected, self.whites_scatter))
        weight = np.exp(TRUST * (likely - likely.max()))
        return np.asarray(weight @ self.skins / weight.sum())


def _density(off: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Return Student's t density with :data:`FREEDOM` degrees at offsets (..., 3), up to a constant factor."""
    squared = np.einsum("...i,ij,...j->...", off, np.linalg.inv(scatter), off)
    return np.asarray((1 + squared / FREEDOM) ** (-(FREEDOM + 3) / 2) / np.sqrt(np.linalg.det(scatter)))


@lru_cache(maxsize=2)
def _load(place: Path) -> LightPrior:
    remedy = "restore it from the repository, or make it: python -m tvface.bundled.light_prior"
    if not place.is_file():
        raise WeightsError(f"{place}: the table of lights is missing; {remedy}")
    try:
        with np.load(place, allow_pickle=False) as stored:
            return LightPrior(**{name: stored[name].astype(np.float64) for name in LightPrior.names})
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise WeightsError(f"{place}: not a table of lights ({error}); {remedy}") from error
