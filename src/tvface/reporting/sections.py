"""What the report's page shows: a section per stage, the headline, the versions; plain values for the template."""

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

# What a reader wants to know first, in data-flow order: (stage, metric).
HEADLINE = (
    ("frames", "cut_recall"),
    ("faces", "recall_frontal"),
    ("sequences", "mixed"),
    ("landmarks", "nme"),
    ("masks", "face_iou"),
    ("reconstruct", "reprojection_nme"),
    ("reconstruct", "posed_error"),
    ("reconstruct", "jitter"),
)


def manifests_by_stage(paths: Sequence[str | Path]) -> dict[str, list[dict[str, Any]]]:
    """Group manifests by stage; only the metadata is read, so a thousand episodes cost seconds."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(map(str, paths)):
        metadata = pq.read_metadata(path)
        provenance = json.loads(metadata.metadata[METADATA_KEY])
        name = _name(Path(path), provenance["stage"])
        found.setdefault(provenance["stage"], []).append(
            {"name": name, "rows": metadata.num_rows, "provenance": provenance}
        )
    return found


def _name(path: Path, stage: str) -> str:
    """Return a manifest's name inside its stage's folder: all curves of training are called ``curve``."""
    folders = path.parent.parts
    inside = folders[len(folders) - folders[::-1].index(stage) :] if stage in folders else ()
    return "/".join([*inside, path.name.removesuffix(".parquet")])


def versions(manifests: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the versions of the libraries that made the run; groups of rules may have environments of their own."""
    found: dict[str, set[str]] = {}
    for item in manifests:
        for library, version in item["provenance"]["versions"].items():
            found.setdefault(library, set()).add(version)
    return {library: ", ".join(sorted(versions)) for library, versions in sorted(found.items())}


def section(name: str, manifests: list[dict[str, Any]], metrics: pd.DataFrame, figures: pd.DataFrame) -> dict[str, Any]:
    """Return what the page shows of one stage.

    Args:
        name: of the stage.
        manifests: its manifests, see :func:`manifests_by_stage`.
        metrics, figures: rows of ``evaluate`` and of ``render``, of all stages.
    """
    dropped: Counter[str] = Counter()
    weights: dict[str, str] = {}
    # What the manifests were made with; jobs of one stage may have read different settings (models, phases).
    recorded: dict[str, Any] = {}
    for item in manifests:
        dropped.update(item["provenance"]["dropped"])
        weights.update(item["provenance"]["weights"])
        recorded = merge(recorded, item["provenance"]["settings"])
    rows = metrics[metrics["stage"] == name]
    return {
        "name": name,
        "about": STAGES[name].about.capitalize() + ".",
        "backends": sorted({item["provenance"]["backend"] for item in manifests} - {""}),
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
        {"manifest": item["name"], "rows": item["rows"], "dropped": sum(item["provenance"]["dropped"].values())}
        for item in manifests
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
    """Return the rows of the metrics that a reader wants to know first."""
    lines = []
    for stage, metric in HEADLINE:
        rows = metrics[(metrics["stage"] == stage) & (metrics["metric"] == metric)]
        lines += [_metric_row(row) for _, row in rows.iterrows()]
    return lines


def subtitle(statistics: Mapping[str, Any]) -> str:
    """Return the page's second title: how many sequences there are, and in which parts."""
    splits = statistics.get("sequences_per_split", {})
    parts = ", ".join(f"{count} {name}" for name, count in splits.items())
    return f"{statistics.get('sequences', 0)} sequences ({parts})" if parts else "no sequences"
