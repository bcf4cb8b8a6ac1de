"""Measures of the drawn people beside published measures of adults.

    python -m tvface.head.human.anthropometry

prints a table: mean and standard deviation of the table of people, and of adults of both sexes in surveys.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvface.head.human import PLACE
from tvface.head.human.cut import EYE_LEFT, EYE_RIGHT, SKIN
from tvface.head.human.stored import Stored

# Places on the mean head in mm, each snapped to the nearest vertex of the skin: side of the nose, gnathion, glabella.
_ALARE, _GNATHION, _GLABELLA = (18.2, -43.6, 88.9), (0.0, -113.0, 80.8), (0.0, 24.4, 93.1)


@dataclass(frozen=True)
class Published:
    """mean and standard deviation in mm of adults, both sexes together; source."""

    mean: float
    deviation: float
    source: str


_NIOSH = "Zhuang and Bradtmiller 2005"
_FARKAS = "Farkas 1994"
# Both sexes: the mean of the two means; the deviation holds half of their difference too.
PUBLISHED = {
    "interpupillary": Published(63.2, 3.8, _NIOSH),
    "outer eye corners (ex-ex)": Published(89.5, 3.6, _FARKAS),
    "inner eye corners (en-en)": Published(35.4, 4.0, "pooled origins in equal parts"),
    "nose width (al-al)": Published(34.9, 4.3, _NIOSH),
    "mouth width (ch-ch)": Published(49.6, 4.4, _NIOSH),
    "nose height (n-sn)": Published(50.1, 4.4, _NIOSH),
    "face height (n-gn)": Published(118.0, 8.0, _NIOSH),
    "head breadth": Published(149.9, 6.6, _NIOSH),
    "head length": Published(192.4, 8.8, _NIOSH),
}


def measures(head: Stored, codes: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures in mm, (N,) each, of persons with identity codes (N,S)."""
    skin = np.flatnonzero(head.part == SKIN)

    def nearest(place: tuple[float, float, float]) -> int:
        return int(skin[np.argmin(np.linalg.norm(head.template[skin] - place, axis=1))])

    def marks(numbers: Sequence[int]) -> np.ndarray:
        corners = head.faces[head.full_faces[list(numbers)]]
        weights = head.full_bary[list(numbers)]
        mean = np.einsum("nk,nkc->nc", weights, head.template[corners])
        columns = np.einsum("nk,snkc->snc", weights, head.identity[:, corners])
        return np.asarray(mean + np.einsum("ps,snc->pnc", codes, columns))

    def vertices(numbers: np.ndarray | list[int]) -> np.ndarray:
        moved = head.identity[:, numbers].reshape(len(head.identity), -1)
        return np.asarray(head.template[numbers] + (codes @ moved).reshape(len(codes), -1, 3))

    def apart(points: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(points[:, 0] - points[:, 1], axis=1))

    eyes = [vertices(np.flatnonzero(head.part == kind)) for kind in (EYE_RIGHT, EYE_LEFT)]
    pupils = np.stack([0.5 * (eye.max(1) + eye.min(1)) for eye in eyes], 1)
    alare = nearest(_ALARE)
    middle = np.concatenate([marks([27, 33]), vertices([nearest(_GNATHION), nearest(_GLABELLA)])], 1)
    skull = vertices(skin[(head.ears[skin] < 0.1) & (head.template[skin, 1] > -20)])
    return {
        "interpupillary": apart(pupils),
        "outer eye corners (ex-ex)": apart(marks([36, 45])),
        "inner eye corners (en-en)": apart(marks([39, 42])),
        "nose width (al-al)": apart(vertices([alare, int(head.mirror[alare])])),
        "mouth width (ch-ch)": apart(marks([48, 54])),
        "nose height (n-sn)": apart(middle[:, [0, 1]]),
        "face height (n-gn)": apart(middle[:, [0, 2]]),
        "head breadth": skull[:, :, 0].max(1) - skull[:, :, 0].min(1),
        "head length": middle[:, 3, 2] - skull[:, :, 2].min(1),
    }


def table(head: Stored, codes: np.ndarray) -> str:
    """Return the table in Markdown."""
    lines = ["| mm | people | adults | source |", "|---|---|---|---|"]
    for name, values in measures(head, codes).items():
        known = PUBLISHED[name]
        lines.append(
            f"| {name} | {values.mean():.1f} +- {values.std():.1f} | {known.mean:.1f} +- {known.deviation:.1f} | "
            f"{known.source} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tvface.head.human.anthropometry", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--head", type=Path, default=PLACE, help="the head's file")
    head = Stored.load(parser.parse_args(arguments).head)
    print(f"{len(head.codes)} people\n\n{table(head, head.codes)}")


if __name__ == "__main__":
    main()
