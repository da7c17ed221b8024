import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import hpi_bt
from hpi_bt import InputError, compare
from hpi_bt.config import read_mapping
from hpi_bt.filtering import OWN_TRADE, changes, entry_table, filter_effect
from hpi_bt.finished import flat, read_run
from hpi_bt.report.compared import rows_of, shown_rows, tables
from hpi_bt.report.verdicts import filter_words
from hpi_bt.stats.difference import sharpe_difference
from hpi_bt.stats.metrics import performance
from small_folders import make_run
from small_runs import commander, listing


def noise(seed, n=40, mean=0.001):
    return np.random.default_rng(seed).normal(mean, 0.01, n)


def refused(message, *given, **options):
    with pytest.raises(InputError, match=message) as error:
        compare(*given, **options)
    assert "\n" not in str(error.value)


def test_worked_example(tmp_path):
    a = make_run(tmp_path, "a", [0.10, -0.50, 0.20])
    b = make_run(tmp_path, "b", [0.20, 0.30, 0.00, 0.05], start="2024-01-02")
    made = compare([a, b], results=tmp_path)
    # common: the 2nd and 3rd; a halves and gains a fifth, b gains a fifth and then 30 %
    assert list(made.equity.index.day) == [2, 3]
    assert_allclose(made.equity, [[0.5, 1.2], [0.6, 1.56]])
    common, whole = made.table.loc["common"], made.table.loc["whole"]
    assert_allclose(common.loc["total_return"], [-0.4, 0.56, 0.96])
    assert_allclose(common.loc["max_drawdown"], [-0.5, 0.0, 0.5])
    assert_allclose(whole.loc["total_return"], [-0.34, 0.638, 0.978])
    assert_allclose(whole.loc["sessions"], [3, 4, 1])
    assert "2 sessions in common, 20 needed" in made.words[0]
    assert (made.names, made.demo, made.warnings) == (("a", "b"), "", ())


def test_figures_on_common_sessions_are_those_of_the_projects_own_functions(tmp_path):
    returns = noise(1), noise(2, 60)
    runs = [make_run(tmp_path, n, r) for n, r in zip("ab", returns, strict=True)]
    made = compare(runs, results=tmp_path, seed=3, bootstrap=299)
    year = 40 / ((pd.bdate_range("2024-01-01", periods=40)[-1] - pd.Timestamp("2024-01-01")).days)
    year *= 365.2425
    for name, r in zip("ab", returns, strict=True):
        wanted = performance(r[:40], periods_per_year=year)
        for key in ("sharpe", "cagr", "volatility", "sortino", "calmar", "drawdown_sessions"):
            figure = made.table.loc["common"].loc[key, ("value", name)]
            assert figure == pytest.approx(getattr(wanted, key), rel=1e-9)
    found = made.sharpe_differences.loc["b"]
    how = {"seed": 3, "draws": 299, "periods_per_year": year}
    wanted = sharpe_difference(returns[1][:40], returns[0], **how)
    assert_allclose([found["difference"], found["low"], found["p_value"]],
                    [wanted.difference, wanted.low, wanted.p_value], rtol=1e-6)  # fmt: skip
    assert found["p_adjusted"] == found["p_value"]


def test_trades_belong_to_the_session_of_their_exit_and_exposure_to_the_common_bars(tmp_path):
    times = ("2024-01-01 16:00:00-05:00", "2024-01-02 15:00:00-05:00", "2024-01-03 16:00:00-05:00")
    trades = [
        {"net": net, "entry_bar": 0, "exit_bar": 1, "exit_time": t}
        for net, t in zip((5.0, -2.0, 4.0), times, strict=True)
    ]
    trades.append({"net": 9.0, "entry_bar": 5, "status": "open"})
    a = make_run(tmp_path, "a", [0.1, 0.1, 0.1], trades=trades)
    b = make_run(tmp_path, "b", [0.1, 0.2], start="2024-01-02", bars_a_day=4)
    common = compare([a, b], results=tmp_path).table.loc["common", "value"]
    assert (common.loc["trades", "a"], common.loc["average_trade", "a"]) == (2, 1.0)
    assert common.loc["win_rate", "a"] == 0.5
    assert (common.loc["exposure", "a"], common.loc["exposure", "b"]) == (0.5, 0.25)


