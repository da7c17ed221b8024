"""The page of a sweep, opened in a headless browser where there is one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpi_bt.report.heatmap import facts_of, write_heatmap

HOSTILE = "</script><script>window.__bad = 1</script><b>&\"'"
FIGURES = ("sharpe", "volatility")


def summary(**more):
    figures = {"sharpe": 1.5, "total_return": 0.25, "max_drawdown": -0.1, "trades": 12.0}
    about = {"name": "s", "symbol": "X", "demo": "", "engine": "fast", "points": 6}
    about |= {"sessions": 40, "sessions_per_year": 365.24, "best": {"period": 5, "kind": "a"}}
    return about | {"figures": figures} | more


def table(kinds=("a", "b"), sharpe=None):
    rows = [(p, k) for p in (5, 10, 20) for k in kinds]
    frame = pd.DataFrame(rows, columns=["period", "kind"])
    frame["sharpe"] = np.arange(6) / 4 - 0.5 if sharpe is None else sharpe
    frame["volatility"] = np.arange(6) / 10 + 0.1
    return frame


def test_the_best_point_is_told_with_what_must_be_known():
    told = dict(facts_of(summary(deflated_sharpe=0.87, min_track_record_length=float("inf"))))
    assert told["Best point"] == "period 5, kind a"
    assert told["Points tried"] == "6"
    assert told["Return"] == "25.00%"
    assert told["The same, deflated for the best of so many tries"] == "87.0%"
    assert told["Sessions needed to be 95 % sure of a Sharpe above 0"] == "never"
    assert told["Probability of backtest overfitting (CSCV)"] == "n/a"


def test_ruined_points_and_costs_that_are_not_set_are_told():
    usual = dict(facts_of(summary(ruined=0, remarks=[])))
    assert not {"Points that ruined the account", "Assumption"} & set(usual)
    told = dict(facts_of(summary(ruined=3, remarks=["no costs: none"])))
    assert (told["Points that ruined the account"], told["Assumption"]) == ("3", "no costs: none")


def test_hostile_values_are_text_in_the_file(tmp_path):
    page = tmp_path / "h.html"
    hostile = summary(best={"period": 5, "kind": HOSTILE}, name=HOSTILE)
    write_heatmap(page, table((HOSTILE, "b")), ["period", "kind"], FIGURES, "sharpe", hostile)
    assert "<script>window.__bad" not in page.read_text("utf-8")


@pytest.fixture
def opened(browser, tmp_path):
    pages, errors = [], []

    def show(frame, axes=("period", "kind"), **more):
        path = tmp_path / "h.html"
        write_heatmap(path, frame, list(axes), FIGURES, "sharpe", summary(**more))
        page = browser.new_page()
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.goto(path.as_uri())
        page.wait_for_function("window.__ready === 1")
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()
    assert errors == []


def cells(page):
    rows = "[...document.querySelectorAll('#map tr')]"
    return page.evaluate(rows + ".map(r => [...r.children].map(c => c.textContent))")


def shown(value):
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.2f}"


def test_the_cells_are_the_table(opened):
    frame = table()
    page = opened(frame)
    got = cells(page)
    assert got[0] == ["period \\ kind", "a", "b"]
    for (period, rows), line in zip(frame.groupby("period"), got[1:], strict=True):
        assert line == [str(period), *map(shown, rows["sharpe"])]
    assert page.evaluate("document.querySelector('#map td.best').textContent") == "0.75"
    page.select_option("#figure", "volatility")
    assert page.evaluate("document.querySelector('#map td.best').textContent") == "0.10"
    page.select_option("#across", "period")  # one parameter alone: the mean over the other
    assert cells(page)[1] == ["5", shown(0.15)]


def test_hostile_values_stay_text(opened):
    page = opened(table((HOSTILE, "b")), name=HOSTILE, best={"kind": HOSTILE})
    assert page.evaluate("window.__bad") is None
    assert HOSTILE in cells(page)[0]


def test_a_figure_that_is_never_known_is_shown_as_unknown(opened):
    page = opened(table(sharpe=np.nan))
    assert {c for row in cells(page)[1:] for c in row[1:]} == {"–"}
    assert "Infinity" not in page.inner_text("#note")


def test_one_parameter_makes_one_column(opened):
    frame = table().drop_duplicates("period")
    got = cells(opened(frame, axes=("period",)))
    assert [len(row) for row in got] == [2] * 4


def test_the_page_says_by_how_many_sessions_a_year_it_annualises(tmp_path):
    path = tmp_path / "h.html"
    write_heatmap(path, table(), ["period", "kind"], FIGURES, "sharpe", summary())
    assert "by 365.2 sessions a year" in path.read_text("utf-8")
