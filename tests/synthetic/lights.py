"""Light of the tests' pictures."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.render.light import sh_light


def flat_light() -> np.ndarray:
    """Return the even studio light, (9, 3) float32."""
    return sh_light(np.array([0.72, 0.06, 0.12, 0.26, 0, 0, 0, 0, 0.02]))
