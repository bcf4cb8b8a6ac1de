"""Stage ``report``: one self-contained HTML page.

Reads every manifest of the run (counts of rows, dropped rows by reason, backends, weights), the metrics and the
pictures of ``render``; writes one file that needs nothing beside it. A stage without a manifest in ``inputs`` has no
section: the rule decides what belongs to the run.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pyarrow.parquet as pq
import yaml

from tvface.dag.provenance import STAGES, Paths, stage_run
from tvface.files.atomic import atomic
from tvface.manifests import read
from tvface.manifests.base import METADATA_KEY
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.render import RENDER
from tvface.settings import Settings, merge

TEMPLATE = Path(__file__).resolve().parents[1] / "reporting" / "page.html.j2"

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


@stage_run("report")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write ``outputs['page']``.

    Args:
        inputs: ``manifests`` (list of all Parquet manifests of the run), ``metrics``, ``figures`` (the manifest of
            ``render``), ``statistics`` (JSON of the dataset).
    """
    metrics = read(inputs["metrics"], EVALUATE).rows
    figures = read(inputs["figures"], RENDER).rows
    by_stage = _manifests_by_stage(inputs["manifests"])
    statistics = json.loads(Path(inputs["statistics"]).read_text(encoding="utf-8"))
    shown = {*by_stage, *figures["stage"], *metrics["stage"]}
    sections = [_section(name, by_stage.get(name, []), metrics, figures) for name in STAGES if name in shown]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=settings.report.title,
        subtitle=_subtitle(statistics),
        notes=[*_unreadable(by_stage.get("frames", [])), *_notes(settings, statistics)],
        headline=_headline(metrics),
        sections=sections,
        versions=_versions(item for manifests in by_stage.values() for item in manifests),
    )
    with atomic(outputs["page"]) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _manifests_by_stage(paths: Sequence[str | Path]) -> dict[str, list[dict[str, Any]]]:
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


def _versions(manifests: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the versions of the libraries that made the run; groups of rules may have environments of their own."""
    found: dict[str, set[str]] = {}
    for item in manifests:
        for library, version in item["provenance"]["versions"].items():
            found.setdefault(library, set()).add(version)
    return {library: ", ".join(sorted(versions)) for library, versions in sorted(found.items())}


def _section(
    name: str, manifests: list[dict[str, Any]], metrics: pd.DataFrame, figures: pd.DataFrame
) -> dict[str, Any]:
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


def _headline(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    lines = []
    for stage, metric in HEADLINE:
        rows = metrics[(metrics["stage"] == stage) & (metrics["metric"] == metric)]
        lines += [_metric_row(row) for _, row in rows.iterrows()]
    return lines


def _subtitle(statistics: Mapping[str, Any]) -> str:
    splits = statistics.get("sequences_per_split", {})
    parts = ", ".join(f"{count} {name}" for name, count in splits.items())
    return f"{statistics.get('sequences', 0)} sequences ({parts})" if parts else "no sequences"


def _unreadable(manifests: list[dict[str, Any]]) -> list[str]:
    """Name the episodes that ``frames.unreadable: skip`` left out, with the reason of each."""
    lost = {item["name"]: item["provenance"]["notes"].get("unreadable") for item in manifests}
    return [f"Episode {name} is left out of everything: {reason}" for name, reason in lost.items() if reason]


def _notes(settings: Settings, statistics: Mapping[str, Any]) -> list[str]:
    """Say what a reader must not miss: switched-off losses, stand-ins for licensed parts, an empty dataset."""
    notes = []
    if not statistics.get("sequences"):
        notes.append(
            "No sequence was found. The tables below say what was dropped and why; loosen the settings of "
            "'sequences' that dropped most."
        )
    off = [
        f"{phase}.{name}"
        for phase, names in (("coarse", ("identity", "photometric")), ("detail", ("mrf",)))
        for name in names
        if getattr(getattr(settings.train, phase).loss_weights, name) == 0
    ]
    if off:
        notes.append("Loss terms switched off by the settings (train.<phase>.loss_weights): " + ", ".join(off) + ".")
    if settings.head.model == "generic":
        notes.append("Head model: tvface's own generic head, not FLAME (head.model: generic).")
    if settings.head.model == "human":
        notes.append("Head model: tvface's own human head of MakeHuman's shapes, not FLAME (head.model: human).")
    stand_ins = [
        f"{stage} by {backend}"
        for stage, backend in (
            ("landmarks", settings.landmarks.backend),
            ("masks", settings.masks.backend),
            ("embeddings", settings.faces.embedder),
            ("flow", settings.dataset.flow.backend),
        )
        if backend in ("compact", "appearance", "dis")
    ]
    if stand_ins:
        notes.append(
            "Embedded backends that need no weights stand in for the paper's networks: " + ", ".join(stand_ins)
        )
    return notes