def test_exit_times_without_a_zone_are_read_by_the_clock_of_the_bars(tmp_path):
    trade = {"net": 5.0, "entry_bar": 0, "exit_bar": 1, "exit_time": "2024-01-02 15:00:00"}
    a = make_run(tmp_path, "a", [0.1, 0.1], trades=[trade])
    assert read_run(a, tmp_path).trades["session"].tolist() == [
        pd.Timestamp("2024-01-02").toordinal()
    ]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-0.05, 0.06), min_size=2, max_size=30), st.integers(0, 29))
def test_differences_are_the_value_less_that_of_the_first_whatever_the_runs(returns, shift):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [make_run(folder, n, r) for n, r in (("a", returns), ("b", noise(shift, 30)))]
        made = compare(runs, results=folder, bootstrap=99)
        assert len(made.equity) == len(returns)
        values, changes_ = made.table["value"], made.table["difference"]
        assert_allclose(changes_["b"], values["b"] - values["a"])
        earned = values.loc[("common", "total_return"), "a"]
        assert_allclose(made.equity["a"].iloc[-1] - 1.0, earned, atol=1e-12)
        assert json.loads((made.folder / "summary.json").read_text())["kind"] == "comparison"


def test_parameters_that_differ_are_named_by_their_path_and_no_others(tmp_path):
    a = make_run(tmp_path, "a", noise(1), params={"fast": 5, "on": True, "index": {"lam": 1.0}})
    b = make_run(
        tmp_path, "b", noise(2), params={"fast": 9, "on": 1, "index": {"lam": 1.0}, "z": 2}
    )
    made = compare([a, b], results=tmp_path, bootstrap=99)
    assert made.parameters.to_dict("index") == {
        "strategy.params.fast": {"a": "5", "b": "9"},
        "strategy.params.on": {"a": "true", "b": "1"},
        "strategy.params.z": {"a": "not set", "b": "2"},
    }
    (a / "config.yaml").write_text("alerts: null\nstrategy: {params: {fast: 5}}")
    assert "alerts" not in compare([a, b], results=tmp_path, bootstrap=99).parameters.index
    (b / "env.json").write_text(json.dumps({"data_fingerprint": "e" * 40}))
    again = compare([a, b], results=tmp_path, bootstrap=99)
    assert again.parameters.loc["data_fingerprint"].tolist() == ["d" * 10, "e" * 10]


def test_flattened_configs_by_hand():
    value = {"a": {"b": [1, {"c": None}]}, "d": {}, "e": []}
    assert flat(value) == {"a.b[0]": 1, "a.b[1].c": None}


def test_a_run_is_found_by_its_name_in_results_and_runs_of_one_name_are_numbered(tmp_path):
    make_run(tmp_path, "same", noise(1), folder="first")
    make_run(tmp_path, "same", noise(2), folder="second")
    made = compare(["first", "second"], results=tmp_path, bootstrap=99)
    assert made.names == ("same (1)", "same (2)")
    named = compare(["first", "second"], results=tmp_path, names=["x", "y"], bootstrap=99)
    assert named.names == ("x", "y")
    assert "x, y" in repr(named)
    assert "comparison.html" in repr(named)
    assert "<td>Return</td>" in named._repr_html_()
    assert hpi_bt.Comparison is type(named)


def test_the_folder_holds_page_summary_and_equity_and_the_index_lists_it(tmp_path):
    runs = [make_run(tmp_path, n, noise(i)) for i, n in enumerate("ab")]
    made = compare(runs, results=tmp_path, bootstrap=99)
    assert listing(made.folder) == ["comparison.html", "equity.parquet", "summary.json"]
    summary = json.loads((made.folder / "summary.json").read_text())
    assert summary["runs"] == [run.name for run in runs]
    assert summary["figures"]["common"]["a"]["sessions"] == 40
    pd.testing.assert_frame_equal(
        pd.read_parquet(made.folder / "equity.parquet"), made.equity, check_freq=False
    )
    assert made.folder.name in (tmp_path / "index.html").read_text()


