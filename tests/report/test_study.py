"""The study as a page, as a part of the signal page, as tables, and in every result folder."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_signals import BANNER, studied

import hpi_bt as hb
from hpi_bt.errors import InputError
from hpi_bt.report.study import study_context, study_files, write_study
from hpi_bt.report.study_drawing import basis_points
from hpi_bt.stats.study import SignalStudy
from hpi_bt.stats.timing import TimingTest
from small_runs import workshop

HOSTILE = "</script><img src=x onerror=alert(1)> \"'` 😀 {{7*7}} <!--"
CONFIG = """
name: {name}
data:
  source: {{kind: demo, symbol: IWM, sessions: {sessions}, bar: 15min, seed: 1}}
strategy: {{class: strategies/flow_bias.py:FlowBias, params: {{zscore_lookback: 30}}}}
study: {study}
"""


@pytest.fixture(scope="module")
def study() -> SignalStudy:
    return studied()[2]


def page(tmp_path: Path, study: SignalStudy, **options: str) -> str:
    path = tmp_path / "deep" / "study.html"
    write_study(path, study, **({"title": "Pooled", "banner": BANNER} | options))
    return path.read_text("utf-8")


def words(text: str) -> str:
    """The text of a page without its tags and its style."""
    return re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)


# --- the page ---


def test_a_page_says_what_was_studied_and_what_came_of_it(tmp_path, study):
    text = page(tmp_path, study, demo="made-up prices")
    for said in ("Pooled", "DEMO", "made-up prices", "next open", "Signals against price"):
        assert said in text
    assert "6,000 1-minute bars, 20 sessions; p-values from 99 permutations" in text
    assert "<script" not in text
    assert "nan" not in words(text).lower()
    assert text.count('<tr class="is-') == len(study.events)


def test_every_number_of_a_row_is_that_of_the_study(study):
    (card,) = study_context(study)["signals"]
    assert [side["label"] for side in card["sides"]] == ["bullish", "bearish"]
    rows = [row for side in card["sides"] for row in side["rows"]]
    for shown, row in zip(rows, study.events.to_dict("records"), strict=True):
        assert shown["n"] == f"{row['n']:,}"
        assert float(shown["effect"].replace("\N{MINUS SIGN}", "-")) == pytest.approx(
            1e4 * row["effect"], abs=0.05
        )
        assert shown["t"].replace("\N{MINUS SIGN}", "-") in (f"{row['t']:.1f}", "0.0")
        # the dot: 100 is the middle, `edge` pixels from it the detectable edge
        at = 100 + card["edge"] * row["effect"] / row["detectable"]
        assert shown["plot"]["at"] == pytest.approx(at, abs=0.2)
        assert 0 < shown["plot"]["low"] <= shown["plot"]["at"] <= shown["plot"]["high"] < 200


def test_bars_on_and_episodes_are_told_where_a_signal_lasts(tmp_path, study):
    def heads(episodes):
        events = study.events.assign(episodes=episodes)
        (card,) = study_context(replace(study, events=events))["signals"]
        return card["counted"], [side["part"] for side in card["sides"]]

    most = int(study.events["n"].max())
    sides = study.events.groupby(["direction", "label"]).ngroups
    assert heads(most) == ("Events", [""] * sides)
    assert heads(1)[0] == "Bars on"
    assert "1 episode" in heads(1)[1]
    text = page(tmp_path, replace(study, events=study.events.assign(episodes=1)))
    assert '<th scope="col">Bars on</th>' in text


def test_bars_are_named_by_what_they_are(study):
    def about(**changes):
        return study_context(replace(study, **changes))["about"]

    assert "6,000 1-minute bars with gaps, 20 sessions" in about(regular=False)
    daily = {"daily": True, "bar_minutes": np.nan}
    assert "6,000 daily bars, 20" in about(**daily)
    assert "permutations of whole blocks of 21 bars" in about(**daily)
    assert "6,000 weekly bars, 20" in about(**daily, regular=False, year=52)
    assert "6,000 bars, 20" in about(**daily, regular=False, year=252)
    rows = study_context(replace(study, regular=False))["signals"][0]["sides"][0]["rows"]
    assert rows[0]["horizon"].endswith(("bar", "bars"))


def test_a_clear_effect_makes_the_edge_smaller_not_itself_cut(study):
    events = study.events.copy()
    events.loc[0, ["effect", "high"]] = events.loc[0, "detectable"] * np.array([9.0, 10.0])
    (card,) = study_context(replace(study, events=events))["signals"]
    plot = card["sides"][0]["rows"][0]["plot"]
    assert card["edge"] == pytest.approx(9.7)
    assert plot["high"] == pytest.approx(197.0)


def test_rank_correlations_share_a_scale_so_that_their_decay_is_seen(study):
    for card in study_context(study)["lines"]:
        own = study.coefficients[study.coefficients["line"].eq(card["name"]).to_numpy()]
        at = np.array([row["plot"]["at"] for row in card["rows"]]) - 100.0
        ic = own["ic"].to_numpy(float)
        far = np.abs(ic).argmax()
        assert at == pytest.approx(ic * at[far] / ic[far], abs=0.2)
        assert all(0 < row["plot"]["low"] < row["plot"]["high"] < 200 for row in card["rows"])


def test_tenths_and_strips_are_drawn_to_scale(study):
    context = study_context(study)
    lines = {card["name"]: card for card in context["lines"]}
    assert list(lines) == ["Osc.osc", "Osc.score"]
    chart = lines["Osc.score"]["charts"][0]
    own = study.deciles.query("line == 'Osc.score' and horizon == 1")
    excess = own["excess"].to_numpy(float)
    heights = np.array([bar["height"] for bar in chart["bars"]])
    big = np.abs(excess) > 0.2 * np.abs(excess).max()
    scale = heights[big] / np.abs(excess[big])
    assert scale == pytest.approx(scale[0], rel=0.05)
    assert [bar["up"] for bar in chart["bars"]] == list(excess > 0.0)
    entries, timing = context["skill"]
    assert not timing["tests"]
    (entry,) = entries["tests"]
    strip, test = entry["strip"], study.entries[0][1]
    assert strip["low"] < strip["high"]
    slope = (strip["high"] - strip["low"]) / (test.random_high - test.random_low)
    assert strip["mean"] - strip["zero"] == pytest.approx(slope * test.mean, abs=0.3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00012, "+1.2"),
        (-0.0123456, "\N{MINUS SIGN}123"),
        (0.000004, "+0.04"),
        (-1e-9, "0.00"),
        (0.1234, "+1,234"),
        (float("nan"), "–"),
    ],
)
def test_basis_points_are_short(value, text):
    assert basis_points(value) == text


def test_names_from_elsewhere_are_only_words(tmp_path, study):
    events, lines = study.events.copy(), study.coefficients.copy()
    events["signal"] = events["label"] = HOSTILE
    lines["line"] = HOSTILE
    bad = replace(
        study, events=events, coefficients=lines, symbols=(HOSTILE, "B"), notes=(HOSTILE,),
        deciles=study.deciles.assign(line=HOSTILE), entries=((HOSTILE, study.entries[0][1]),),
    )  # fmt: skip
    text = page(tmp_path, bad, title=HOSTILE, demo=HOSTILE)
    assert "<img" not in text
    assert "49" in text
    assert "<script" not in text


def test_what_could_not_be_said_is_said_and_no_table_is_empty(tmp_path):
    few = studied(1200)[2]  # four sessions
    text = page(tmp_path, few)
    assert "cannot be judged: 4 sessions with events, 8 needed" in text
    assert "What could not be said" in text
    assert "nan" not in words(text).lower()
    bare = replace(
        few, events=few.events[:0], coefficients=few.coefficients[:0], deciles=few.deciles[:0],
        entries=(), notes=("bid: none in 9 bars, so nothing can be said",),
    )  # fmt: skip
    text = page(tmp_path, bare)
    assert "<table" not in text.split("</header>")[1]
    assert "bid: none in 9 bars" in text


def test_an_event_without_bars_ahead_is_a_row_of_words(tmp_path, study):
    events = study.events.copy()
    events.loc[0, ["n", "note"]] = [0, "3 events, none with 5 bars left"]
    numbers = [c for c in events.columns if events[c].dtype == float]
    events.loc[0, numbers] = np.nan
    text = page(tmp_path, replace(study, events=events))
    assert 'colspan="10" class="words unknown">cannot be judged: 3 events, none' in text


def test_pooled_symbols_are_named(tmp_path, study):
    entries = tuple((name, study.entries[0][1]) for name in ("ES", "NQ"))
    pooled = replace(study, symbols=("ES", "NQ"), entries=entries)
    text = page(tmp_path, pooled)
    assert "ES, NQ, " in text
    assert "bars of 2 symbols together" in text
    assert "in 1 of 2 symbols" in text
    assert "<b>NQ.</b>" in text


TIMING = TimingTest(300, 40, 10, 9, 0.83, 1e-4, 0.0, -2e-4, 3e-4, 84.0, 1.1, 0.3, "")


def test_a_test_of_timing_takes_the_place_of_entries(tmp_path, study):
    scaled = replace(study, entries=(), timing=(("ES", TIMING),))
    said = words(page(tmp_path, scaled))
    assert "Entries against random ones" not in said
    assert "Timing against the same path on other days" in said
    assert "9 of 10 trades changed size while held" in said
    assert "timing, a session: +1.0 bp" in said
    unknown = replace(study, entries=(), timing=(("ES", TIMING._replace(mean=np.nan)),))
    assert study_context(unknown)["skill"][1]["tests"][0]["strip"] is None
    page(tmp_path, unknown)


def test_the_night_is_told_from_the_day_and_warned_of(tmp_path, study):
    nights = study.nights.copy()
    nights.loc[0, ["night_ic", "night_p_value", "day_ic", "both_ic"]] = [0.12, 1e-5, -0.003, 0.1]
    nights["found"] = ["night", ""]
    found = replace(study, nights=nights)
    first, second = study_context(found)["lines"]
    assert [p["ic"] for p in first["night"]["parts"]] == ["+0.120", "\N{MINUS SIGN}0.003", "+0.100"]
    assert first["night"]["parts"][0] == {
        "name": "close to next open", "ic": "+0.120", "p": "<0.001", "tone": "sure",
    }  # fmt: skip
    assert second["night"]["warning"] == ""
    said = " ".join(words(page(tmp_path, found)).split())
    assert "Its +0.100 from close to close lies overnight (+0.120; \N{MINUS SIGN}0.003 from" in said


# --- the tables ---


def test_the_tables_read_back_as_they_were(tmp_path, study):
    files = study_files(study)
    assert list(files) == ["study.csv", "deciles.csv", "coefficients.csv", "nights.csv"]
    tables = (study.events, study.deciles, study.coefficients, study.nights)
    for name, table in zip(files, tables, strict=True):
        files[name](tmp_path / name)
        back = pd.read_csv(tmp_path / name, keep_default_na=False, na_values={"p_value": ""})
        assert list(back.columns) == list(table.columns)
        assert len(back) == len(table)


# --- every result folder ---


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    monkeypatch.chdir(workshop(tmp_path))
    return tmp_path


def run(here: Path, study: str = "{permutations: 99}", sessions: int = 40) -> hb.Result:
    path = here / "demo.yaml"
    path.write_text(CONFIG.format(name="demo", sessions=sessions, study=study))
    return hb.run(path)


def test_a_run_leaves_its_study_on_the_page_in_tables_and_in_the_summary(here):
    result = run(here)
    table = pd.read_csv(result.folder / "study.csv")
    assert set(table["signal"]) <= {"HedgePressureIndex.cross", "HedgePressureIndex.extreme"}
    assert {"mechanical bid", "mechanical offer"} <= set(table["label"])
    assert set(table["horizon"]) == {"1", "5", "15", "close"}
    assert (result.folder / "deciles.csv").stat().st_size > 1000
    assert (result.folder / "coefficients.csv").exists()
    assert result.summary["study"][0].startswith("Signals: ")
    assert len(result.summary["study"]) <= 3
    chart = (result.folder / "chart.html").read_text("utf-8")
    assert 'id="study"' in chart
    assert "longer than every session (26 bars): 30, 60" in chart


def test_a_study_that_is_switched_off_leaves_nothing(here):
    result = run(here, "{enabled: false}")
    assert not (result.folder / "study.csv").exists()
    assert result.summary["study"] == []
    assert 'id="study"' not in (result.folder / "chart.html").read_text("utf-8")


def test_a_study_that_cannot_be_made_is_a_remark_and_no_failed_run(here):
    result = hb.run("small.yaml", overrides=["data.end=2024-01-02"])
    assert not (result.folder / "study.csv").exists()
    (said,) = [line for line in result.summary["remarks"] if "not studied" in line]
    assert said.startswith("signals were not studied: bars: 1 in the data; a study needs more")


def test_a_horizon_of_the_config_that_no_session_holds_is_refused_and_nothing_is_written(here):
    with pytest.raises(InputError, match=r"^study\.horizons: 500 bars, but the longest session"):
        run(here, "{horizons: [500]}")
    assert not list(here.glob("results/*"))


def test_the_report_of_a_plain_cerebro_has_its_study_too(here):
    import backtrader as bt

    class Cross(bt.Strategy):
        def __init__(self):
            self.up = bt.ind.CrossOver(bt.ind.SMA(period=3), bt.ind.SMA(period=9))

        def next(self):
            if self.up[0]:
                self.order_target_size(target=self.up[0])

    frame = hb.load_frame(
        {
            "name": "x",
            "data": {"source": {"kind": "demo", "sessions": 20, "bar": "15min", "seed": 1}},
            "strategy": {"class": "strategies/flow_bias.py:FlowBias"},
        }
    )
    cerebro = bt.Cerebro()
    cerebro.adddata(hb.HedgeData(dataname=frame))
    cerebro.addstrategy(Cross)
    cerebro.addanalyzer(hb.Report, name="plain")
    (strategy,) = cerebro.run()
    result = strategy.analyzers.report.result
    table = pd.read_csv(result.folder / "study.csv")
    # an indicator without declarations: its line is -1, 0 or 1, so it is a signal
    assert set(table["label"]) == {"crossover up", "crossover down"}
    assert table["p_value"].notna().any()
