import contextlib
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_signals import BANNER, OSCILLATOR, PANES, SCORE, bars, trades

from hpi_bt.errors import InputError
from hpi_bt.report import chart_library
from hpi_bt.report.bidi import readable
from hpi_bt.report.chart_library import checked_library, lwc_js
from hpi_bt.report.drawing import CANDLES, as_pulses, check_style, drawings, mark_colours
from hpi_bt.report.signals import write_signals

COLUMNS = ["Osc.osc", "Osc.div", "Osc.score", "Osc.age", "Osc.older"]


def page(tmp_path, frame=None, *, panes=PANES, made=None, **options):
    path = tmp_path / "deep" / "chart.html"
    frame = bars() if frame is None else frame
    made = trades((50, 90, 9.5)) if made is None else made
    write_signals(path, frame, panes, made, **({"title": "Run", "banner": BANNER} | options))
    return path.read_text("utf-8")


def meta(text):
    return json.loads(re.search(r'<script id="meta"[^>]*>(.*?)</script>', text, re.DOTALL)[1])


def drawn(**changes):
    return drawings([OSCILLATOR | changes], COLUMNS, {})[0]


def test_the_library_is_the_release_that_npm_has():
    source = lwc_js()
    assert "Lightweight Charts™ v5.1.0" in source[:200]
    assert "</script" not in source


def test_another_library_is_refused(tmp_path):
    other = tmp_path / "lightweight-charts.js"
    other.write_text("alert(1)")
    with pytest.raises(InputError, match=r"SHA-256 begins \w{16}, wanted 756b0ba9f5893022"):
        checked_library(other)


def test_an_absent_library_is_refused(monkeypatch):
    monkeypatch.setattr(chart_library, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install litecharts==0\.2\.0"):
        chart_library.lwc_js.__wrapped__()


def test_one_page_holds_everything_and_names_its_licence(tmp_path):
    text = page(tmp_path, demo="made-up prices", symbol="ES")
    assert "TradingView Lightweight Charts™" in text.split("<footer>")[1]
    assert "tradingview.com" in text.split("<footer>")[1]
    assert "ES, 2024-11-02 to 2024-11-03, 600 bars, America/New_York time" in text
    assert "made-up prices" in text
    assert not re.search(r'(?:src|href)="(?!data:|https://www\.(?:tradingview|apache))', text)
    assert dict(meta(text)["columns"])["close"] == 2


def test_the_licence_lies_beside_the_templates():
    notice = Path(chart_library.__file__).parent / "templates" / "THIRD_PARTY.md"
    assert "Lightweight Charts" in notice.read_text("utf-8")


def test_daylight_saving_is_told_by_its_first_bars(tmp_path):
    # 20:01 to 01:59 is 359 bars; then it is 01:00 again
    assert meta(page(tmp_path))["zone"]["offsets"] == [[0, "EDT"], [359, "EST"]]


def test_daily_bars_carry_the_date_of_their_session(tmp_path):
    frame = bars(30).set_index(pd.date_range("2024-01-03", periods=30, tz="UTC"))
    frame["session"] = [d.toordinal() - 1 for d in frame.index]
    zone = meta(page(tmp_path, frame, made=trades()))["zone"]
    assert zone == {"name": "UTC", "daily": True, "offsets": []}


def test_a_declaration_becomes_complete():
    line = drawn(width=3, light="#123")
    assert line["column"] == "Osc.osc"
    assert (line["width"], line["color"], line["light"]) == (3, "#7e57c2", "#112233")
    assert line["range"] == [0.0, 100.0]
    assert drawn(color="teal")["color"] == "#008080"
    assert drawings([{"column": "Osc.osc"}], COLUMNS, {})[0]["pane"] == "Osc.osc"


def test_style_stands_above_the_declaration():
    style = {"Osc.osc": {"color": "#000", "width": 1}, "candles": {"up": "green"}}
    assert drawings([OSCILLATOR], COLUMNS, style)[0]["color"] == "#000000"
    assert mark_colours(style)["candles"] == CANDLES | {"up": "#008000"}


def test_a_style_that_names_a_line_left_out_draws_it():
    style = {"Osc.score": {"kind": "histogram", "pane": "extra"}, "volume": {}}
    first, score, volume = drawings([OSCILLATOR], [*COLUMNS, "volume"], style)
    assert first["column"] == "Osc.osc"
    assert [score[k] for k in ("column", "label", "name", "kind", "pane")] == [
        *("Osc.score", "Osc", "score", "histogram", "extra")
    ]
    assert [volume[k] for k in ("label", "name", "pane")] == ["", "volume", "volume"]
    assert score["color"] != volume["color"]


def test_a_line_of_pulses_is_drawn_as_events_and_one_of_states_as_steps():
    line = drawn(kind="line", levels=[0.0, 1.0])
    pulses = np.array([np.nan, 0, 1, 0, 0, -1, 0, 0, 0, 0])  # two of nine known bars, each begins
    assert as_pulses(line, pulses) == line | {"kind": "event", "levels": [], "range": None}
    states = np.repeat([0.0, 1.0, 0.0, -1.0], [12, 4, 10, 4])  # eight bars, of which two begin
    assert as_pulses(line, states)["kind"] == "step"
    assert as_pulses(line, np.tile([1.0, -1.0], 9))["kind"] == "step"  # never at rest


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 0.5, np.nan]), max_size=30))
def test_only_a_line_of_signs_is_drawn_otherwise_than_declared(values):
    column = np.array(values, dtype=float)
    for kind in ("line", "step", "histogram", "area"):
        line = drawn(kind=kind)
        signs = set(column[np.isfinite(column)]) <= {-1.0, 0.0, 1.0} and {1.0, -1.0} & set(values)
        assert (as_pulses(line, column) is line) == (kind != "line" or not signs)


