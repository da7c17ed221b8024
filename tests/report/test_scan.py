"""The rows of a scan: which value, which colour, what happened last; and their page."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.backtest.record import Record, fills_frame
from hpi_bt.errors import InputError
from hpi_bt.report.drawing import blend
from hpi_bt.report.scan import age, figure, happened, moment, write_scan
from hpi_bt.report.scan_rows import (
    Occurrence,
    ScanRow,
    gradient_of,
    headlines_of,
    rows_of,
)

HOSTILE = "</script><img src=x onerror=alert(1)> \"'` 😀 שלום \u202e {{7*7}}"
GRADIENT = gradient_of(None, None, "#000000")
LINE = {"indicator": "Osc", "label": "Osc", "column": "Osc.x", "line": "x", "kind": "line"}
SCORE = LINE | {"column": "Osc.score", "line": "score", "levels": [0.0]}
CROSS = LINE | {"column": "Osc.cross", "line": "cross", "kind": "event", "up": "over",
                "down": "under"}  # fmt: skip
STATE = CROSS | {"column": "Osc.state", "line": "state", "up": "bid", "down": "offer"}


def record(panes, minutes=30, **lines):
    """A run of as many bars as the lines have, the last at 16:00 in New York."""
    n = len(next(iter(lines.values())))
    last = pd.Timestamp("2024-03-27 16:00", tz="America/New_York")
    index = pd.date_range(end=last, periods=n, freq=f"{minutes}min")
    close = np.arange(n, dtype=float) + 100.0
    frame = pd.DataFrame({"close": close}, index=index)
    frame.attrs = {"symbol": "IWM", "notes": ["warning: stale"]}
    signals = pd.DataFrame({f"Osc.{k}": np.asarray(v, float) for k, v in lines.items()}, index)
    return Record("fast", "Mine", {}, frame, 1e5, close, close * 0.0, fills_frame([]), signals,
                  panes=panes, remarks=["crosses: 2", "warning: few"], demo="made up")  # fmt: skip


def rows(made, *, length=3, gradient=GRADIENT, style=None):
    return rows_of(made, "my config", length=length, gradient=gradient, style=style or {})


def test_a_row_tells_the_latest_of_an_indicator():
    made = record([LINE, SCORE, CROSS, STATE], x=[9] * 6, score=[0, -2, 4, 0, 2, 1],
                  cross=[0, -1, 1, 0, 0, 0], state=[0, 0, 0, -1, -1, -1])  # fmt: skip
    (row,) = rows(made)
    assert (row.symbol, row.config, row.indicator, row.line) == ("IWM", "my config", "Osc", "score")
    assert (row.close, row.value) == (105.0, 1.0)
    assert row.position == 0.5  # 1 in [0, 2]
    assert (row.color, row.text_color) == ("#80ff80", "#000000")  # between cyan and yellow
    assert row.cross == Occurrence(1, "over", made.frame.index[2], 3, 90.0)
    assert row.alert == Occurrence(-1, "offer", made.frame.index[3], 2, 60.0)  # where it began
    assert row.warnings == ("few", "stale")
    assert row.demo == "made up"


@pytest.mark.parametrize(
    ("panes", "chosen"),
    [
        ([LINE, LINE | {"line": "h", "kind": "histogram"}, SCORE], "score"),
        ([LINE, LINE | {"line": "h", "kind": "histogram"}], "h"),
        ([LINE, LINE | {"line": "r", "range": [0, 100]}], "r"),
        ([CROSS, LINE, LINE | {"line": "y"}], "x"),
        ([LINE, SCORE, LINE | {"line": "mine", "headline": True}], "mine"),
        ([CROSS, STATE], "cross"),
    ],
)
def test_the_headline_is_the_declared_line_else_one_with_levels_else_a_histogram(panes, chosen):
    assert headlines_of(panes, {})["Osc"]["line"] == chosen


def test_the_config_may_choose_the_headline():
    style = {"Osc.x": {"headline": True}}
    assert headlines_of([LINE, SCORE], style)["Osc"]["line"] == "x"
    with pytest.raises(InputError, match=r"Osc\.x: headline 'yes'; give true or false"):
        headlines_of([LINE, SCORE], {"Osc.x": {"headline": "yes"}})


def test_an_indicators_own_gradient_line_and_colours_are_taken():
    own = SCORE | {"gradient": "place", "gradient_from": "#000000", "gradient_to": "white"}
    made = record([own], score=[1, 2, 3], place=[0.0, 0.0, 0.25])
    (row,) = rows(made)
    assert (row.position, row.color) == (0.25, "#404040")
    (row,) = rows(made, gradient=gradient_of("#ff0000", None, "#ffffff"))
    assert (row.color, row.text_color) == ("#400000", "#ffffff")
    (row,) = rows(record([own], score=[1, 2, 3], place=[math.nan] * 3))  # switched off
    assert math.isnan(row.position)
    assert row.color == ""


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("off", [-1, "-1"])
def test_minus_one_for_any_colour_disables_the_gradient(at, off):
    colours = ["#ffff00", "#00ffff", "#000000"]
    colours[at] = off
    (row,) = rows(record([SCORE], score=[1, 2, 3]), gradient=gradient_of(*colours))
    assert (row.position, row.color, row.text_color) == (1.0, "", "")


@pytest.mark.parametrize("at", range(3))
def test_a_word_that_is_no_colour_is_refused_by_its_options_name(at):
    colours = ["#ffff00", "#00ffff", "#000000"]
    colours[at] = "yelow"
    name = ("up_color", "dn_color", "grid_foreground_color")[at]
    with pytest.raises(InputError, match=f"^{name}: 'yelow' is no colour; give "):
        gradient_of(*colours)


def test_a_strategy_without_indicators_is_told_what_to_do():
    with pytest.raises(InputError, match="my config: Mine shows no indicator; name some under"):
        rows(record([], x=[1.0]))


def test_without_a_line_called_cross_the_level_zero_is_what_is_crossed():
    (row,) = rows(record([SCORE], score=[1, -1, 0, 2, 3]))
    assert (row.cross.text, row.cross.direction, row.cross.bars) == ("above 0", 1, 1)
    assert row.alert is None
    (row,) = rows(record([SCORE | {"levels": [30.0]}], score=[1, -1, 0, 2, 3]))
    assert row.cross is None


def test_an_undeclared_line_called_cross_counts_where_it_holds_signs_alone():
    plain = {"indicator": "CrossOver", "label": "Osc", "column": "Osc.crossover",
             "line": "crossover", "kind": "line"}  # fmt: skip
    (row,) = rows(record([plain], crossover=[math.nan, 1, 0, -1, 0]))
    assert (row.cross.text, row.cross.bars) == ("crossover down", 1)
    (row,) = rows(record([plain], crossover=[0.5, 1, 0, -1, 0]))
    assert row.cross is None


def test_an_alert_that_is_switched_off_is_none_but_a_cross_stays_one():
    quiet = CROSS | {"alert": False}
    (row,) = rows(record([quiet], cross=[0, 1, 0]))
    assert row.alert is None
    assert (row.line, row.cross.text) == ("", "over")
    assert math.isnan(row.value)
    assert math.isnan(row.position)


def test_of_two_alerts_on_one_bar_the_one_that_is_no_cross_is_told():
    (row,) = rows(record([STATE, CROSS], cross=[0, 1, 0], state=[0, -1, -1]))
    assert (row.cross.text, row.alert.text) == ("over", "offer")


def test_each_indicator_has_its_own_row():
    other = {k: v.replace("Osc", "Osc_2") if isinstance(v, str) else v for k, v in SCORE.items()}
    made = record([SCORE, other], score=[1, 2, 3])
    made.signals["Osc_2.score"] = [3.0, 2.0, 1.0]
    assert [(r.indicator, r.position) for r in rows(made)] == [("Osc", 1.0), ("Osc_2", 0.0)]


values = st.lists(st.one_of(st.just(math.nan), st.integers(-5, 5).map(float)), min_size=1,
                  max_size=30)  # fmt: skip


@given(values, st.integers(2, 8))
def test_position_and_last_events_are_those_of_a_slow_loop(line, length):
    made = record([SCORE, STATE], score=line, state=line)
    (row,) = rows(made, length=length)
    known = [v for v in line if not math.isnan(v)]
    if math.isnan(line[-1]) or len(known) < length:
        assert math.isnan(row.position)
    else:
        window = known[-length:]
        low, high = min(window), max(window)
        place = 0.5 if low == high else (line[-1] - low) / (high - low)
        assert row.position == pytest.approx(place, abs=1e-15)
    last, before = None, 0.0
    for i, v in enumerate(line):
        sign = 0.0 if math.isnan(v) else math.copysign(1.0, v) if v else 0.0
        if sign not in (0.0, before):
            last = (int(sign), "bid" if sign > 0 else "offer", len(line) - 1 - i)
        before = sign
    found = row.alert and (row.alert.direction, row.alert.text, row.alert.bars)
    assert found == last


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_blend_moves_with_the_position_and_ends_at_its_colours(p, q):
    low, high = sorted((p, q))
    assert blend("#102030", "#f0f0f0", low) <= blend("#102030", "#f0f0f0", high)
    assert (blend("#102030", "#f0f0f0", 0.0), blend("#102030", "#f0f0f0", 1.0)) == (
        "#102030", "#f0f0f0",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (1.005, "1.00"), (25653.1, "25,653.10"), (0.5, "0.500"), (-0.01234, "-0.0123"),
     (2.3e9, "2,300,000,000"), (math.inf, "–")],
)  # fmt: skip
def test_figures_keep_the_digits_that_matter(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(0, "0 min"), (45, "45 min"), (185, "3 h 05 min"), (1440, "1 d"), (1500, "1 d 1 h"),
     (57_700, "40 d")],
)  # fmt: skip
def test_ages_are_told_in_two_units(minutes, text):
    assert age(minutes) == text


def test_what_happened_is_told_with_its_age():
    when = datetime(2024, 1, 2, 9, 31)
    assert happened(None) == ("–", "")
    assert happened(Occurrence(1, "bid", when, 1, 5.0)) == ("▲ bid", "1 bar, 5 min ago")
    assert happened(Occurrence(-1, "offer", when, 0, 0.0)) == ("▼ offer", "on the last bar")
    assert (moment(when), moment(when, daily=True), moment(None)) == (
        "2024-01-02 09:31", "2024-01-02 09:31", "–",
    )  # fmt: skip


def test_midnight_is_a_date_alone_for_days_and_a_time_for_shorter_bars():
    midnight = datetime(2024, 1, 2)
    assert (moment(midnight), moment(midnight, daily=True)) == ("2024-01-02 00:00", "2024-01-02")
    for minutes, daily in ((30, False), (1440, True)):
        (row,) = rows(record([LINE], minutes, x=[1.0, 2.0, 3.0]))
        assert row.daily == daily


def shown(symbol, value, position, bars=None, **more):
    when = datetime(2024, 3, 27, 16, tzinfo=UTC)
    cross = None if bars is None else Occurrence(1, "over", when, bars, 5.0 * bars)
    return ScanRow(symbol, "c", "Osc", "score", when, 100.0, value, position,
                   blend("#00ffff", "#ffff00", position), "#000000", cross, **more)  # fmt: skip


@pytest.fixture
def page(browser, tmp_path):
    made = [
        shown("A", -2e9, 0.25, 100),
        shown("B", 1.5, 1.0, 2, demo="made up", warnings=("few bars", HOSTILE)),
        shown(HOSTILE, 12.0, 0.0, 30),
        ScanRow("", "absent.yaml", error="absent.yaml: no such config"),
    ]
    path = tmp_path / "deep" / "scan.html"
    path.parent.mkdir()
    gradient = ("#00ffff", "#ffff00")
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    write_scan(path, made, banner=[("Age", "by bars")], made=when, gradient=gradient)
    complaints, requests = [], []
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="dark")
    page.on("console", lambda m: complaints.append(m.text))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("dialog", lambda d: (complaints.append(d.message), d.dismiss()))
    page.on("request", lambda r: requests.append(r.url))
    page.goto(path.as_uri())
    assert page.evaluate("window.__ready") == 1
    assert [p.name for p in path.parent.iterdir()] == ["scan.html"]
    yield page
    assert complaints == []
    assert [u for u in requests if not u.startswith(("file:", "data:"))] == []
    page.close()


def symbols(page):
    return [s[:3] for s in page.locator("tbody th b").all_text_contents()]


def sorted_by(page, label):
    page.get_by_role("columnheader", name=label, exact=True).get_by_role("button").click()
    return symbols(page)


def test_the_page_colours_cells_and_sorts_numbers_and_ages(page):
    cell = page.locator(".sortable tbody tr").nth(0).locator("td").nth(3)
    assert cell.text_content() == "−2,000,000,000"
    assert cell.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(64, 255, 191)"
    assert cell.evaluate("e => getComputedStyle(e).color") == "rgb(0, 0, 0)"
    assert symbols(page) == ["A", "B", HOSTILE[:3], "abs"]
    assert sorted_by(page, "Value") == [HOSTILE[:3], "B", "A", "abs"]
    assert sorted_by(page, "Value") == ["A", "B", HOSTILE[:3], "abs"]
    assert sorted_by(page, "Last cross") == ["B", HOSTILE[:3], "A", "abs"]
    assert sorted_by(page, "Position") == ["B", "A", HOSTILE[:3], "abs"]


def test_the_page_says_what_failed_what_is_made_up_and_when(page):
    assert page.locator(".subtitle").text_content() == (
        "4 rows of 2 configs, made 2026-01-02 03:04 UTC"
    )
    assert page.locator("h1 .demo").is_visible()
    assert page.locator(".sortable .made-up").count() == 1
    assert page.locator("td.bad").text_content() == "absent.yaml: no such config"
    page.get_by_role("searchbox").fill("FEW bars")
    assert page.locator(".sortable tbody tr:visible").count() == 1
    assert page.locator("img").count() == 0


def test_a_long_name_stays_in_its_column(browser, tmp_path):
    name = "a-strategy-with-a-long-name-against-another-strategy-of-the-same-family"
    long, short = (replace(shown(c, 1.5, 0.4, 2), config=name + c) for c in (name, "A"))
    write_scan(tmp_path / "s.html", [long, short], banner=[], made=datetime(2026, 1, 2, tzinfo=UTC))
    opened = browser.new_page(viewport={"width": 1400, "height": 900})
    opened.goto((tmp_path / "s.html").as_uri())
    script = """e => [e.scrollWidth > e.clientWidth, getComputedStyle(e).overflowX, e.title,
      e.getBoundingClientRect().right <= e.closest("th").getBoundingClientRect().right]"""
    for at, row in enumerate((long, short)):
        told = opened.locator(".sortable tbody th").nth(at).locator("small").first
        assert told.evaluate(script) == [True, "hidden", row.config, True]
    opened.close()


def test_without_a_gradient_no_cell_is_coloured(tmp_path):
    path = Path(tmp_path / "scan.html")
    plain = ScanRow("A", "c", "Osc", "x", datetime(2024, 1, 2), 1.0, 2.0, 0.5)
    write_scan(path, [plain], banner=[], made=datetime(2026, 1, 2, tzinfo=UTC))
    text = path.read_text("utf-8")
    assert "1 row of 1 config, made" in text
    assert "background:#" not in text.partition("<tbody>")[2]
    assert "linear-gradient" not in text
