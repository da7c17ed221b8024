"""The gauge of a day: the same from the whole files and from those of that day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import hpi_bt
from gauge_market import DAYS, closes, write_market
from hpi_bt.backtest.strict_json import json_safe
from hpi_bt.cli import app
from hpi_bt.errors import InputError
from hpi_bt.gauging import gauge_report
from hpi_bt.report.gauge_words import record_lines, trend_sentence
from hpi_bt.sources.cache import Cache, Provenance
from hpi_bt.sources.gauge_data import reading
from hpi_bt.sources.gauge_data.feeds import cache_key
from hpi_bt.sources.gauge_data.files import read_gauge_file
from hpi_bt.sources.gauge_data.publication import sessions_between

TODAY = date(2024, 1, 2)
REAL = {"folder": "gauges", "spy": "bars/SPY_daily_yfinance_adjusted.csv"}
run = CliRunner()


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return write_market(tmp_path_factory.mktemp("market"))


def figures(report):
    return {k: v for k, v in report.as_dict().items() if k not in ("page", "options")}


def text_of(report):
    return json.dumps(json_safe(figures(report)), allow_nan=False)


def test_it_is_a_public_name():
    assert hpi_bt.gauge_report is gauge_report
    assert hpi_bt.GaugeReport.__name__ == "GaugeReport"


def test_the_last_row_by_hand(market):
    got = gauge_report(data_dir=market, today=TODAY)
    latest, result = got.latest, got.result
    assert latest.row == DAYS[-1] == pd.Timestamp("2023-12-29")
    assert got.session == pd.Timestamp("2024-01-02")  # the 1st is a holiday
    smoothed = result.smoothed.to_numpy()
    assert latest.smoothed == 0.3 * latest.raw + 0.7 * smoothed[-2]
    assert got.score == result.score.iloc[-1] == np.floor(latest.smoothed + 0.5)
    assert got.change == result.score.iloc[-1] - result.score.iloc[-6]
    table = latest.components
    assert list(table.index) == ["vix", "term_structure", "curve", "drawdown"]
    assert table["share"].sum() == pytest.approx(1.0)
    assert (table["score"] * table["share"]).sum() == pytest.approx(latest.raw)
    spy = closes()
    assert table.loc["drawdown", "value"] == pytest.approx(1 - spy.iloc[-1] / spy.max())
    assert (table["state"] == "used").all()
    step = table["score"] - table["score_before"]
    way = np.sign(got.change)
    moved = (table["share"] * step * way).idxmax() if way else step.abs().idxmax()
    assert {"vix": "VIX ", "term_structure": "VIX / VIX3M", "curve": "Yield", "drawdown": "SPY"}[
        moved
    ] in got.sentence
    assert not got.stale
    assert got.freshness == ("4 of 4 components; closes through 2023-12-29; every input is fresh",)
    earlier = result.score.dropna().iloc[:-1]
    assert latest.lower_share == (earlier < got.score).mean()


@pytest.mark.parametrize("day", ["2022-06-15", "2022-09-03", "2023-05-26", "2023-12-29"])
def test_an_earlier_day_is_reproduced_from_the_whole_and_from_that_days_files(
    market, tmp_path, day
):
    whole = gauge_report(data_dir=market, as_of=day, today=TODAY)
    then = gauge_report(data_dir=write_market(tmp_path, until=day), as_of=day, today=TODAY)
    assert text_of(whole) == text_of(then)
    alone = gauge_report(data_dir=tmp_path, today=pd.Timestamp(day).date())
    assert text_of(alone) == text_of(then)


def test_every_score_of_the_history_is_that_of_its_own_day(market):
    whole = gauge_report(data_dir=market, today=TODAY).result

    @settings(max_examples=8, deadline=None)
    @given(st.integers(300, len(DAYS) - 1))
    def check(at):
        then = gauge_report(data_dir=market, as_of=DAYS[at].date(), today=TODAY)
        assert then.latest.smoothed == whole.smoothed.iloc[at]
        assert np.array_equal(
            then.latest.components["weight"], whole.weights.iloc[at], equal_nan=True
        )

    check()


def test_stale_inputs_are_named(market, tmp_path):
    write_market(tmp_path)
    path = tmp_path / "gauges" / "VIX_History.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-20]))
    path = tmp_path / "gauges" / "rates.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[4:]]))
    got = gauge_report(data_dir=tmp_path, today=date(2024, 1, 5))
    assert got.stale
    assert got.freshness == (
        "2 of 4 components; closes through 2023-12-29",
        "SPY ends 2023-12-29, 3 sessions before 2024-01-05: this is an old gauge, bring newer data",
        "VIX ends 2023-11-30, 20 sessions earlier: left out",
        "VIX / VIX3M ends 2023-11-30, 20 sessions earlier: left out",
        "Yield curve ends 2023-12-26, 3 sessions earlier: carried forward",
        "2023-12-07 still rested on 4 components: ask for the gauge as of 2023-12-07",
    )
    assert "left out: VIX, VIX / VIX3M" in got.sentence
    table = got.latest.components
    assert list(table["state"]) == ["left out", "left out", "carried", "used"]
    assert np.isnan(table.loc["vix", "score"])
    assert table.loc["vix", "share"] == 0.0


def test_prices_that_end_before_the_vix_make_the_gauge_of_their_last_day(market, tmp_path):
    write_market(tmp_path)
    path = tmp_path / "bars" / "SPY_daily_adjusted.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-3]))  # to Friday, 2023-12-22
    got = gauge_report(data_dir=tmp_path, today=date(2023, 12, 29))
    then = gauge_report(data_dir=market, as_of="2023-12-22", today=TODAY)
    assert got.latest.row == pd.Timestamp("2023-12-26") == DAYS[-4]
    assert got.session == DAYS[-3]
    assert then.latest.row == pd.Timestamp("2023-12-22")
    same = gauge_report(data_dir=market, as_of="2023-12-26", today=TODAY)
    assert (got.sentence, got.latest.smoothed) == (same.sentence, same.latest.smoothed)
    assert got.freshness == (
        "4 of 4 components; closes through 2023-12-26",
        "SPY ends 2023-12-26, 2 sessions before 2023-12-29: this is an old gauge, bring newer data",
    )


@pytest.mark.parametrize(
    ("day", "row", "session"),
    [
        ("2022-11-26", "2022-11-25", "2022-11-28"),  # a Saturday after a half day
        ("2022-11-24", "2022-11-23", "2022-11-25"),  # Thanksgiving
        ("2022-12-25", "2022-12-23", "2022-12-27"),  # a Sunday, its Monday a holiday
    ],
)
def test_a_day_without_trading_shows_the_session_before_it(market, day, row, session):
    got = gauge_report(data_dir=market, as_of=day, today=TODAY)
    assert (got.latest.row, got.session) == (pd.Timestamp(row), pd.Timestamp(session))
    assert got.freshness == (f"4 of 4 components; closes through {row}; every input is fresh",)
    same = gauge_report(data_dir=market, as_of=row, today=TODAY)
    assert text_of(got) == text_of(same)
    at = DAYS.get_loc(pd.Timestamp(row))
    assert got.change == same.result.score.iloc[-1] - same.result.score.loc[DAYS[at - 5]]


def test_a_component_that_lacks_the_last_day_is_not_called_fresh(tmp_path):
    without_the_ends(tmp_path, ("VIX_History.csv",), 1)
    got = gauge_report(data_dir=tmp_path, today=TODAY)
    assert got.freshness == (
        "4 of 4 components; closes through 2023-12-29",
        "VIX ends 2023-12-28, 1 session earlier: carried forward",
        "VIX / VIX3M ends 2023-12-28, 1 session earlier: carried forward",
    )
    assert list(got.latest.components["state"]) == ["carried", "carried", "used", "used"]
    assert "left out" not in got.sentence


def test_a_component_that_never_moves_is_named_and_left_out(market, tmp_path):
    lines = (market / "gauges" / "VIX_History.csv").read_text().splitlines()
    flat = [f"{line.split(',')[0]},1,1,1,20" for line in lines[1:]]
    (tmp_path / "vix.csv").write_text("\n".join([lines[0], *flat]))
    files = {
        "spy": str(market / "bars" / "SPY_daily_adjusted.csv"),
        "vix": str(tmp_path / "vix.csv"),
        "treasury": str(market / "gauges" / "rates.csv"),
    }
    got = gauge_report(files=files, today=TODAY)
    assert got.result.unscored == {"vix": "constant"}
    assert got.latest.components.loc["vix", "state"] == "constant"
    assert "VIX has not moved: there is nothing to score it against" in got.freshness


def without_the_ends(folder, names, count):
    """Write the market and take the last `count` days from some of its files."""
    write_market(folder)
    for name in names:
        path = folder / "gauges" / name
        head, *rows = path.read_text().splitlines()
        rows = rows[count:] if name == "rates.csv" else rows[:-count]  # newest first there
        path.write_text("\n".join([head, *rows, ""]))


def test_the_headline_is_the_last_day_that_rests_on_more_than_half(tmp_path):
    without_the_ends(tmp_path, ("VIX_History.csv", "VIX3M_History.csv", "rates.csv"), 20)
    got = gauge_report(data_dir=tmp_path, today=date(2024, 1, 5))
    assert got.latest.row == pd.Timestamp("2023-12-07")  # five sessions after 2023-11-30
    then = gauge_report(data_dir=tmp_path, as_of="2023-12-07", today=date(2024, 1, 5))
    assert (got.score, got.latest.smoothed) == (then.score, then.latest.smoothed)
    assert got.sentence == f"As of 2023-12-07, not the newest close: {then.sentence}"
    assert got.stale
    assert got.freshness[:3] == (
        "4 of 4 components; closes through 2023-12-07",
        "2023-12-29 rests on 1 of 4 components, so this is the gauge of 2023-12-07; "
        "the one as of 2023-12-29 shows the newest",
        "SPY ends 2023-12-29, 3 sessions before 2024-01-05: bring newer data",
    )
    newest = gauge_report(data_dir=tmp_path, as_of="2023-12-29", today=date(2024, 1, 5))
    assert newest.latest.row == DAYS[-1]
    assert newest.latest.components["score"].notna().sum() == 1


def test_the_sentence_says_where_it_compares_unlike_components(market, tmp_path):
    without_the_ends(tmp_path, ("VIX_History.csv", "VIX3M_History.csv"), 8)
    got = gauge_report(data_dir=tmp_path, today=TODAY)
    assert "; unlike 5 sessions ago it is without VIX, VIX / VIX3M." in got.sentence
    assert "unlike" not in gauge_report(data_dir=market, today=TODAY).sentence


def test_before_spy_there_are_scores_but_no_outcomes(market, tmp_path):
    write_market(tmp_path)
    path = tmp_path / "bars" / "SPY_daily_adjusted.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[380:], ""]))
    got = gauge_report(data_dir=tmp_path, today=TODAY, out=tmp_path / "page.html")
    assert got.result.score.first_valid_index() == DAYS[251]
    assert got.inputs.spy.first_valid_index() == DAYS[380]
    whole = gauge_report(data_dir=market, today=TODAY).result.component_scores
    assert got.result.component_scores["vix"].equals(whole["vix"])
    assert got.quality.loc[("gauge", "all"), "n"] == len(DAYS) - 380 - 21
    assert (got.falls["peak"] >= DAYS[380]).all()
    assert (got.warnings["start"] >= DAYS[380]).all()
    assert got.page.is_file()


def test_the_sentence_says_when_the_band_changed(market):
    whole = gauge_report(data_dir=market, today=TODAY).result
    score, band = whole.score, whole.band.astype(object)
    changed = np.flatnonzero((band != band.shift(5)) & score.shift(5).notna())
    at = DAYS[changed[0]]
    got = gauge_report(data_dir=market, as_of=at.date(), today=TODAY)
    assert f"no longer {band.shift(5).loc[at]}" in got.sentence
    assert f"the gauge is {band.loc[at]}" in got.sentence
    first = score.first_valid_index()
    got = gauge_report(data_dir=market, as_of=first.date(), today=TODAY)
    assert "no score of 5 sessions ago" in got.sentence
    assert np.isnan(got.change)


def test_the_mover_is_the_one_that_did_most_of_the_change(market):
    """By hand: put/call's score moved furthest, but down, and VIX brought more than drawdown."""
    got = gauge_report(data_dir=market, today=TODAY)
    table = got.latest.components.iloc[:3].assign(
        score=[41.0, 30.0, 40.0], score_before=[31.0, 18.0, 66.0], share=[0.5, 0.25, 0.25]
    )
    latest = got.latest._replace(components=table, score=46.0, before=35.0)
    assert "; VIX did most of it, its score up from 31.0 to 41.0" in trend_sentence(latest)
    latest = latest._replace(score=30.0)
    assert "; Yield curve did most of it, its score down from 66.0" in trend_sentence(latest)
    still = latest._replace(before=30.0)
    assert "; Yield curve moved most, its score down" in trend_sentence(still)
    up = latest._replace(score=40.0, components=table[2:])
    assert "; no component's score rose" in trend_sentence(up)


