"""The gauge's page: every number of the report stands on it, and nothing leaves it."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from gauge_market import write_market
from hpi_bt.gauging import gauge_report
from hpi_bt.report.gauge import write_gauge
from hpi_bt.report.gauge_drawings import Scale, dial, scale_of, sparkline, whisker
from hpi_bt.report.gauge_words import band_ranges, counted, day, shown, signed, titled

TODAY = date(2024, 1, 2)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return write_market(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def made(market):
    report = gauge_report(data_dir=market, today=TODAY, out=market / "pages" / "gauge.html")
    return report, report.page.read_text("utf-8")


class Words(HTMLParser):
    """The visible words of a page, scripts and styles left out."""

    def __init__(self, page):
        super().__init__()
        self.inside, self.words = 0, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.inside += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.inside -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)


def text_of(page):
    page = re.sub(r'<span class="date">(.*?)</span>', r"\1", page)  # for line breaks alone
    return " ".join(" ".join(Words(page).words).split())


def element(page, name):
    return re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page, re.DOTALL)[1]


def unpacked(page):
    """The columns of the page, read as its script reads them."""
    meta = json.loads(element(page, "meta"))
    n, raw = meta["bars"], zlib.decompress(base64.b64decode(element(page, "packed")), 31)
    planes = np.frombuffer(raw, np.uint8).reshape(-1, 6, n).astype(np.int64)
    out = {}
    for (name, decimals), plane in zip(meta["columns"], planes, strict=True):
        coded = sum(plane[k] << (8 * k) for k in range(6))
        known = coded > 0
        z = coded[known] - 1
        values = np.full(n, np.nan)
        values[known] = np.cumsum((z >> 1) ^ -(z & 1)) / 10.0**decimals
        out[name] = values
    return meta, out


def test_the_page_says_what_the_report_says(made):
    report, page = made
    words = text_of(page)
    for said in (report.sentence, *report.freshness, *report.record, report.weighting):
        assert said in words
    assert "for Tuesday 2 January 2024, from closes through 2023-12-29" in words
    assert f"How {report.score} was made" in words
    for name, one in report.latest.components.iterrows():
        assert f"{titled(name)} {shown(name, one['value'])}" in words
        assert f"{one['reliability']:.3f}" in words
        assert f"Data of {one['data_date']:%Y-%m-%d}" in words
    for fall in report.falls.itertuples():
        assert f"{fall.peak:%Y-%m-%d} {fall.crossed:%Y-%m-%d} {fall.trough:%Y-%m-%d}" in words
    assert words.count("missed") == int((~report.falls["warned"]).sum())
    assert words.count("false alarm") == int(report.warnings["false"].sum())
    assert "Every band of every component" in words


def test_the_sum_on_the_page_is_the_score(made):
    report, page = made
    block = page[page.index("was made</h2>") : page.index("How the score works")]
    points = [float(x) for x in re.findall(r"%</td><td>([\d.]+)</td>", block)]
    assert sum(points) == pytest.approx(report.latest.raw, abs=0.006 * len(points))
    a, raw, b, before = map(
        float, re.search(r"([\d.]+) × ([\d.]+) \+ ([\d.]+) × ([\d.]+)", block).groups()
    )
    assert a * raw + b * before == pytest.approx(report.latest.smoothed, abs=0.01)


def test_the_history_on_the_page_is_that_of_the_report(made):
    report, page = made
    meta, columns = unpacked(page)
    score = report.result.score.dropna()
    assert meta["bars"] == len(score)
    assert np.array_equal(columns["score"], score.to_numpy())
    days = pd.to_datetime(columns["time"], unit="s")
    assert list(days) == list(score.index)
    assert np.allclose(columns["smoothed"], report.result.smoothed.dropna(), atol=0.0501)
    spy = report.inputs.spy
    assert np.allclose(
        columns["drawdown"], 100 * (spy / spy.cummax() - 1)[score.index], atol=0.00501
    )
    for name, (column, title) in meta["components"].items():
        assert title == titled(name)
        wanted = report.result.component_scores.loc[score.index, name]
        assert np.allclose(columns[column], wanted, atol=0.0501, equal_nan=True)
    assert [days[i] for i, _ in meta["falls"]] == list(report.falls["crossed"])


def test_the_page_asks_for_nothing_and_escapes_what_it_is_given(made, tmp_path):
    report, page = made
    assert not re.search(r'(?:src|href)="(?!data:|https://(?:www\.tradingview|www\.apache))', page)
    hostile = "</script><script>alert(1)</script> & \"'"
    bad = replace(
        report,
        sentence=hostile,
        page=tmp_path / "x.html",
        inputs=replace(report.inputs, notes=(hostile,)),
    )
    write_gauge(bad)
    page = (tmp_path / "x.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert text_of(page).count("alert(1)") == 2


def test_stale_and_missing_components_are_shown_as_such(market, tmp_path):
    write_market(tmp_path)
    path = tmp_path / "gauges" / "VIX_History.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-20]))
    report = gauge_report(data_dir=tmp_path, today=TODAY, out=tmp_path / "g.html")
    page = report.page.read_text("utf-8")
    words = text_of(page)
    assert "Stale inputs 2 of 4 components" in words
    assert "left out: ends 20 sessions earlier" in words
    assert 'class="freshness stale"' in page
    assert 'class="card component absent" id="card-vix"' in page
    assert 'class="card component" id="card-curve"' in page


def test_where_the_components_change_is_on_the_page(made, tmp_path):
    report, page = made
    scores = report.result.component_scores.copy()
    scores.iloc[400:405, scores.columns.get_loc("curve")] = np.nan
    notes = (*report.inputs.notes, "curve: left out on 5 sessions")
    other = replace(
        report,
        result=report.result._replace(component_scores=scores),
        inputs=replace(report.inputs, notes=notes),
        page=tmp_path / "gap.html",
    )
    write_gauge(other)
    text = other.page.read_text("utf-8")
    meta, columns = unpacked(text)
    first = scores.index.get_loc(report.result.score.first_valid_index())
    assert [400 - first, "without Yield curve"] in meta["changes"]
    assert [405 - first, "with Yield curve"] in meta["changes"]
    assert columns["used"][[400 - first, 405 - first]].tolist() == [3, 4]
    card = re.search(r'id="card-curve".*?</article>', text, re.DOTALL)[0]
    assert "curve: left out on 5 sessions" in card
    assert unpacked(page)[0]["changes"] == [c for c in meta["changes"] if "Yield" not in c[1]]


def test_words_that_hold_for_some_data_alone_are_said_of_these_alone(made, tmp_path):
    report, page = made
    assert "after 2008" not in page
    assert "2000 to 2006" not in page
    falls = report.falls.iloc[:1].assign(
        peak=pd.Timestamp("2000-03-24"), recovered=pd.Timestamp("2006-10-26")
    )
    other = replace(
        report, falls=falls, inputs=replace(report.inputs, notes=()), page=tmp_path / "x.html"
    )
    write_gauge(other)
    words = text_of(other.page.read_text("utf-8"))
    assert "so 2000 to 2006 is one." in words
    assert "Sources and remarks" not in words


def test_a_page_without_falls_or_warnings_says_so(made, tmp_path):
    report, _ = made
    bare = replace(
        report, falls=report.falls[:0], warnings=report.warnings[:0], page=tmp_path / "b.html"
    )
    write_gauge(bare)
    assert text_of((tmp_path / "b.html").read_text("utf-8")).count("None so far.") == 2


def test_a_report_without_a_page_is_refused(made):
    with pytest.raises(ValueError, match="the report has no page"):
        write_gauge(replace(made[0], page=None))


# ---- drawings and words --------------------------------------------------------------------


def test_the_hand_of_the_dial_points_at_the_score():
    for score, angle in (
        (0.0, math.pi),
        (50.0, math.pi / 2),
        (100.0, 0.0),
        (25.0, 3 * math.pi / 4),
    ):
        figure = dial(score, score, math.nan, "low")
        (hand,) = [s for s in figure.shapes if s.attrs["class"] == "hand"]
        x0, y0, x1, y1 = map(float, re.findall(r"-?[\d.]+", hand.attrs["d"]))
        assert math.atan2(y1 - y0, x0 - x1) == pytest.approx(angle, abs=0.01)
        assert not [s for s in figure.shapes if s.attrs["class"] == "before"]
    figure = dial(58.0, 57.6, 40.0, "elevated")
    assert [s.attrs["class"] for s in figure.shapes if "now" in str(s.attrs["class"])] == [
        "band elevated now"
    ]
    assert "58" in [s.text for s in figure.shapes]
    assert [s.text for s in figure.shapes if s.attrs["class"] == "before"] == [
        "five sessions ago 40"
    ]


def test_a_sparkline_ends_at_the_last_known_value():
    figure = sparkline(pd.Series([1.0, 3.0, 2.0, np.nan]), "X")
    (dot,) = [s for s in figure.shapes if s.tag == "circle"]
    assert dot.attrs["cx"] == pytest.approx(2 + 334 * 2 / 3, abs=0.1)
    assert not [s for s in sparkline(pd.Series([np.nan]), "X").shapes if s.tag == "circle"]


def test_a_whisker_lies_on_its_scale():
    scale = scale_of(np.array([0.1, 0.5, np.nan]), 0.3)
    assert scale == Scale(0.1, 0.5, 0.3)
    assert (scale.place(0.1), scale.place(0.3), scale.place(0.5)) == (4.0, 60.0, 116.0)
    shapes = whisker(0.2, 0.1, 0.4, scale).shapes
    assert [s.attrs["class"] for s in shapes] == ["reference", "interval", "estimate"]
    assert [s.tag for s in whisker(0.2, np.nan, np.nan, scale).shapes] == ["line", "circle"]
    assert whisker(np.nan, 0.1, 0.4, scale) is None
    assert scale_of(np.array([np.nan]), np.nan).high == 1.0


def test_words_and_numbers():
    assert signed(3.0) == "+3"
    assert signed(-0.26, 1) == "−0.3"
    assert signed(-0.2) == "±0"
    assert signed(np.nan) == "–"
    assert shown("curve", -0.5) == "+0.50 pp"  # the curve is kept upside down
    assert shown("curve", 0.25) == "−0.25 pp"
    assert shown("drawdown", 0.034) == "3.4 %"
    assert shown("mine", 2.0) == "2"
    assert shown("vix", np.nan) == "–"
    assert (day(pd.NaT), day(pd.Timestamp("2024-02-03"))) == ("–", "2024-02-03")
    assert (counted(1, "day"), counted(2000, "day")) == ("1 day", "2,000 days")
    assert band_ranges() == [
        ("low", "0–32"), ("moderate", "33–56"), ("elevated", "57–69"), ("high", "70–100")
    ]  # fmt: skip
