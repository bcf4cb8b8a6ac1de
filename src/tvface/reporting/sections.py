"""Content of the report's page as plain values for the template: sections of the stages, headline and versions."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml

from tvface.dag.stages import STAGES
from tvface.manifests.base import METADATA_KEY
from tvface.settings import merge

# The metrics at the top of the page, in the order of the data flow: (stage, metric).
HEADLINE = (
    ("frames", "cut_recall"),
    ("faces", "recall_frontal"),
    ("sequences", "mixed"),
    ("landmarks", "nme"),
    ("masks", "face_iou"),
    ("reconstruct", "reprojection_nme"),
    ("reconstruct", "posed_error"),
    ("reconstruct", "neutral_error"),
    ("reconstruct", "jitter"),
)


def manifests_by_stage(paths: Sequence[str | Path]) -> dict[str, list[dict[str, Any]]]:
    """Group manifests by stage; only the metadata is read, so a thousand episodes cost seconds."""
    by_stage: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(map(str, paths)):
        metadata = pq.read_metadata(path)
        provenance = json.loads(metadata.metadata[METADATA_KEY])
        name = _name(Path(path), provenance["stage"])
        by_stage.setdefault(provenance["stage"], []).append(
            {"name": name, "rows": metadata.num_rows, "provenance": provenance}
        )
    return by_stage


def _name(path: Path, stage: str) -> str:
    """Return a manifest's name inside its stage's folder: all curves of training are called ``curve``."""
    folders = path.parent.parts
    inside = folders[len(folders) - folders[::-1].index(stage) :] if stage in folders else ()
    return "/".join([*inside, path.name.removesuffix(".parquet")])


def versions(manifests: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the versions of the libraries that made the run; groups of rules may have separate environments."""
    by_library: dict[str, set[str]] = {}
    for manifest in manifests:
        for library, version in manifest["provenance"]["versions"].items():
            by_library.setdefault(library, set()).add(version)
    return {library: ", ".join(sorted(versions)) for library, versions in sorted(by_library.items())}


def section(name: str, manifests: list[dict[str, Any]], metrics: pd.DataFrame, figures: pd.DataFrame) -> dict[str, Any]:
    """Return the section of one stage.

    Args:
        name: of the stage.
        manifests: its manifests, see :func:`manifests_by_stage`.
        metrics, figures: rows of ``evaluate`` and of ``render``, of all stages.
    """
    dropped: Counter[str] = Counter()
    weights: dict[str, str] = {}
    # Settings that the jobs of the stage read; they may differ between jobs (models, phases).
    recorded: dict[str, Any] = {}
    for manifest in manifests:
        dropped.update(manifest["provenance"]["dropped"])
        weights.update(manifest["provenance"]["weights"])
        recorded = merge(recorded, manifest["provenance"]["settings"])
    rows = metrics[metrics["stage"] == name]
    return {
        "name": name,
        "about": STAGES[name].about.capitalize() + ".",
        "backends": sorted({manifest["provenance"]["backend"] for manifest in manifests} - {""}),
        "weights": weights,
        "counts": _counts(manifests),
        "dropped": dict(sorted(dropped.items())),
        "figures": [
            {"data": _embed(row.file), "caption": row.caption}
            for row in figures[figures["stage"] == name].itertuples()
            if row.kind == "picture"
        ],
        "tables": [
            {"rows": pd.read_csv(row.file, sep="\t", keep_default_na=False).to_dict("records"), "caption": row.caption}
            for row in figures[figures["stage"] == name].itertuples()
            if row.kind == "table"
        ],
        "metrics": [_metric_row(row) for _, row in rows.iterrows()],
        "settings": yaml.safe_dump(recorded, sort_keys=False) if recorded else "",
    }


def _counts(manifests: list[dict[str, Any]], most: int = 12) -> list[dict[str, Any]]:
    """Return a line per manifest, or, where there are many, the largest and the sum."""
    lines = [
        {
            "manifest": manifest["name"],
            "rows": manifest["rows"],
            "dropped": sum(manifest["provenance"]["dropped"].values()),
        }
        for manifest in manifests
    ]
    if len(lines) <= most:
        return lines
    total = {
        "manifest": f"all {len(lines)}",
        "rows": sum(line["rows"] for line in lines),
        "dropped": sum(line["dropped"] for line in lines),
    }
    return [total, *sorted(lines, key=lambda line: -line["rows"])[: most - 1]]


def _embed(file: str) -> str:
    data = base64.b64encode(Path(file).read_bytes()).decode()
    kind = {".png": "png", ".jpg": "jpeg", ".svg": "svg+xml"}[Path(file).suffix]
    return f"data:image/{kind};base64,{data}"


def _metric_row(row: pd.Series) -> dict[str, Any]:
    return {**row.to_dict(), "value": _number(row["value"])}


def _number(value: float | None) -> str:
    if value is None or pd.isna(value):
        return "not defined"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) >= 10 else f"{value:.4g}"


def headline(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the metrics in :data:`HEADLINE`."""
    lines = []
    for stage, metric in HEADLINE:
        rows = metrics[(metrics["stage"] == stage) & (metrics["metric"] == metric)]
        lines += [_metric_row(row) for _, row in rows.iterrows()]
    return lines


def subtitle(statistics: Mapping[str, Any]) -> str:
    """Return the page's subtitle: the number of sequences in all and in each part."""
    splits = statistics.get("sequences_per_split", {})
    parts = ", ".join(f"{count} {name}" for name, count in splits.items())
    return f"{statistics.get('sequences', 0)} sequences ({parts})" if parts else "no sequences"