@pytest.mark.parametrize("day", ["2020-09-15", "2020-12-30"])
def test_every_day_with_a_score_can_be_shown_even_before_spy(tmp_path, day):
    """VIX from 2019 on, SPY from 2021 on: the days between have a score, and no record."""
    folder = write_market(tmp_path)
    days = sessions_between(pd.Timestamp("2019-01-02"), pd.Timestamp("2020-12-31"))
    vix = folder / "gauges" / "VIX_History.csv"
    head, *rows = vix.read_text().splitlines()
    more = [f"{d:%m/%d/%Y},1,1,1,{20 + 5 * np.sin(i / 9):.4f}" for i, d in enumerate(days)]
    vix.write_text("\n".join([head, *more, *rows, ""]))
    whole = gauge_report(data_dir=folder, today=TODAY)
    got = gauge_report(data_dir=folder, as_of=day, today=TODAY, out=tmp_path / "page.html")
    assert got.score == whole.result.score[day]
    assert got.result.smoothed.equals(whole.result.smoothed.loc[:day])
    assert got.record == ("SPY has no closes by then: nothing says what a warning was worth.",)
    assert "None so far." in (tmp_path / "page.html").read_text()


def test_a_report_that_is_set_back_reads_its_files_once(tmp_path, monkeypatch):
    folder = write_market(tmp_path)
    for name in ("VIX_History.csv", "VIX3M_History.csv", "rates.csv"):
        lines = (folder / "gauges" / name).read_text().splitlines()
        kept = [x for x in lines[1:] if pd.Timestamp(x[:10]) <= pd.Timestamp("2023-11-30")]
        (folder / "gauges" / name).write_text("\n".join([lines[0], *kept, ""]))
    asked = []
    monkeypatch.setattr(
        reading,
        "read_gauge_file",
        lambda p, *a, **k: asked.append(p) or read_gauge_file(p, *a, **k),
    )
    got = gauge_report(data_dir=folder, today=TODAY)
    assert "not the newest close" in got.sentence
    assert len(asked) == len(set(asked)) == 4
    then = gauge_report(data_dir=folder, as_of=got.latest.row, today=TODAY)
    assert then.inputs.components.equals(got.inputs.components)