def test_sessions_that_one_run_alone_has_and_warnings_of_runs_are_told(tmp_path):
    dates = pd.bdate_range("2024-01-01", periods=20)
    a = make_run(tmp_path, "a", noise(1, 20), remarks=["warning: half the bars are flat"])
    b = make_run(tmp_path, "b", noise(2, 10), dates=dates[::2], symbol="NQ", demo="simulated")
    made = compare([a, b], results=tmp_path)
    assert made.warnings == (
        "different markets: ES, NQ",
        "a has 9 sessions between the common ones, compounded into the next of these",
        "a: half the bars are flat",
    )
    assert made.demo == "simulated"


def test_where_all_runs_share_all_sessions_whole_runs_say_only_what_is_new(tmp_path):
    runs = [make_run(tmp_path, n, noise(i)) for i, n in enumerate("ab")]
    made = compare(runs, results=tmp_path, bootstrap=99)
    assert [row.key for row in shown_rows(made)["whole"]] == ["costs"]
    longer = make_run(tmp_path, "c", noise(3, 41))
    other = compare([runs[0], longer], results=tmp_path, bootstrap=99)
    assert "total_return" in [row.key for row in shown_rows(other)["whole"]]


def test_whole_runs_of_different_sessions_are_shown_without_differences(tmp_path):
    runs = [make_run(tmp_path, n, noise(1, 40 + i)) for i, n in enumerate("ab")]
    made = compare(runs, results=tmp_path, bootstrap=99)
    rows = shown_rows(made)
    assert {len(row.differences) for row in rows["common"]} == {1}
    assert {len(row.differences) + len(row.marks) for row in rows["whole"]} == {0}
    assert {len(row.shown) for row in rows["whole"]} == {2}


def test_better_and_worse_follow_the_meaning_of_the_figure(tmp_path):
    a = make_run(tmp_path, "a", [0.01, -0.05, 0.01, 0.0], costs=5.0)
    b = make_run(tmp_path, "b", [0.01, -0.01, 0.01, 0.0], costs=9.0)
    made = compare([a, b], results=tmp_path)
    rows = {row.key: row for w in ("whole", "common") for row in rows_of(made, w)}
    assert rows["max_drawdown"].marks == ["better"]
    assert rows["max_drawdown"].differences == ["+4.00 pp"]
    assert rows["costs"].marks == ["worse"]
    assert rows["drawdown_sessions"].marks == [""]  # as long in both
    assert rows["sessions"].differences == ["0"]
    assert made.table.loc[("common", "volatility"), ("difference", "b")] < 0
    assert [r.marks for r in rows_of(made, "common") if r.key == "volatility"] == [[""]]


def test_of_several_comparisons_the_verdict_allows_for_their_number(tmp_path):
    base = make_run(tmp_path, "a", noise(0, 250, 0.0))
    others = [make_run(tmp_path, n, noise(i, 250, 0.0)) for i, n in enumerate("bcd", start=1)]
    best = make_run(tmp_path, "e", noise(9, 250, 0.01))
    made = compare([base, *others, best], results=tmp_path, bootstrap=999)
    table = made.sharpe_differences
    assert (table["p_adjusted"] >= table["p_value"]).all()
    assert made.words[-1].startswith("e was better than a: the Sharpe ratios differ by +")
    assert made.words[0].startswith("No evidence that b is better or worse than a")
    assert "allowing for all tests here" in made.words[0]


@pytest.mark.parametrize(("sessions", "rough"), [(40, True), (249, True), (250, False)])
def test_few_sessions_make_sharpe_differences_rough_and_the_page_says_so(tmp_path, sessions, rough):
    runs = [make_run(tmp_path, n, noise(seed, sessions)) for n, seed in (("a", 1), ("b", 2))]
    made = compare(runs, results=tmp_path, bootstrap=199)
    said = [w for w in made.words if "rough below 250 sessions" in w]
    assert len(said) == rough
    if rough:
        assert said[0].endswith(f"these runs share {sessions}.")
        assert said[0] in (made.folder / "comparison.html").read_text("utf-8")


def test_a_flat_run_and_twins_are_told_in_words(tmp_path):
    a = make_run(tmp_path, "a", noise(1))
    twin = make_run(tmp_path, "twin", noise(1))
    flat_run = make_run(tmp_path, "flat", np.zeros(40))
    made = compare([a, twin, flat_run], results=tmp_path)
    assert made.words == (
        "twin and a have the same Sharpe ratio: they differ by rounding alone.",
        "The Sharpe ratios of flat and a cannot be compared: it never moved: no Sharpe ratio.",
    )


