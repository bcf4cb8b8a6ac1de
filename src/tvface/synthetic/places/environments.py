"""Environments of light: windows, lamps, sky and sun, stages and studios, as an ambient light and a few area lights.

Light adds up in linear RGB. The renderer multiplies display colours, as DECA does, so the environment is converted: the
strongest area light becomes a lamp that throws shadows, another one behind the head a second lamp, and the rest is
projected on spherical harmonics, so that their sum comes near the encoded sum of all lights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tvface.synthetic.render.light import SH_FACTORS, PointLight, facing_disc
from tvface.synthetic.render.occlusion import spread_directions

ENCODING = 2.2  # exponent between linear light and display values
DAYLIGHT = 6500.0  # kelvin
_WAVELENGTHS = np.array([612e-9, 549e-9, 465e-9])  # metres, the middles of the primaries
_NORMALS = 162


def _basis(normals: np.ndarray) -> np.ndarray:
    x, y, z = normals.T
    plain = np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], 1)
    return np.asarray(plain * SH_FACTORS)


NORMALS = spread_directions(_NORMALS)
# Normals that the camera sees count more: an exact fit is impossible with nine functions.
_WEIGHT = np.where(NORMALS[:, 2] > -0.2, 1.0, 0.25)[:, None]
_FIT = np.linalg.pinv(_basis(NORMALS) * _WEIGHT) * _WEIGHT.T
_FRONT = np.array([(0, 0, 1), (0.6, 0, 0.8), (-0.6, 0, 0.8), (0, 0.6, 0.8), (0, -0.6, 0.8)])
_BEHIND = -0.25  # z of the direction to a light that lights rims alone


def colour_of(kelvin: float) -> np.ndarray:
    """Return the linear RGB of a glowing body by Planck's law, scaled to a green of 1; daylight is white: (3,)."""

    def glow(temperature: float) -> np.ndarray:
        return np.asarray(1 / np.expm1(1.4388e-2 / (_WAVELENGTHS * temperature)))

    colour = glow(kelvin) / glow(DAYLIGHT)
    return np.asarray(colour / colour[1])


@dataclass(frozen=True)
class AreaLight:
    """A light: direction (3,) unit, camera axes; colour (3,), the linear light on white that faces it; spread, its
    angular radius in radians; distance in metres."""

    direction: np.ndarray
    colour: np.ndarray
    spread: float
    distance: float = 8.0


@dataclass(frozen=True)
class Environment:
    """Light around a head, in linear RGB.

    above, below: (3,) ambient light on surfaces that face up and down; lights: the strongest first; scene: "indoors",
    "outdoors", "studio" or "dark"; behind: light on the background in the unit of the lights.
    """

    above: np.ndarray
    below: np.ndarray
    lights: tuple[AreaLight, ...]
    scene: str
    behind: np.ndarray

    def scaled(self, gains: np.ndarray | float) -> Environment:
        """Return the environment with all light times ``gains``, a number or (3,)."""
        lights = tuple(replace(light, colour=light.colour * gains) for light in self.lights)
        return replace(
            self, above=self.above * gains, below=self.below * gains, lights=lights, behind=self.behind * gains
        )

    def irradiance(self, normals: np.ndarray) -> np.ndarray:
        """Return the linear light on surfaces with unit normals (N, 3), without shadows: (N, 3)."""
        up = 0.5 + 0.5 * normals[:, 1:2]
        total = up * self.above + (1 - up) * self.below
        for light in self.lights:
            total = total + facing_disc(normals @ light.direction, light.spread)[:, None] * light.colour
        return np.asarray(total)

    def projected(self) -> np.ndarray:
        """Return all light as the renderer's spherical harmonics, (9, 3) float32 in DECA's basis, display colours."""
        return np.asarray(_FIT @ self.irradiance(NORMALS) ** (1 / ENCODING), np.float32)

    def lamps(self) -> list[int]:
        """Return which of the lights are rendered as lamps: the strongest, and one behind the head."""
        rims = [k for k, light in enumerate(self.lights) if k and light.direction[2] < _BEHIND]
        return [*range(min(1, len(self.lights))), *rims[:1]]

    def render(self, head: np.ndarray) -> tuple[np.ndarray, list[PointLight]]:
        """Return the light for the renderer about a head at (3,) metres.

        Returns:
            (9, 3) float32 in DECA's basis, and the lamps, the strongest first. Both are factors of display colours.
        """
        shown = self.irradiance(NORMALS) ** (1 / ENCODING)
        lamps = []
        for index in self.lamps():
            light = self.lights[index]
            facing = self.irradiance(light.direction[None])[0]
            rest = np.maximum(facing - light.colour, 0)
            colour = facing ** (1 / ENCODING) - rest ** (1 / ENCODING)
            shown = shown - facing_disc(NORMALS @ light.direction, light.spread)[:, None] * colour
            place = np.asarray(head, np.float64) + light.distance * light.direction
            lamps.append(PointLight(place, colour * light.distance**2, light.spread))
        return (_FIT @ np.maximum(shown, 0)).astype(np.float32), lamps