def test_the_record_says_plainly_where_little_is_known(market):
    got = gauge_report(data_dir=market, today=TODAY)
    score, event = got.result.score, {"horizon": 21, "event_drawdown": 0.05}
    spy = got.inputs.spy
    one = got.warnings.iloc[:1].assign(complete=[False], false=[False])
    lines = record_lines(score.loc[spy.index], got.falls, one, got.quality, **event)
    assert any(line.startswith("None of its warnings is complete yet. The last") for line in lines)
    few = got.quality.copy()
    few.loc[("gauge", "warning"), ["balanced_low", "balanced_high"]] = np.nan
    few.loc[("gauge", "warning"), "note"] = "no interval: warnings in 1 block, 10 needed"
    lines = record_lines(score.loc[spy.index], got.falls, one, few, **event)
    assert lines[-1] == (
        "How accurate its warnings are cannot be told yet (warnings in 1 block, 10 needed)."
    )


def test_the_record_counts_what_the_tables_hold(market):
    got = gauge_report(data_dir=market, today=TODAY)
    falls, warned = len(got.falls), int(got.falls["warned"].sum())
    assert falls >= 3
    assert f"before {warned} of SPY's {falls} falls of 5 % or more" in got.record[0]
    assert f"{falls - warned} came unannounced" in got.record[0]
    done = got.warnings[got.warnings["complete"]]
    assert f"{int(done['false'].sum())} of its {len(done)} completed warnings" in got.record[1]


