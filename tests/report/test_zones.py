"""Zones on the signal page: boxes over price, their bounds in the legend, words for values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from report_signals import BANNER, bars, trades
from test_signals_browser import Visit

from hpi_bt.errors import InputError
from hpi_bt.report.drawing import drawings
from hpi_bt.report.signals import write_signals

BOX = {
    "indicator": "Map", "label": "Map", "column": "Map.low", "line": "low", "pane": "price",
    "kind": "zone", "high": "top", "strength": "weight", "color": "#ff0000", "title": "hot",
}  # fmt: skip
MOOD = {
    "indicator": "Map", "label": "Map", "column": "Map.mood", "line": "mood", "pane": "mood",
    "kind": "step", "words": {-1: "gloomy", 1.0: "merry"}, "range": [-2, 2],
}  # fmt: skip
COLUMNS = ["Map.low", "Map.top", "Map.weight", "Map.mood"]


def market() -> Any:
    """Bars with one box on bars 550 to 579, wide around the price, then none."""
    frame = bars()
    middle = frame["close"].iloc[550:].mean()
    inside = (np.arange(len(frame)) >= 550) & (np.arange(len(frame)) < 580)
    frame["Map.low"] = np.where(inside, middle - 0.3, np.nan)
    frame["Map.top"] = np.where(inside, middle + 0.3, np.nan)
    frame["Map.weight"] = 1.0
    frame["Map.mood"] = np.where(inside, 1.0, -1.0)
    return frame


def drawn(**changes: Any) -> dict[str, Any]:
    return drawings([BOX | changes], COLUMNS, {})[0]


def test_a_zone_names_the_columns_of_its_bounds_and_weight():
    found = drawn()
    assert (found["column"], found["high"], found["strength"]) == (
        "Map.low", "Map.top", "Map.weight",
    )  # fmt: skip
    assert drawn(strength=None)["strength"] is None
    assert drawn(title="")["title"] == ""


def test_words_are_kept_by_value():
    assert drawings([MOOD], COLUMNS, {})[0]["words"] == {"-1": "gloomy", "1": "merry"}
    assert drawn()["words"] == {}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"high": None}, "Map.low: high names None"),
        ({"high": "tip"}, r"Map.low: high names 'tip' \("),
        ({"strength": "wait"}, r"strength names 'wait'"),
        ({"words": "merry"}, "Map.low: words 'merry'; give number: text pairs"),
        ({"words": {"one": "merry"}}, "words {'one': 'merry'}; give number: text pairs"),
    ],
)
def test_a_zone_that_cannot_be_drawn_is_refused(changes, wanted):
    with pytest.raises(InputError, match=wanted):
        drawn(**changes)


def test_the_page_packs_the_bounds(tmp_path):
    write_signals(
        tmp_path / "chart.html", market(), [BOX, MOOD], trades(), title="Run", banner=BANNER
    )
    text = (tmp_path / "chart.html").read_text("utf-8")
    for column in COLUMNS:
        assert f'["{column}",' in text


@pytest.fixture
def visit(browser, tmp_path):
    with Visit(browser, tmp_path, market(), [BOX, MOOD], trades()) as made:
        yield made
        assert made.complaints == []


def tint(visit: Visit, bar: int) -> float:
    """How much redder than green the chart is above the price of a bar, on the whole."""
    visit.page.mouse.move(5, 5)
    visit.calm()
    box = visit.page.locator("#chart").bounding_box()
    x = visit.page.evaluate("i => __signals.chart.timeScale().logicalToCoordinate(i)", bar)
    column = visit.picture()[int(box["y"]) + 60 : int(box["y"]) + 260, int(box["x"] + x)]
    return float((column[:, 0] - column[:, 1]).mean())


def test_a_box_is_painted_where_there_is_one_until_zones_are_switched_off(visit):
    visit.show(540, 600)
    on, beside = tint(visit, 565), tint(visit, 592)
    visit.page.click("[data-layer=zones]")
    assert tint(visit, 565) < on - 5.0
    assert tint(visit, 592) == beside
    visit.page.click("[data-layer=zones]")
    assert tint(visit, 565) == on


def test_the_legend_shows_both_bounds_and_the_words(visit):
    visit.show(540, 600)
    visit.point(560)
    shown = visit.legend()
    low, high = (float(v.replace(",", "")) for v in shown["Map.low"].split(" to "))
    assert high - low == pytest.approx(0.6, abs=0.011)
    assert shown["Map.mood"] == "merry"
    visit.point(590)
    shown = visit.legend()
    assert (shown["Map.low"], shown["Map.mood"]) == ("–", "gloomy")
    assert "hot" in visit.page.inner_text(".legend[data-pane=price]")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(57_762.0, "57.8K"), (50_000.0, "50K"), (9_500.0, "9,500"), (2.5e6, "2.5M"), (3.2e9, "3.2B")],
)
def test_large_numbers_of_an_axis_are_told_in_thousands_and_millions(visit, value, wanted):
    assert visit.page.evaluate("v => short(v)", value) == wanted
    assert visit.page.evaluate("v => short(-v)", value) == "−" + wanted