@given(st.text(max_size=20))
def test_a_colour_is_hexadecimal_or_refused(text):
    with contextlib.suppress(InputError):
        found = drawn(color=text or "#fff")["color"]
        assert re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})?", found)


@given(st.text(), st.text())
def test_no_text_can_end_the_script_that_holds_it(title, reason):
    folder = Path(tempfile.mkdtemp())
    text = page(
        folder, bars(5), panes=[], made=trades((1, 2, 3.0), exit_reason=reason), title=title
    )
    assert text.count("</script>") == 4
    said = readable(reason).encode("utf-8", "replace").decode()
    assert meta(text)["trades"]["exit_reason"] == [said]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "lnie"}, r"kind 'lnie' \(did you mean 'line'\?\)"),
        ({"color": "reddish"}, r"Osc\.osc: color 'reddish' is no colour"),
        ({"light": "</script>"}, "is no colour"),
        ({"colour": "red"}, r"Osc\.osc: no option 'colour' \(did you mean 'color'\?\)"),
        ({"width": 9}, "width 9; give 1, 2, 3 or 4"),
        ({"levels": ["a"]}, "levels 'a'; give a number"),
        ({"range": [1]}, r"range \[1\]; give its lowest and highest"),
        ({"range": [2, 1]}, "give the lower value first"),
        ({"gradient": "shade"}, "gradient names 'shade'"),
        ({"segment": ["age"]}, "name two lines"),
        ({"segment": ["age", "elder"]}, r"segment names 'elder'"),
        ({"on": "nothing"}, "on names 'nothing'"),
        ({"column": "Osc.none"}, r"column names 'Osc\.none'"),
    ],
)
def test_a_declaration_that_cannot_be_drawn_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        drawn(**changes)


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ({"Osc.os": {}}, r"no line 'Osc\.os' \(did you mean 'Osc\.osc'\?\)"),
        ({"Osc.osc": {"colour": "red"}}, r"no option 'colour' \(did you mean 'color'\?\)"),
        ({"Osc.osc": "red"}, r"chart\.Osc\.osc: 'red'; give name: value pairs"),
        ({"candles": {"op": "red"}}, "chart.candles: no colour 'op'"),
        ({"trades": {"win": "greenish"}}, r"chart\.trades\.win 'greenish' is no colour"),
    ],
)
def test_a_style_that_means_nothing_is_refused(tmp_path, style, message):
    with pytest.raises(InputError, match=message):
        page(tmp_path, style=style)


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ({"Any.line": {"width": 7}}, r"chart\.Any\.line: width 7"),
        ({"Any.line": {"light": "whitish"}}, r"chart\.Any\.line\.light 'whitish' is no colour"),
        ({"Any.line": {"wide": 2}}, "no option 'wide'"),
        ({"candles": 3}, "chart.candles: 3; give name: value pairs"),
    ],
)
def test_a_style_can_be_refused_before_the_run(style, message):
    check_style({"Any.line": {"color": "teal", "width": 2}, "trades": {"win": "#0f0"}})
    with pytest.raises(InputError, match=message):
        check_style(style)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="high"), "no column 'high'"),
        (lambda f: f.iloc[:0], "none to draw"),
        (lambda f: f.reset_index(drop=True), "times of the bars"),
        (lambda f: f.iloc[::-1], "repeat, fall or are missing"),
        (lambda f: f.iloc[[0, 0, 1]], "repeat, fall or are missing"),
    ],
)
def test_bars_that_no_chart_can_show_are_refused(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        page(tmp_path, change(bars()), made=trades())


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (trades((5, 600, 1.0)), "exit_bar 600, but there are 600 bars"),
        (trades((-1, 6, 1.0)), "entry_bar -1"),
        (trades((5, np.nan, 1.0)), "exit_bar nan"),
        (trades().drop(columns="net"), "no column 'net'"),
    ],
)
def test_trades_of_other_bars_are_refused(tmp_path, made, message):
    with pytest.raises(InputError, match=message):
        page(tmp_path, made=made)