def test_a_config_brings_files_and_settings(market):
    config = {
        "name": "x",
        "data": {"source": {"kind": "csv", "path": "bars/SPY_daily_adjusted.csv"}},
        "features": [
            {
                "kind": "gauge",
                "files": {"folder": "gauges", "spy": "bars/SPY_daily_adjusted.csv"},
                "smoothing": 1.0,
                "weighting": "equal",
            }
        ],
        "strategy": {"class": "strategies/gauge_overlay.py:GaugeOverlay"},
    }
    got = gauge_report(config, data_dir=market, today=TODAY)
    assert got.latest.smoothed == got.latest.raw == got.latest.components["score"].mean()
    assert got.options["weighting"] == "equal"
    config["features"] = []
    with pytest.raises(InputError, match="0 of kind gauge in the config; wanted one"):
        gauge_report(config, data_dir=market)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"as_of": "yesterday"}, "as_of: 'yesterday' is no date; write 2024-12-31"),
        ({"as_of": "2024-01-03"}, "2024-01-03 lies in the future"),
        ({"as_of": "2020-01-03"}, "2020-01-03 is before the first day of any component"),
        ({"as_of": "2021-02-03"}, "min_history 252"),
        ({"files": "nowhere"}, "nowhere: no such folder"),
        ({"files": {"vx": "a.csv"}}, "no series 'vx'.*vix"),
        ({"files": {"vix": "gauges/VIX_History.csv"}}, "no closes of SPY"),
        ({"files": {"spy": "bars/SPY_daily_adjusted.csv"}}, "no component but SPY's own drawdown"),
    ],
)
def test_what_makes_no_gauge_is_refused(market, tmp_path, options, message):
    page = tmp_path / "page.html"
    with pytest.raises(InputError, match=message):
        gauge_report(data_dir=market, today=TODAY, out=page, **options)
    assert not page.exists()