def test_wrong_numbers_of_runs_and_names_are_refused(tmp_path):
    a, b = (make_run(tmp_path, n, noise(1)) for n in "ab")
    before = listing(tmp_path)
    refused(r"^compare: 1 run; give at least two$", [a], results=tmp_path)
    refused(r"^compare: 0 runs", [], results=tmp_path)
    refused(r"^compare: 1 run;", str(a), results=tmp_path)
    refused(r"^without_filter: 2 runs", [a, b], results=tmp_path, without_filter=True)
    for names in (["x"], ["x", "x"], ["x", ""]):
        refused(r"^names: .* for 2 runs; give each", [a, b], results=tmp_path, names=names)
    refused(r"^names: \['x'\] for 2 runs; .*, the unfiltered one first$", [a], results=tmp_path,
            without_filter=True, names=["x"])  # fmt: skip
    refused(r"^bootstrap: 5 draws", [a, b], results=tmp_path, bootstrap=5)
    refused(r"is given twice", [a, b, a.name], results=tmp_path)
    assert listing(tmp_path) == before


def test_runs_of_other_dates_are_refused_with_their_dates(tmp_path):
    a = make_run(tmp_path, "a", [0.1, 0.2])
    b = make_run(tmp_path, "b", [0.1, 0.2], start="2024-03-04")
    refused(
        r"^compare: no session in common \(a 2024-01-01 to 2024-01-02; b 2024-03-04 to 2024-03-05",
        [a, b],
        results=tmp_path,
    )