def test_trades_of_other_instruments_are_left_out(tmp_path):
    made = pd.concat([trades((1, 2, 1.0), data="ES"), trades((3, 9999, 1.0), data="NQ")])
    assert meta(page(tmp_path, made=made, symbol="ES"))["trades"]["entry_bar"] == [1]


def test_an_open_trade_without_a_price_is_null(tmp_path):
    made = trades((1, 599, -2.0), exit_price=np.nan, status="open", exit_reason=np.nan)
    found = meta(page(tmp_path, made=made))["trades"]
    assert (found["exit_price"], found["exit_reason"]) == ([None], [""])


@pytest.mark.parametrize("aware", [True, False])
def test_vetoes_find_their_bars_by_time(tmp_path, aware):
    frame = bars(30)
    times = frame.index[[7, 3]] if aware else frame.index[[7, 3]].tz_localize(None)
    times = [*times, times[0] + pd.Timedelta(seconds=1)]  # the last lies between the bars
    vetoes = pd.DataFrame({"time": times, "data": "", "side": [1, -1, 1], "reason": "why"})
    found = meta(page(tmp_path, frame, made=trades(), vetoes=vetoes))["vetoes"]
    assert found == [[3, -1, "why"], [7, 1, "why"]]


def test_no_vetoes_are_no_marks(tmp_path):
    empty = pd.DataFrame(columns=["time", "data", "side", "size", "hpi", "reason"])
    assert meta(page(tmp_path, vetoes=empty))["vetoes"] == []


def test_columns_that_two_lines_use_are_packed_once(tmp_path):
    again = SCORE | {"pane": "twice"}
    names = [name for name, _ in meta(page(tmp_path, panes=[*PANES, again]))["columns"]]
    assert len(names) == len(set(names))
    assert {"volume", "Osc.age", "Osc.older"} <= set(names)


def test_sessions_begin_where_the_date_changes_without_a_session_column(tmp_path):
    assert meta(page(tmp_path))["sessions"] == [239]  # 20:01 to 23:59 is 239 bars