def test_components_that_never_move_make_no_score(market):
    days = [f"{d:%Y-%m-%d}" for d in DAYS[:300]]
    folder = market.parent / "flat"
    folder.mkdir(exist_ok=True)
    spy = "\n".join(["Date,Open,High,Low,Close", *(f"{d},9,9,9,9" for d in days), ""])
    (folder / "spy.csv").write_text(spy)
    us = [f"{d:%m/%d/%Y}" for d in DAYS[:300]]
    vix = "\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *(f"{d},9,9,9,9" for d in us), ""])
    (folder / "vix.csv").write_text(vix)
    with pytest.raises(InputError, match=r"no score .*vix constant, drawdown constant"):
        gauge_report(files=str(folder), today=TODAY)


def test_the_cache_is_used_where_no_files_are_named(market, tmp_path, monkeypatch):
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    with pytest.raises(InputError, match="nothing of SPY in the cache; run hpi-bt fetch gauge"):
        gauge_report(cache_dir=tmp_path, offline=True)
    asked = []

    def fetched(where):
        asked.append(where.cache)
        return pd.DataFrame(
            {"status": ["failed"], "note": ["no answer"]}, pd.Index(["vix"], name="feed")
        )

    monkeypatch.setattr("hpi_bt.gauging.fetch_gauge", fetched)
    with pytest.raises(InputError, match="nothing of SPY"):
        gauge_report(cache_dir=tmp_path)
    assert asked == [tmp_path]  # brought up to date first
    with pytest.raises(InputError, match="nothing of SPY"):
        gauge_report(cache_dir=tmp_path, as_of="2023-01-03")
    assert len(asked) == 1  # an old day asks nobody


