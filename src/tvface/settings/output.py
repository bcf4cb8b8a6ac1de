"""Settings of the output stages: reconstruct, evaluate, render, report."""

from __future__ import annotations

from dataclasses import dataclass

from tvface.settings.base import option


@dataclass(frozen=True)
class Reconstruct:
    """Codes and meshes."""

    split: str = option("test", "part of the dataset to reconstruct: train, validation, test or all")
    shared_identity: bool = option(False, "one shape code per track (the mean over its frames)")
    unmasked_displacement: bool = option(
        False, "displace the detail mesh outside the face mask too, as DECA exports it (renderings do not show that)"
    )
    meshes: int | None = option(4, "sequences whose meshes are written as OBJ and GLB; null: all", low=0)


@dataclass(frozen=True)
class Evaluate:
    """Numbers against ground truth, images and each other."""

    match_iou: float = option(0.4, "overlap that makes a detection match a true face", low=0, high=1)
    frontal_yaw: float = option(30.0, "faces turned less count as frontal", unit="deg", low=0, high=90)


@dataclass(frozen=True)
class Render:
    """Figures."""

    sequences: int = option(2, "sequences drawn", low=1)
    columns: int = option(5, "frames per figure", low=1)
    tile: int = option(224, "side of one picture", unit="px", low=64)


@dataclass(frozen=True)
class Report:
    """The HTML report."""

    title: str = option("tvface", "title of the page")
    pictures: int = option(12, "pictures per stage", low=1)
