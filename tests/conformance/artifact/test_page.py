"""The page of an artifact: whole in one file, whatever the names are, for artifacts of older versions too."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn import ensemble
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from sls_ml.artifact import Artifact, build, packed
from sls_ml.artifact.page import render
from sls_ml.artifact.pictures import scatter
from webdriver import AVAILABLE, browser

Matrix = np.ndarray[Any, Any]


class Outline(HTMLParser):
    """Checks that tags are closed in order, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Open a tag."""
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last one."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """A tag that is closed at once."""
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_needs_nothing_else(credit: Any, people: pd.DataFrame) -> None:
    # GIVEN an artifact of a classifier
    artifact = build(credit, people, name="credit")
    # WHEN it is shown
    page = render(artifact)
    # THEN the page is whole, loads nothing and runs nothing
    found = outline(page)
    assert not found.tags & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?:|url\(|@import", page)
    # AND says what the artifact is
    text = " ".join(found.text)
    for word in (artifact.digest, "income", "Bern", "ort_capi", "probability", "LogisticRegression"):
        assert word in text


@pytest.mark.parametrize(
    "model", [LinearRegression(), KNeighborsRegressor(), KMeans(2, n_init=1), StandardScaler()]
)
def test_every_kind_has_a_page(model: Any, numbers: Matrix) -> None:
    # GIVEN an artifact of any kind
    artifact = build(model.fit(numbers, numbers[:, 0]), numbers, name="m")
    # WHEN it is shown
    # THEN the page is whole
    assert "<svg" in render(artifact)
    outline(render(artifact))


def test_names_are_text_and_nothing_more(numbers: Matrix) -> None:
    # GIVEN a column that is called like a tag
    frame = pd.DataFrame(numbers, columns=["<script>alert(1)</script>", "b&b", 'c"', "d"])
    artifact = build(LinearRegression().fit(frame, numbers[:, 0]), frame, name="m")
    # WHEN it is shown
    # THEN it stays text
    assert "script" not in outline(render(artifact)).tags


def test_a_report_of_an_older_version_is_enough(numbers: Matrix) -> None:
    # GIVEN an artifact without a report and without a reference for drift
    artifact = build(LinearRegression().fit(numbers, numbers[:, 0]), numbers, name="m")
    manifest = {key: value for key, value in artifact.manifest.items() if key != "drift"}
    # WHEN it is shown
    # THEN what is not known is left out
    outline(render(Artifact(manifest=manifest, files=artifact.files, report={})))


def test_rows_furthest_apart_are_told_once(numbers: Matrix) -> None:
    # GIVEN a model whose rows often have the same answers, and a sample with each row thrice
    model = ensemble.RandomForestRegressor(7, max_depth=3, random_state=0).fit(numbers, np.sin(numbers[:, 0]))
    artifact = build(model, np.concatenate([numbers] * 3), name="forest")
    # WHEN the report tells the rows that are furthest apart
    for engine in artifact.report["engines"].values():
        told = [(one["expected"], one["got"]) for one in engine["furthest"]]
        # THEN no two of them say the same
        assert len(set(told)) == len(told)


def test_sizes_of_operators_are_those_in_the_file(numbers: Matrix) -> None:
    # GIVEN the graph of a forest, whose numbers are packed in the file
    model = ensemble.RandomForestRegressor(9, random_state=0).fit(numbers, numbers[:, 0])
    data = build(model, numbers, name="forest").files["model.onnx"]
    graph = onnx.load_from_string(data).graph
    # WHEN the sizes of its nodes are added up
    total = sum(packed.size_of(node) for node in graph.node)
    # THEN they are the file but for the little that is no node
    assert len(data) - 400 < total < len(data)


@pytest.mark.skipif(not AVAILABLE, reason="needs chromium and chromedriver")
def test_nothing_scrolls_sideways_on_a_telephone(credit: Any, people: pd.DataFrame, tmp_path: Path) -> None:
    # GIVEN the page of a classifier
    (tmp_path / "page.html").write_text(render(build(credit, people, name="credit")))
    with browser(tmp_path / "profile") as window:
        # WHEN a telephone shows it
        window.resize(390)
        window.open((tmp_path / "page.html").as_uri())
        # THEN the page and each of its cards are as wide as the screen lets them be
        shown = "[...document.querySelectorAll('html, section')]"
        assert window.run(f"return {shown}.filter(one => one.scrollWidth > one.clientWidth).length") == 0


def test_answers_that_do_not_differ_lie_on_one_line_with_one_mark() -> None:
    # GIVEN differences that are all zero
    points = [(1.0, 0.0), (2.0, -0.0)]
    # WHEN they are drawn
    marks = re.findall(r"<text[^>]*>([^<]*)</text>", scatter(points, diagonal=False, label="differences"))
    # THEN the ends of the axis across are said, and the one height once
    assert marks == ["1", "2", "0"]