def test_what_the_cache_holds_gives_what_its_files_give(market, tmp_path, monkeypatch):
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    cache, now = Cache(tmp_path), datetime(2024, 1, 2, 12, tzinfo=UTC)
    names = {"spy": "bars/SPY_daily_adjusted.csv", "vix": "gauges/VIX_History.csv",
             "vix3m": "gauges/VIX3M_History.csv", "treasury": "gauges/rates.csv"}  # fmt: skip
    for feed, name in names.items():
        frame = read_gauge_file(market / name)
        about = {k: frame.attrs.get(k, "") for k in ("layout", "source", "product")}
        cache.store(cache_key(feed), frame, Provenance("x", about, now, {}))
    kept = gauge_report(cache_dir=tmp_path, offline=True, as_of="2023-06-01", today=TODAY)
    files = gauge_report(data_dir=market, as_of="2023-06-01", today=TODAY)
    both = [{**figures(r), "notes": ()} for r in (kept, files)]
    for one in both:
        for component in one["components"]:
            component["source"] = ""
    assert json_safe(both[0]) == json_safe(both[1])
    assert "vix: from the cache of 2024-01-02 12:00 UTC" in kept.inputs.notes
    failed = pd.DataFrame({"status": ["failed"], "note": ["no answer"]}, pd.Index(["sofr"]))
    monkeypatch.setattr("hpi_bt.gauging.fetch_gauge", lambda _: failed)
    asked = gauge_report(cache_dir=tmp_path, today=TODAY)
    assert asked.inputs.notes[0] == "not fetched: sofr: no answer"
    monkeypatch.chdir(tmp_path)
    assert "not fetched: sofr: no answer" in call("--cache-dir", tmp_path)


# ---- the command ---------------------------------------------------------------------------