def towards(azimuth: float, height: float) -> np.ndarray:
    """Return the unit vector of an azimuth (0: the camera, positive: the picture's right) and a height, degrees."""
    a, h = np.radians([azimuth, height])
    return np.array([np.sin(a) * np.cos(h), np.sin(h), np.cos(a) * np.cos(h)])


def _side(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _light(
    rng: np.random.Generator, azimuth: float, height: float, level: float, kelvin: float, degrees: float
) -> AreaLight:
    """Return a light of a colour temperature whose tint is a little off, as of real lamps."""
    colour = level * colour_of(kelvin) * np.exp(rng.normal(0, 0.03, 3))
    return AreaLight(towards(azimuth, height), colour, float(np.radians(degrees)))


def _ambient(rng: np.random.Generator, level: float, kelvin: float, down: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ambient light from above and, ``down`` times that and tinted by the floor, from below."""
    above = level * colour_of(kelvin) * np.exp(rng.normal(0, 0.04, 3))
    return above, above * down * np.exp(rng.normal((0.05, 0, -0.05), 0.08))


def _window(rng: np.random.Generator) -> Environment:
    kelvin = rng.uniform(5000, 8500)
    ratio = _log(rng, 1.6, 7)
    key = _light(rng, _side(rng) * rng.uniform(15, 85), rng.uniform(-3, 35), 1.0, kelvin, rng.uniform(13, 36))
    above, below = _ambient(rng, 1.0 / ratio, rng.uniform(0.65, 1.0) * kelvin, rng.uniform(0.5, 1.0))
    return Environment(above, below, (key,), "indoors", above * _log(rng, 0.7, 2.5))


def _interview(rng: np.random.Generator) -> Environment:
    """Three-point light: key, fill on the other side, rim from behind."""
    side, kelvin = _side(rng), rng.choice([3200.0, 4300.0, 5600.0])
    ratio = _log(rng, 1.4, 5)
    key = _light(rng, side * rng.uniform(18, 60), rng.uniform(15, 45), 1.0, kelvin, rng.uniform(6, 24))
    fill = _light(
        rng, -side * rng.uniform(15, 60), rng.uniform(-5, 25), 0.7 / ratio, kelvin * rng.uniform(0.9, 1.2), 30
    )
    rim = _light(
        rng, -side * rng.uniform(115, 165), rng.uniform(20, 50), _log(rng, 0.2, 1.3), rng.uniform(3000, 7000), 8
    )
    above, below = _ambient(rng, 0.5 / ratio, kelvin, rng.uniform(0.5, 1.0))
    lights = (key, fill, rim) if rng.random() < 0.65 else (key, fill)
    return Environment(above, below, lights, "studio" if rng.random() < 0.5 else "indoors", above * _log(rng, 0.5, 3.5))


def _ceiling(rng: np.random.Generator) -> Environment:
    kelvin = rng.uniform(3000, 5200)
    ratio = _log(rng, 1.0, 3.2)
    key = _light(rng, _side(rng) * rng.uniform(0, 70), rng.uniform(35, 75), 1.0, kelvin, rng.uniform(14, 38))
    above, below = _ambient(rng, 1.1 / ratio, kelvin, rng.uniform(0.45, 0.9))
    green = np.array([1.0, 1 + max(0.0, rng.normal(0, 0.05)), 1.0])  # tubes
    return Environment(above * green, below * green, (key,), "indoors", above * _log(rng, 0.7, 2.0))


def _table_lamp(rng: np.random.Generator) -> Environment:
    kelvin = rng.uniform(2500, 3300)
    key = _light(rng, _side(rng) * rng.uniform(10, 110), rng.uniform(-20, 45), 1.0, kelvin, rng.uniform(6, 16))
    key = replace(key, distance=rng.uniform(0.45, 1.6))
    above, below = _ambient(rng, _log(rng, 0.06, 0.35), rng.choice([kelvin, 5000.0, 8000.0]), rng.uniform(0.5, 1.0))
    return Environment(above, below, (key,), "indoors", above * _log(rng, 0.6, 2.0) + 0.1 * key.colour)


def _sun(rng: np.random.Generator) -> Environment:
    azimuth = _side(rng) * rng.uniform(0, 120)
    height = rng.uniform(10, 65)
    kelvin = 5600 - 2600 * np.exp(-height / 14)
    key = replace(_light(rng, azimuth, height, 1.0, kelvin, rng.uniform(2, 5)), distance=60.0)
    above, below = _ambient(rng, _log(rng, 0.07, 0.35), rng.uniform(7500, 9000), rng.uniform(0.5, 1.1))
    behind = (above + below + key.colour) * _log(rng, 0.35, 1.2)
    return Environment(above, below * [1.1, 1.0, 0.85], (key,), "outdoors", behind)


def _overcast(rng: np.random.Generator) -> Environment:
    above, below = _ambient(rng, 1.0, rng.uniform(6000, 8500), rng.uniform(0.25, 0.6))
    key = _light(rng, _side(rng) * rng.uniform(0, 90), rng.uniform(20, 70), _log(rng, 0.15, 0.9), 6500, 40)
    return Environment(above, below, (key,), "outdoors", above * _log(rng, 0.5, 1.8))


def _stage(rng: np.random.Generator) -> Environment:
    key = _light(
        rng, _side(rng) * rng.uniform(0, 65), rng.uniform(25, 58), 1.0, rng.uniform(3000, 5600), rng.uniform(2, 6)
    )
    level = _log(rng, 0.006, 0.08)
    above, below = _ambient(rng, level, 4000, 0.6)
    gel = 0.15 + rng.dirichlet([0.5, 0.5, 0.5]) * 2
    rim = AreaLight(towards(rng.uniform(110, 250), rng.uniform(10, 50)), gel * _log(rng, 0.2, 1.5), np.radians(6))
    lights = (key, rim) if rng.random() < 0.75 else (key,)
    return Environment(above + 0.04 * gel, below, lights, "dark", (above + 0.1 * gel) * _log(rng, 0.5, 3))


def _candle(rng: np.random.Generator) -> Environment:
    key = _light(rng, rng.normal(0, 45), rng.uniform(-35, 15), 1.0, 2500, rng.uniform(3, 8))
    key = replace(key, distance=rng.uniform(0.4, 1.0))
    above, below = _ambient(rng, _log(rng, 0.01, 0.08), rng.choice([2600.0, 8500.0]), 0.8)
    return Environment(above, below, (key,), "dark", above * 1.5 + 0.05 * key.colour)


def _screen(rng: np.random.Generator) -> Environment:
    key = _light(rng, rng.normal(0, 25), rng.uniform(-30, 10), 1.0, rng.uniform(6500, 9000), rng.uniform(10, 22))
    key = replace(key, distance=rng.uniform(0.5, 1.2))
    above, below = _ambient(rng, _log(rng, 0.06, 0.6), rng.uniform(2700, 5000), 0.7)
    return Environment(above, below, (key,), "indoors", above * _log(rng, 0.8, 2.0))


def _flash(rng: np.random.Generator) -> Environment:
    key = _light(rng, rng.normal(0, 7), rng.uniform(2, 18), 1.0, rng.uniform(5200, 6500), rng.uniform(2, 7))
    key = replace(key, distance=rng.uniform(0.8, 2.5))
    above, below = _ambient(rng, _log(rng, 0.06, 0.4), rng.uniform(2800, 5000), 0.7)
    return Environment(above, below, (key,), "indoors", above * 1.2)


def _backlit(rng: np.random.Generator) -> Environment:
    """A window or a low sun behind; the camera exposes for the face, or not."""
    kelvin = rng.uniform(3500, 7000)
    fill = _light(rng, rng.normal(0, 50), rng.uniform(0, 35), _log(rng, 0.15, 0.5), kelvin, 30)
    rim = _light(rng, 180 + rng.normal(0, 45), rng.uniform(5, 50), _log(rng, 0.6, 2.5), kelvin, rng.uniform(4, 20))
    above, below = _ambient(rng, _log(rng, 0.12, 0.4), rng.uniform(5000, 8000), 0.8)
    scene = "outdoors" if rng.random() < 0.5 else "indoors"
    return Environment(above, below, (fill, rim), scene, colour_of(kelvin) * _log(rng, 0.5, 1.6))


KINDS: tuple[tuple[Callable[[np.random.Generator], Environment], float], ...] = (
    (_window, 0.2),
    (_interview, 0.22),
    (_ceiling, 0.13),
    (_table_lamp, 0.09),
    (_sun, 0.1),
    (_overcast, 0.08),
    (_stage, 0.05),
    (_candle, 0.02),
    (_screen, 0.03),
    (_flash, 0.03),
    (_backlit, 0.05),
)


def draw_environment(rng: np.random.Generator) -> Environment:
    """Draw an environment, white-balanced: most light the face softly from a front side at ratios of 2:1 to 8:1."""
    kind = int(rng.choice(len(KINDS), p=[share for _, share in KINDS]))
    environment = KINDS[kind][0](rng)
    seen = environment.irradiance(_FRONT).mean(0)
    # The camera balances most of the light's colour away; some are set wrongly.
    part = float(np.clip(rng.normal(0.78, 0.12), 0, 1.05)) if rng.random() < 0.85 else rng.uniform(0.1, 0.8)
    return environment.scaled((seen / seen.mean()) ** -part)


def expose_environment(environment: Environment, skin: np.ndarray, rng: np.random.Generator) -> Environment:
    """Scale the light as a camera's exposure does.

    A face of mean reflectance gets about .8 of the display's white; dark skins stay darker than light ones, and scenes
    of stages and candles are dark at times.

    Args:
        environment: of any brightness.
        skin: (3,) RGB display colour of the skin.
    """
    shown = (environment.irradiance(_FRONT) ** (1 / ENCODING)).mean()
    level = float(np.exp(rng.normal(np.log(0.86), 0.16)))
    if environment.scene == "dark":
        level *= rng.uniform(0.5, 1.0)
    level *= (0.55 / float(np.clip(np.mean(skin), 0.1, 1.0))) ** 0.35
    return environment.scaled((level / shown) ** ENCODING)
