"""Stage ``report``: one self-contained HTML page.

Reads every manifest of the run (counts of rows, dropped rows by reason, backends, weights), the metrics and the
pictures of ``render``; writes one HTML file with all pictures inside. A stage without a manifest in ``inputs`` has no
section: the rule decides what belongs to the run.
"""

from __future__ import annotations

import json
from pathlib import Path

import jinja2

from tvface.dag.provenance import STAGES, Paths, stage_run
from tvface.files.atomic import atomic
from tvface.manifests import read
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.render import RENDER
from tvface.reporting.remarks import remarks, unreadable
from tvface.reporting.sections import headline, manifests_by_stage, section, subtitle, versions
from tvface.settings import Settings

TEMPLATE = Path(__file__).resolve().parents[1] / "reporting" / "page.html.j2"


@stage_run("report")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write ``outputs['page']``.

    Args:
        inputs: ``manifests`` (list of all Parquet manifests of the run), ``metrics``, ``figures`` (the manifest of
            ``render``), ``statistics`` (JSON of the dataset).
    """
    metrics = read(inputs["metrics"], EVALUATE).rows
    figures = read(inputs["figures"], RENDER).rows
    by_stage = manifests_by_stage(inputs["manifests"])
    statistics = json.loads(Path(inputs["statistics"]).read_text(encoding="utf-8"))
    shown = {*by_stage, *figures["stage"], *metrics["stage"]}
    sections = [section(name, by_stage.get(name, []), metrics, figures) for name in STAGES if name in shown]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=settings.report.title,
        subtitle=subtitle(statistics),
        notes=[*unreadable(by_stage.get("frames", [])), *remarks(settings, statistics)],
        headline=headline(metrics),
        sections=sections,
        versions=versions(manifest for manifests in by_stage.values() for manifest in manifests),
    )
    with atomic(outputs["page"]) as temporary:
        temporary.write_text(page, encoding="utf-8")