def call(*words):
    done = run.invoke(app, ["gauge", *map(str, words)])
    if isinstance(done.exception, InputError):
        raise done.exception
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_the_command_prints_and_writes_the_page(market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = call("--data-dir", market, "--as-of", "2022-09-30")
    page = tmp_path / "results" / "gauge-2022-09-30.html"
    assert page.is_file()
    assert "Hedge Pressure Gauge for Monday 2022-10-03, from closes through 2022-09-30" in out
    assert all(word in out for word in ("VIX / VIX3M", "Yield curve", "Reliability", "2022-09-30"))
    assert out.rstrip().endswith("results/gauge-2022-09-30.html")
    named = tmp_path / "mine.html"
    call("--data-dir", market, "--as-of", "2022-09-30", "--out", named)
    assert named.read_bytes() == page.read_bytes()


def test_json_prints_every_figure_and_writes_nothing(market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = json.loads(call("--data-dir", market, "--as-of", "2022-09-30", "--json"))
    want = gauge_report(data_dir=market, as_of="2022-09-30")
    assert found == json.loads(json.dumps(json_safe(want.as_dict()), allow_nan=False))
    assert found["session"] == "2022-10-03"
    assert found["components"][0]["name"] == "vix"
    assert len(found["quality"]) == 5 * 6
    assert not list(tmp_path.iterdir())


def test_the_command_refuses_in_one_line(market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no component but SPY's own drawdown"):
        call("--data-dir", write_bars_alone(tmp_path))
    assert not (tmp_path / "results").exists()


def test_a_page_that_cannot_be_written_is_refused_before_any_work(market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    for out, message in [
        ("taken/page.html", r"taken: .* is a file.; give another page as out"),
        (".", r"\.: a folder; name the page in it: out='gauge.html'"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            call("--data-dir", market, "--out", out)
        assert "--results" not in str(caught.value)
    (tmp_path / "results").write_text("")
    with pytest.raises(InputError, match=r"results: .* is a file.; give another page as out"):
        call("--data-dir", market)


def test_a_data_fault_is_on_the_screen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_market(tmp_path)
    path = tmp_path / "gauges" / "VIX_History.csv"
    lines = path.read_text().splitlines()
    lines[300] = f"{lines[300].split(',')[0]},1,1,1,199.5"
    path.write_text("\n".join(lines))
    out = " ".join(call("--data-dir", tmp_path).split())
    assert "vix: data fault: 199.5 on " in out
    assert out.count("data fault") == 1


def write_bars_alone(folder):
    write_market(folder / "bare")
    for path in (folder / "bare" / "gauges").iterdir():
        path.unlink()
    return folder / "bare"


@pytest.mark.real_data
def test_the_real_gauge_of_a_day(real_data):
    got = gauge_report(data_dir=real_data, as_of="2026-07-22", today=date(2026, 8, 20))
    assert (got.score, got.latest.band, got.change) == (18, "low", 2.0)
    assert "2 of SPY's 36 falls" in got.record[0]
    assert "9 of its 19 completed warnings" in got.record[1]
    assert got.weighting == (
        "The weights run from 0.51 to 0.57: the weighted mean of the day's scores is 17.5, their "
        "plain mean 17.9, both before smoothing."
    )
    gap = "curve: left out on 151 sessions: 2024-12-16 to 2024-12-31, from 2025-12-30 on"
    assert gap in got.inputs.notes  # 11 before 2025, and 140 of the 145 after 2025-12-19
    assert got.freshness[1] == "Yield curve ends 2025-12-19, 145 sessions earlier: left out"
    again = gauge_report(files=REAL, data_dir=real_data, as_of="2026-07-22")
    assert text_of(again) == text_of(got)


BAD = {
    "unknown columns": ("date,foo,bar\n2022-01-03,1,2\n", "columns date, foo, bar are no layout"),
    "a web page": ("<html><title>Sorry</title></html>", r"a web page \(Sorry\), no data"),
    "a date in the future": (
        "DATE,OPEN,HIGH,LOW,CLOSE\n01/03/2030,1,1,1,9\n",
        "2030-01-03 lies in the future",
    ),
    "a date twice": (
        "DATE,OPEN,HIGH,LOW,CLOSE\n01/03/2022,1,1,1,9\n01/03/2022,1,1,1,8\n",
        "2022-01-03",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_in_one_line_and_no_page_is_written(market, tmp_path, case):
    text, message = BAD[case]
    (tmp_path / "vix.csv").write_text(text)
    spy = str(market / "bars" / "SPY_daily_adjusted.csv")
    page = tmp_path / "page.html"
    with pytest.raises(InputError, match=message) as caught:
        gauge_report(files={"spy": spy, "vix": str(tmp_path / "vix.csv")}, today=TODAY, out=page)
    assert "vix.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not page.exists()


def test_a_component_with_too_few_days_is_shown_as_too_short(market, tmp_path):
    lines = (market / "gauges" / "VIX_History.csv").read_text().splitlines()
    (tmp_path / "vix.csv").write_text("\n".join([lines[0], *lines[-50:]]))
    spy = str(market / "bars" / "SPY_daily_adjusted.csv")
    got = gauge_report(files={"spy": spy, "vix": str(tmp_path / "vix.csv")}, today=TODAY)
    assert got.latest.components.loc["vix", "state"] == "too short"
    assert "VIX has too short a history to be scored" in got.freshness
    assert got.latest.components.loc["drawdown", "share"] == 1.0
