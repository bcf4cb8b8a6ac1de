"""The page of the tiny run: every stage's section, figures that lie inside it, and the numbers of the manifests."""

from __future__ import annotations

import base64
from collections import Counter
from html.parser import HTMLParser

import pytest

from tests.workflow.tiny import TinyRun
from tvface.dag.stages import STAGES
from tvface.manifests import read
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.render import RENDER
from tvface.media.images import decode

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Collects what the tests ask for, and refuses tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.images: list[dict[str, str]] = []
        self.captions: list[str] = []
        self.rows: dict[str, list[list[str]]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "h2":
            self.sections.append(values["id"])
            self.rows[values["id"]] = []
        elif tag == "img":
            self.images.append(values)
        elif tag == "a":
            self.links.append(values["href"])
        elif tag == "tr":
            self.rows[self.sections[-1]].append([])
        elif tag in ("td", "th"):
            self.rows[self.sections[-1]][-1].append("")
        elif tag == "figcaption":
            self.captions.append("")
        self.addresses += [values[name] for name in ("src", "href", "action", "data", "poster") if name in values]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[self.sections[-1]][-1][-1] += data
        elif self.open and self.open[-1] == "figcaption":
            self.captions[-1] += data


@pytest.fixture(scope="module")
def page(tiny: TinyRun) -> Page:
    return Page(tiny.made_by("report")["page"].read_text(encoding="utf-8"))


def test_every_stage_has_its_section_in_the_order_of_the_data(page: Page) -> None:
    # The head is no manifest, evaluate's numbers stand with the stages that they judge.
    stages = [name for name in STAGES if name not in ("head", "archive", "evaluate", "report")]
    assert page.sections == ["numbers", *stages, "provenance"]
    assert page.links == [f"#{name}" for name in stages]
    assert all(page.rows[name] for name in page.sections if name != "render")


def test_every_picture_lies_inside_the_page_and_has_its_caption(page: Page, tiny: TinyRun) -> None:
    figures = read(tiny.made_by("render")["manifest"], RENDER).rows
    figures = figures[figures["kind"] == "picture"]
    shown = figures.set_index("stage").loc[[name for name in page.sections if name in set(figures["stage"])]]
    assert [image["alt"] for image in page.images] == page.captions == shown["caption"].tolist()
    for image, file in zip(page.images, shown["file"], strict=True):
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/png;base64"
        content = base64.b64decode(data, validate=True)
        assert content == (tiny.folder / file).read_bytes()
        assert decode(content).size


def test_nothing_is_fetched_from_elsewhere(page: Page) -> None:
    assert all(address.startswith(("data:", "#")) for address in page.addresses)


def test_numbers_are_those_of_evaluate(page: Page, tiny: TinyRun) -> None:
    metrics = read(tiny.made_by("evaluate")["manifest"], EVALUATE).rows
    for stage, rows in metrics.groupby("stage"):
        rows_shown = [cells for cells in page.rows[str(stage)] if len(cells) == 7 and cells[0] != "metric"]
        rows_shown = [cells for cells in rows_shown if cells[0] in set(rows["metric"])]
        assert [(cells[0], cells[1]) for cells in rows_shown] == list(zip(rows["metric"], rows["subject"], strict=True))
        for cells, value in zip(rows_shown, rows["value"], strict=True):
            shown = float(cells[2]) if cells[2] != "not defined" else float("nan")
            assert shown == pytest.approx(value, rel=6e-4, abs=0.5 if abs(value) >= 10 else 0, nan_ok=True)
    assert len(page.rows["numbers"]) > 8


def test_manifests_are_told_apart_and_counted(page: Page, tiny: TinyRun) -> None:
    for stage in ("frames", "train", "synth", "dataset"):
        names = [cells[0] for cells in page.rows[stage] if len(cells) == 3]
        assert max(Counter(names).values()) == 1, f"{stage}: {names}"
    counted = {cells[0]: cells[1] for cells in page.rows["train"] if len(cells) == 3}
    assert {name for name in counted if name != "manifest"} == {
        f"{model}/{phase}/curve" for model in ("deca", "temporal") for phase in ("pretrain", "coarse", "detail")
    }


def test_no_cell_holds_what_a_program_says_instead_of_nothing(page: Page) -> None:
    cells = [cell.strip() for rows in page.rows.values() for row in rows for cell in row]
    assert not {"nan", "NaN", "None", "inf", "<NA>", "NaT", "[]", "{}"} & set(cells)


def test_versions_of_what_made_the_run_are_told(page: Page) -> None:
    assert {"torch", "numpy", "tvface"} <= {cells[0] for cells in page.rows["provenance"]}
