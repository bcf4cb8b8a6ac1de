"""Measure an embedder on held-out synthetic people: how well it separates them, and the distances to use.

    python -m tvface.bundled.faces --out .cache/tracks --people 60 --faces 8 --seed 1
    python -m tvface.bundled.distances compact --crops .cache/tracks

The distances in the classes of :mod:`tvface.embedders` that need no published weights come from here, so that no
picture of a real person or of the embedded show sets a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from tvface import embedders
from tvface.bundled import people
from tvface.bundled.commands import command_parser
from tvface.bundled.identity import figures
from tvface.embedders.base import SIDE, Embedder
from tvface.settings.data import Faces


def measure(embedder: Embedder, faces: people.People) -> dict[str, float]:
    """Return the figures of :func:`tvface.bundled.identity.figures` for an embedder of aligned crops.

    Raises:
        ValueError: the embedder takes crops of another kind.
    """
    if embedder.crop != "aligned":
        raise ValueError(f"the training faces are aligned crops, and this embedder takes {embedder.crop} crops")
    crops = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for image in faces.images])
    return figures(embedder.embed(crops), faces.person.astype(np.int64), faces.take.astype(np.int64))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: print the figures of one embedder."""
    parser = command_parser("tvface.bundled.distances", __doc__)
    parser.add_argument("embedder", choices=embedders.available())
    parser.add_argument("--crops", type=Path, required=True, help="faces of people that were not trained on")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name, value in measure(embedders.create(options.embedder, Faces()), people.load(options.crops)).items():
        print(f"{name:32s} {value:.4f}")


if __name__ == "__main__":
    main()