def test_what_is_no_run_is_refused_in_one_line(tmp_path):
    a = make_run(tmp_path, "momentum", noise(1))
    empty = tmp_path / "empty"
    empty.mkdir()

    def pair(other):
        return [a, other]

    refused(
        r"^momentun.*: no result folder .*did you mean 'momentum-2024",
        pair(a.name.replace("m-", "n-")),
        results=tmp_path,
    )
    refused(r"^nowhere: no result folder here or in .*\(there is none yet\)", pair("nowhere"),
            results=empty)  # fmt: skip
    refused(r"empty: is no result folder \(no summary.json\)", pair(empty), results=tmp_path)
    for kind, word in (("sweep", "a sweep"), ("comparison", "a comparison"), ("study", "a pooled")):
        (empty / "summary.json").write_text(json.dumps({"kind": kind}))
        refused(rf"empty: is {word}", pair(empty), results=tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("summary.json", "{not json", r"summary.json: is damaged \(.*\); run it again$"),
        ("summary.json", "[1]", r"summary.json: is damaged \(no mapping\); run it again$"),
        ("summary.json", '{"name": "x"}', r"summary.json: no 'start_value' in it"),
        ("config.yaml", "a: [", r"config.yaml: is damaged \(.*\); run it again$"),
        ("equity.parquet", "no parquet", r"b: is damaged \(.*\); run it again$"),
        (
            "trades.csv",
            "net,bars\n1,2\n",
            r"b: is damaged \(.*no column 'status'.*\); run it again$",
        ),
        ("trades.csv", "", r"b: is damaged \(.*\); run it again$"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, content, message):
    a, b = (make_run(tmp_path, n, noise(1), folder=n) for n in "ab")
    (b / file).write_text(content)
    refused(message, [a, b], results=tmp_path)
    (b / file).unlink()
    refused(rf"b: .*(no file|no summary).*{file}|no {file}", [a, b], results=tmp_path)
    assert not [p for p in listing(tmp_path) if "compare" in p or "partial" in p]


def test_an_equity_that_is_not_a_number_is_refused(tmp_path):
    a, b = (make_run(tmp_path, n, noise(1), folder=n) for n in "ab")
    equity = pd.read_parquet(b / "equity.parquet")
    equity.iloc[3, 0] = math.nan
    equity.to_parquet(b / "equity.parquet")
    refused(r"b: is damaged \(equity: bar 3 is nan", [a, b], results=tmp_path)


def test_the_command_prints_the_table_and_as_json_the_same_numbers(tmp_path, monkeypatch, capsys):
    command = commander(monkeypatch, capsys)
    runs = [make_run(tmp_path, n, noise(i, 60)) for i, n in enumerate("ab")]
    said = command("compare", *runs, "--results", tmp_path)
    assert said.code == 0
    assert "60 sessions in common, 2024-01-01 to" in said.out
    made = compare(runs, results=tmp_path)
    row = next(r for r in rows_of(made, "common") if r.key == "sharpe")
    line = next(x for x in said.out.splitlines() if x.startswith("Sharpe"))
    assert [*row.shown, row.differences[0]] == line.split()[2:5]
    told = json.loads(command("compare", *runs, "--results", tmp_path, "--json").out)
    assert told["figures"]["common"]["b"]["sharpe"] == pytest.approx(
        made.table.loc[("common", "sharpe"), ("value", "b")]
    )
    assert told["sharpe_differences"] == json.loads(json.dumps(tables(made)))["sharpe_differences"]
    wrong = command("compare", runs[0], "--results", tmp_path)
    assert (wrong.code, wrong.err) == (2, "hpi-bt: compare: 1 run; give at least two\n")


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    """One short run of the shipped filter, and what comparing it without the filter gives."""
    results = tmp_path_factory.mktemp("results")
    short = ["data.source.sessions=24", "data.source.bar=15min"]
    run = hpi_bt.run("configs/confirmation_filter.yaml", overrides=short, results=results)
    return run, compare([run.folder], results=results, without_filter=True, bootstrap=199)


def test_without_filter_compares_the_run_with_the_very_orders_of_the_plain_strategy(
    filtered, tmp_path
):
    run, made = filtered
    assert made.names == ("confirmation-filter unfiltered", "confirmation-filter")
    config = read_mapping(run.folder / "config.yaml")
    config["strategy"] = {
        "class": config["strategy"]["class"].replace("ConfirmedEmaCross", "EmaCross"),
        "params": {k: v for k, v in config["strategy"]["params"].items() if k != "confirm"},
    }
    plain = hpi_bt.run(config, results=tmp_path)
    folder = next(run.folder.parent.glob("confirmation-filter-unfiltered-*"))
    unfiltered = hpi_bt.Result(folder)
    pd.testing.assert_frame_equal(unfiltered.trades, plain.trades, check_exact=True)
    pd.testing.assert_frame_equal(unfiltered.equity, plain.equity, check_exact=True)
    assert unfiltered.summary["vetoed"] == 0
    assert run.summary["vetoed"] > 0


def test_without_filter_the_entries_are_those_of_the_unfiltered_run_judged_by_the_index(filtered):
    run, made = filtered
    entries = made.entries
    assert made.filter_effect is not None
    folder = next(run.folder.parent.glob("confirmation-filter-unfiltered-*"))
    bars = hpi_bt.Result(folder).signals.reset_index(drop=True)
    hpi = bars["HedgePressureIndex.hpi"]
    at = entries["bar"]
    assert_allclose(entries["hpi"], hpi[at])
    assert (entries["vetoed"] == ~(entries["side"] * hpi[at].to_numpy() >= 0)).all()
    assert 0 < entries["vetoed"].sum() < len(entries)
    for row in entries.itertuples():  # five bars ahead, one at a time
        t, ahead = row.bar, row.bar + 5
        inside = ahead < len(bars) and bars["session"][ahead] == bars["session"][t]
        wanted = row.side * (bars["close"][ahead] / bars["open"][t + 1] - 1) if inside else math.nan
        assert_allclose(entries.loc[row.Index, "over 5 bars"], wanted)
    assert list(pd.read_csv(made.folder / "entries.csv")["bar"]) == list(at)
    assert "the filter" in made.words[-1]
    assert made.parameters.index.tolist() == ["strategy.params.confirm_enabled"]


def test_every_trade_of_the_unfiltered_run_belongs_to_the_entry_that_opened_it(filtered):
    run, made = filtered
    folder = next(run.folder.parent.glob("confirmation-filter-unfiltered-*"))
    trades = hpi_bt.Result(folder).trades
    closed = trades[trades["status"] == "closed"]
    own = made.entries[made.entries[OWN_TRADE].notna()]
    assert own["filled"].tolist() == closed["entry_bar"].tolist()
    gain = closed["direction"] * (closed["exit_price"] / closed["entry_price"] - 1.0)
    assert_allclose(own[OWN_TRADE], gain)


def test_data_strategy_or_package_that_changed_since_are_warned_of(filtered):
    run, made = filtered
    assert made.warnings == ()
    ran = read_run(run.folder, run.folder.parent)
    assert changes(ran, ran) == []
    other = {"data_fingerprint": "x", "strategy_fingerprint": "y", "packages": {"hpi-bt": "0"}}
    now = type(ran)(**{**vars(ran), "environment": other})
    told = changes(ran, now)
    assert [t.split(" ")[1] for t in told] == ["data", "strategy's", "filtered"]
    assert all(t.endswith("run it again") for t in told)


def test_without_filter_refuses_what_cannot_be_run_without_one(filtered, tmp_path):
    run, _ = filtered
    own = run.folder.parent
    unfiltered = next(own.glob("confirmation-filter-unfiltered-*"))
    before = listing(own)
    refused(r"is itself unfiltered", [unfiltered], results=own, without_filter=True)

    def copy(name, change):
        folder = shutil.copytree(run.folder, tmp_path / name)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        change(config)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        return folder

    def plain(config):
        config["strategy"] = {"class": "strategies/confirmation_filter.py:EmaCross"}

    refused(r"EmaCross, is no Confirmed and vetoes nothing", [copy("plain", plain)],
            results=own, without_filter=True)  # fmt: skip
    reported = copy("reported", lambda c: c.update(data=["IWM"]))
    refused(r"is no config that can be run again \(hb.Report wrote it\)", [reported],
            results=own, without_filter=True)  # fmt: skip
    walked = copy("walked", lambda c: None)
    summary = json.loads((walked / "summary.json").read_text()) | {"kind": "walk-forward"}
    (walked / "summary.json").write_text(json.dumps(summary))
    refused(r"walked: is a walk-forward; give a run", [walked], results=own, without_filter=True)
    refused(r"^horizons: 5000 bars, but the longest session has 26", [run.folder], results=own,
            without_filter=True, horizons=[5000])  # fmt: skip
    assert listing(own) == before


def market(sessions=3, a_day=4):
    n = sessions * a_day
    index = pd.date_range("2024-01-02 10:00", periods=n, freq="h", tz="America/New_York")
    close = 100.0 + np.arange(n)
    session = np.repeat(np.arange(sessions), a_day)
    return pd.DataFrame({"open": close - 0.5, "close": close, "session": session}, index=index)


def asked(bar, side, reason="", filled=None, data="ES"):
    filled = bar + 1 if filled is None else filled
    return {"bar": bar, "time": None, "data": data, "side": side, "size": 1.0, "hpi": 0.5,
            "reason": reason, "filled": filled}  # fmt: skip


NO_TRADES = pd.DataFrame(
    columns=["data", "entry_bar", "direction", "entry_price", "exit_price", "status"]
)


def test_worked_example_of_the_entries():
    trades = pd.DataFrame({"data": "ES", "entry_bar": [1], "direction": [1], "entry_price": 100.0,
                           "exit_price": 102.0, "status": "closed"})  # fmt: skip
    entries = [asked(0, 1), asked(2, -1, "against"), asked(5, 1, filled=-1), asked(4, 1, data="NQ")]
    table = entry_table(entries, market(), trades, [1, 2, "close"], "ES")
    assert table["vetoed"].tolist() == [False, True, False, False]
    # bought at 100.5 (open of bar 1), 101 one bar, 102 two bars, 103 at the session's close
    first = table.iloc[0]
    assert_allclose(
        first[["over 1 bar", "over 2 bars", "to the session's close", OWN_TRADE]].astype(float),
        [101 / 100.5 - 1, 102 / 100.5 - 1, 103 / 100.5 - 1, 0.02],
    )
    # sold at 102.5 with one bar of the session left
    assert table["over 1 bar"][1] == pytest.approx(-(103 / 102.5 - 1))
    assert math.isnan(table["over 2 bars"][1])
    assert table[OWN_TRADE][1:].isna().all()
    assert table["over 1 bar"].isna().tolist() == [
        False,
        False,
        False,
        True,
    ]  # NQ's bars are others


def test_usual_horizons_go_as_far_as_the_bars_reach():
    table = entry_table([asked(0, 1)], market(3, 7), NO_TRADES)
    assert [c for c in table.columns if c.startswith(("over", "to"))] == [
        "over 1 bar", "over 5 bars", "to the session's close", OWN_TRADE,
    ]  # fmt: skip
    daily = entry_table([asked(0, 1)], market(12, 1), NO_TRADES)
    assert [c for c in daily.columns if c.startswith(("over", "to"))] == [
        "over 1 bar", "over 5 bars", "over 10 bars", OWN_TRADE,
    ]  # fmt: skip


def verdict(entries, n=200):
    bars = market(n, 4)
    rng = np.random.default_rng(0)
    bars["open"] = 100.0
    bars["close"] = 100.0 + rng.normal(0, 0.1, len(bars))
    for entry in entries:  # the close after an entry says what it was worth
        bars.iloc[entry["bar"] + 1, 1] += entry["worth"]
    table = entry_table(entries, bars, NO_TRADES, [1], "ES")
    effect = filter_effect(table, draws=499)
    vetoed = int(table["vetoed"].sum())
    (words,) = filter_words(effect, len(table) - vetoed, vetoed)
    return words


def many(n, worth):
    return [asked(4 * d, 1, "against" * (d % 2)) | {"worth": worth[d % 2]} for d in range(n)]


def test_the_verdict_on_a_filter_follows_what_its_entries_made():
    assert verdict(many(100, (0.5, 0.0))).startswith("The filter told good entries from bad. Of")
    assert verdict(many(100, (0.0, 0.5))).startswith(
        "The filter vetoed the better entries. Of the 100"
    )
    none = verdict(many(100, (0.0, 0.0)))
    assert none.startswith("No evidence that the filter tells good entries from bad")
    assert "50 would pass and 50 be vetoed; over 1 bar, accepted ones made" in none


def test_few_entries_or_none_are_told_in_honest_words():
    assert (
        "too few to say whether it tells good from bad (2 sessions in the vetoed group, 8 needed)"
        in verdict(many(5, (0.0, 0.0)))
    )
    passing = [e | {"reason": ""} for e in many(20, (0.0, 0.0))]
    assert "the filter would veto none: there is nothing to compare" in verdict(passing)
    against = [e | {"reason": "x"} for e in many(20, (0.0, 0.0))]
    assert "the filter would veto every one" in verdict(against)
    assert verdict([]) == "The strategy asked for no entry, so the filter had nothing to judge."


def test_runs_of_different_calendars_are_told_and_annualised_alike(tmp_path):
    def config(run, calendar):
        path = run / "config.yaml"
        path.write_text(path.read_text() + f"data: {{calendar: {calendar}}}\n")
        return run

    daily = make_run(tmp_path, "a", noise(1), sessions_per_year=252)
    always = make_run(tmp_path, "b", noise(2), sessions_per_year=365)
    old = make_run(tmp_path, "c", noise(3))
    bitcoin = config(always, "24/7")
    made = compare([bitcoin, config(daily, "XNYS")], results=tmp_path, bootstrap=99)
    assert made.warnings == (
        "different calendars, in sessions a year: b 365 (24/7), a 252 (XNYS); on the common "
        "sessions all are annualised by 276",
    )
    common = 40 / 53 * 365.2425  # 40 weekdays of 53 elapsed days
    assert made.sessions_per_year == pytest.approx(common)
    assert "by 275.7 sessions a year" in made.page.read_text("utf-8")
    assert compare([daily, old], results=tmp_path, bootstrap=99).warnings == ()
    both = [bitcoin, make_run(tmp_path, "d", noise(4), sessions_per_year=365)]
    alike = compare(both, results=tmp_path, bootstrap=99)
    assert alike.warnings == ()
    first, other = (performance(noise(k), periods_per_year=common) for k in (2, 4))
    assert_allclose(alike.table.loc[("common", "sharpe"), ("value", "b")], first.sharpe)
    assert_allclose(
        alike.sharpe_differences.loc["d", ["sharpe", "difference"]].astype(float),
        [other.sharpe, other.sharpe - first.sharpe],
    )
    summary = json.loads((alike.folder / "summary.json").read_text())
    assert summary["sessions_per_year"] == pytest.approx(common)
