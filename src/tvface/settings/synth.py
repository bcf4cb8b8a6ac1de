"""Settings of the embedded show."""

from __future__ import annotations

from dataclasses import dataclass

from tvface.settings.base import option


@dataclass(frozen=True)
class Synth:
    """The embedded show: rendered footage with exact ground truth."""

    enabled: bool = option(True, "use the embedded show as input")
    episodes: int = option(5, "episodes", low=1)
    seconds: float = option(36.0, "length of an episode", unit="s", low=4)
    width: int = option(640, "picture width", unit="px", low=64)
    height: int = option(360, "picture height", unit="px", low=64)
    fps: float = option(25.0, "frame rate", unit="Hz", low=1)
    supersampling: int = option(2, "samples per pixel side", low=1, high=4)
