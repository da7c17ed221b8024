"""`hpi_bt.sweep` as a user calls it: tables, refusals, stops and continuations."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hpi_bt
from hpi_bt import InputError
from hpi_bt.backtest.sweep import METRICS
from hpi_bt.stats.metrics import performance, session_returns

AXES = {"smoothing": [5, 10], "enter": [0.5, 1.0], "orders.stop.multiple": [1.0, 3.0]}
INTRADAY = {"kind": "demo", "sessions": 12, "bar": "5min", "symbol": "IWM", "seed": 7}
DAILY = {"kind": "demo", "sessions": 60, "bar": "1day"}


def config(sweep=AXES, source=INTRADAY, strategy="strategies/flow_bias.py:FlowBias", **more):
    return {
        "name": "small",
        "data": {"source": source, "calendar": "XNYS"},
        "strategy": {"class": strategy},
        "broker": {"cash": 100_000.0, "commission": {"kind": "per_share", "amount": 0.01}},
        "sweep": sweep,
    } | more


def by_point(result):
    return result.table.sort_values("point", ignore_index=True)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return hpi_bt.sweep(config(), results=tmp_path_factory.mktemp("done") / "not" / "yet", jobs=1)


def test_every_row_is_the_run_of_its_point_bit_for_bit(done, tmp_path):
    table = by_point(done)
    assert len(table) == 8
    for row in table.iloc[[0, 3, 7]].to_dict("records"):
        point = [f"strategy.params.{n}={row[n]}" for n in ("smoothing", "enter")]
        multiple = row["orders.stop.multiple"]
        stop = f"orders={{size: {{kind: risk, percent: 0.5}}, time_stop_bars: 60, " \
               f"stop: {{kind: atr, period: 14, multiple: {multiple}}}}}"  # fmt: skip
        for engine in ("fast", "cerebro"):
            one = hpi_bt.run(
                config(sweep={}),
                overrides=[*point, stop, "study.enabled=false"],
                results=tmp_path,
                engine=engine,
            )
            got = {name: one.summary[name] for name in METRICS}
            known = {name: None if np.isnan(row[name]) else row[name] for name in METRICS}
            assert got == known


@pytest.mark.parametrize(
    "how", [{"jobs": 2}, {"engine": "cerebro", "jobs": 2}], ids=["two threads", "cerebro"]
)
def test_threads_processes_and_engines_make_the_same_table(done, how, tmp_path):
    other = hpi_bt.sweep(config(), results=tmp_path, **how)
    pd.testing.assert_frame_equal(by_point(other), by_point(done), check_exact=True)
    assert np.array_equal(other.returns, done.returns)
    wanted = how.get("engine", "fast")
    assert other.summary["engine"] == wanted


def test_a_sweep_counts_the_points_that_ruin_the_account_and_says_that_nothing_costs(tmp_path):
    future = {"kind": "per_contract", "amount": 1.0, "multiplier": 5000.0, "margin": 10.0}
    size = {"kind": "fixed", "amount": 1.0}
    wild = config(sweep={"orders.size.amount": [1.0, 400.0]}, orders={"size": size})
    wild["broker"] = {"cash": 1e6, "commission": future}
    for engine in ("fast", "cerebro"):
        swept = hpi_bt.sweep(wild, results=tmp_path, jobs=1, engine=engine)
        assert swept.summary["ruined"] == 1
        assert by_point(swept)["total_return"].tolist()[1] == -1.0
        (note,) = swept.summary["remarks"]
        assert "1 of 2 points ruined the account" in note
    free = config(sweep={"enter": [0.5, 1.0]}, broker={"cash": 1e5})
    (note,) = hpi_bt.sweep(free, results=tmp_path, jobs=1).summary["remarks"]
    assert note.startswith("no costs: broker.commission and broker.slippage_bps are not set")
    varied = config(sweep={"broker.slippage_bps": [0.0, 1.0]}, broker={"cash": 1e5})
    assert hpi_bt.sweep(varied, results=tmp_path, jobs=1).summary["remarks"] == []


def test_runs_sweeps_and_pages_of_a_calendar_are_annualised_by_its_sessions(tmp_path):
    always = config(sweep={"enter": [0.5]})
    always["data"] = always["data"] | {"calendar": "24/7"}
    swept = hpi_bt.sweep(always, results=tmp_path, jobs=1)
    point = ["strategy.params.enter=0.5", "study.enabled=false"]
    one = hpi_bt.run(always | {"sweep": {}}, overrides=point, results=tmp_path)
    equity, start = one.equity["equity"], one.summary["start_value"]
    returns = session_returns(equity, one.signals["session"], start)
    own = performance(returns, periods_per_year=365)
    assert own.sharpe != 0.0
    for found in (one.summary, swept.summary["figures"]):
        assert found["sharpe"] == own.sharpe
        assert found["cagr"] is None  # twelve sessions are no rate
    for summary, page in (
        (one.summary, one.folder / "tearsheet.html"),
        (swept.summary, swept.folder / "heatmap.html"),
    ):
        assert summary["sessions_per_year"] == 365
        assert "by 365 sessions a year" in page.read_text("utf-8")


def test_the_folder_holds_what_the_result_says(done):
    names = {p.name for p in done.folder.iterdir()}
    assert {"sweep.parquet", "returns.npy", "summary.json", "config.yaml", "heatmap.html"} <= names
    best = done.table.iloc[0]
    assert done.summary["best"]["smoothing"] == best["smoothing"]
    assert done.summary["figures"]["sharpe"] == best["sharpe"] == done.table["sharpe"].max()
    assert done.summary["trials"] == done.summary["points"] == 8  # all different
    assert done.returns.shape == (8, 12)
    assert {p.name for p in done.folder.parent.iterdir()} == {done.folder.name, "index.html"}
    totals = np.prod(1.0 + done.returns, axis=1) - 1.0
    np.testing.assert_allclose(by_point(done)["total_return"], totals, rtol=1e-12)
    assert "8 points" in repr(done)


@pytest.mark.parametrize("figure", METRICS)
def test_the_first_row_is_the_best_by_the_figure_chosen(figure, tmp_path):
    result = hpi_bt.sweep(config(), results=tmp_path, select=figure)
    column = result.table[figure]
    if column.isna().all():  # growth a year, of twelve sessions
        assert figure in ("cagr", "calmar")
        column = result.table["total_return"]
        assert figure == "calmar" or column.iloc[0] == column.max()
        return
    best = column.min() if figure in ("volatility", "costs") else column.max()
    assert column.iloc[0] == best
    assert result.summary["figures"][figure] == best


def test_a_random_sweep_repeats_itself_by_seed(tmp_path):
    axes = {"smoothing": {"from": 2, "to": 30}, "enter": {"from": 0.2, "to": 2.0}}
    one, two, other = (
        hpi_bt.sweep(config(axes), results=tmp_path, samples=6, seed=s).table for s in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(other)


def test_whole_ends_of_a_parameter_whose_default_is_a_float_hold_what_lies_between(tmp_path):
    axes = {"enter": {"from": 0, "to": 2}, "smoothing": {"from": 2, "to": 30}}
    result = hpi_bt.sweep(config(axes), results=tmp_path, samples=6)
    assert result.table["enter"].nunique() == 6
    assert result.table["enter"].between(0.0, 2.0).all()
    assert (result.table["smoothing"] % 1 == 0).all()
    steps = hpi_bt.sweep(config({"enter": {"from": 0, "to": 2, "step": 1}}), results=tmp_path,
                         samples=6)  # fmt: skip
    assert sorted(steps.table["enter"]) == [0, 1, 2]


def test_fewer_points_than_asked_for_are_reported(tmp_path):
    axes = {"smoothing": {"from": 5, "to": 7}, "enter": [0.5, 1.0]}
    summary = hpi_bt.sweep(config(axes), results=tmp_path, samples=20).summary
    said = "6 points instead of the 20 asked for: no more different ones could be drawn"
    assert said in summary["remarks"]
    assert hpi_bt.sweep(config(axes), results=tmp_path, samples=6).summary["remarks"] == []


@pytest.mark.parametrize("source", [INTRADAY | {"sessions": n} for n in (1, 2, 3)], ids=str)
def test_the_shortest_data_are_swept(source, tmp_path):
    result = hpi_bt.sweep(config({"smoothing": [5, 6]}, source), results=tmp_path)
    assert result.returns.shape == (2, source["sessions"])


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"sweep": {}}, "sweep: names no parameter"),
        ({"sweep": {"smoothin": [5]}}, r"sweep.smoothin: .* \(did you mean 'smoothing'\?\)"),
        ({"sweep": {"orders.stop.multipl": [5]}}, "multipl.*did you mean 'multiple'"),
        ({"sweep": {"data.resample_minutes": [15, 30]}}, "data.resample_minutes.*same for all"),
        ({"sweep": {"strategy.params.smoothing": [5, 9]}}, "strategy.params.smoothing.*bare name"),
        ({"sweep": {"smoothing": ["x", 5]}}, "sweep.smoothing: found 'x'; wanted a number"),
        ({"sweep": {"smoothing": [5, "x", 6]}}, "sweep.smoothing: found 'x'; wanted a number"),
        ({"sweep": {"smoothing": [0]}}, "'smoothing': 0.*whole number >= 1, got 0"),
        ({"sweep": {"smoothing": [[1, 2]]}}, r"\[1, 2\]"),
        ({"sweep": {"orders.time_stop_bars": [-1, 0]}}, "time_stop_bars: found -1; wanted 1"),
        ({"source": DAILY, "orders": {"flat_at_close": True}}, "flat_at_close needs intraday"),
        (
            {
                "strategy": "strategies/herrick_rsi_cross.py:HerrickRsiCross",
                "sweep": {"rsi_length": [5, 6]},
            },
            "is for daily bars",
        ),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_wrong_input_is_refused_in_one_line_on_both_engines(how, says, engine, tmp_path):
    with pytest.raises(InputError, match=says) as refused:
        hpi_bt.sweep(config(**{"sweep": {"smoothing": [5]}} | how), results=tmp_path,
                     engine=engine, jobs=1)  # fmt: skip
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"engine": "quick"}, "engine: 'quick' is none"),
        ({"select": "luck"}, "select: 'luck' is no figure; take one of total_return"),
        ({"jobs": 0}, "jobs: 0"),
        ({"samples": 0}, "samples: 0"),
        ({"max_points": 7}, "8 points are more than the 7 allowed"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(how, says, tmp_path):
    with pytest.raises(InputError, match=says):
        hpi_bt.sweep(config(), results=tmp_path, **how)


def test_the_fast_engine_is_refused_to_what_is_more_than_a_kernel(tmp_path):
    plain = "strategies/confirmation_filter.py:EmaCross"
    with pytest.raises(
        InputError, match="engine: fast is for a signal kernel with orders, EmaCross is more"
    ):
        hpi_bt.sweep(config({"fast": [5]}, strategy=plain), results=tmp_path, engine="fast")


KILLED = """
import hpi_bt, json, os, signal, sys
config, results = json.loads(sys.argv[1]), sys.argv[2]
def count(done, total):
    if done >= 30:
        os.kill(os.getpid(), signal.SIGKILL)
hpi_bt.sweep(config, results=results, jobs=2, count=count)
"""
MANY = {"smoothing": list(range(2, 14)), "enter": [0.3, 0.6, 0.9, 1.2, 1.5]}


def test_a_killed_sweep_goes_on_where_it_stopped_and_counts_nothing_twice(tmp_path):
    import json

    arguments = [sys.executable, "-c", KILLED, json.dumps(config(MANY)), str(tmp_path / "killed")]
    ended = subprocess.run(arguments, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    (store,) = (tmp_path / "killed").iterdir()
    parts = sorted(store.glob("part-*.npz"))
    assert parts
    parts[0].write_bytes(parts[0].read_bytes()[:100])  # cut off
    if len(parts) > 1:
        parts[1].write_bytes(b"")
    (store / "part-00000000-00000001.npz").write_bytes(b"no archive at all")
    told = []
    result = hpi_bt.sweep(
        config(MANY),
        results=tmp_path / "killed",
        count=lambda done, total: told.append((done, total)),
    )
    assert told[0][0] >= 0
    assert told[-1] == (60, 60)
    whole = hpi_bt.sweep(config(MANY), results=tmp_path / "whole", jobs=1)
    pd.testing.assert_frame_equal(result.table, whole.table, check_exact=True)
    assert np.array_equal(result.returns, whole.returns)
    strip = lambda s: {k: v for k, v in s.items() if k != "seconds"}  # noqa: E731
    assert strip(result.summary) == strip(whole.summary)
    assert not store.exists()


def test_finished_points_are_not_computed_again(tmp_path):
    class Enough(Exception):  # noqa: N818
        """Ends a sweep."""

    def stop(done, total):
        if done >= 20:
            raise Enough

    with pytest.raises(Enough):
        hpi_bt.sweep(config(MANY), results=tmp_path, jobs=1, count=stop)
    told = []
    hpi_bt.sweep(config(MANY), results=tmp_path, jobs=1, count=lambda d, t: told.append(d))
    assert told[0] >= 20
    assert told == sorted(set(told))


TWO = """
import hpi_bt, json, sys, time
config, results = json.loads(sys.argv[1]), sys.argv[2]
def count(done, total):
    time.sleep(float(sys.argv[3]))
print(hpi_bt.sweep(config, results=results, jobs=1, count=count).table["sharpe"].iloc[0])
"""


def test_two_sweeps_in_one_results_folder_do_not_disturb_each_other(tmp_path):
    import json

    other = {"smoothing": [3, 4], "enter": [0.7]}
    runs = [(MANY, 0.05), (MANY, 0.1), (other, 0.0)]  # the same one twice at the same time
    started = [
        subprocess.Popen([sys.executable, "-c", TWO, json.dumps(config(axes)), str(tmp_path),
                          str(s)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for axes, s in runs
    ]  # fmt: skip
    said = [process.communicate(timeout=120) for process in started]
    codes = [p.returncode for p in started]
    assert codes[2] == 0, said
    finished = {out for code, (out, _) in zip(codes[:2], said, strict=False) if code == 0}
    assert len(finished) == 1
    for code, (_, error) in zip(codes[:2], said, strict=False):
        assert code == 0 or "this very search is running already" in error


INPLACE = """
import numpy as np
from hpi_bt import KernelStrategy, Orders, defaults_of
from hpi_bt.kernels.averages import ema

def hasty(close, *, period=10, shift=0.0, state=None):
    mean = ema(close, period, state=state)
    mean += shift
    return np.sign(close - mean)

class Hasty(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(hasty)
    params = defaults_of(hasty)
"""


def test_a_kernel_that_writes_to_a_shared_result_is_told_or_harmless(tmp_path, monkeypatch):
    (tmp_path / "hasty.py").write_text(INPLACE)
    monkeypatch.chdir(tmp_path)
    axes = {"shift": [0.0, 0.5, 1.0]}
    try:
        got = hpi_bt.sweep(config(axes, strategy="hasty.py:Hasty"), results="results", jobs=1)
    except (InputError, ValueError) as refused:
        assert "read-only" in str(refused)  # noqa: PT017
        return
    for row in got.table.to_dict("records"):
        one = hpi_bt.run(config({}, strategy="hasty.py:Hasty"), results="results",
                         overrides=[f"strategy.params.shift={row['shift']}"])  # fmt: skip
        assert one.summary["total_return"] == row["total_return"]


MIXED = """
import numpy as np
from hpi_bt import KernelStrategy, defaults_of

def mixed(close, *, trades=None, state=None):
    return np.where(np.arange(close.size) % 50 < 25, 1.0, 0.0)

class Mixed(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(mixed)
    params = defaults_of(mixed)
"""


@pytest.mark.parametrize("values", [[1, "a"], [None, 2], [[1, 2], 3], [True, "x"]], ids=str)
def test_values_of_several_kinds_and_names_of_figures_are_kept(values, tmp_path, monkeypatch):
    (tmp_path / "mixed.py").write_text(MIXED)
    monkeypatch.chdir(tmp_path)
    axes = {"trades": values}  # the name of a figure too
    try:
        result = hpi_bt.sweep(config(axes, strategy="mixed.py:Mixed"), results="results", jobs=1)
    except InputError as refused:
        assert "trades" in str(refused)  # noqa: PT017
        return
    assert len(result.table) == 2
    assert "sharpe" in result.table


def test_results_that_cannot_be_written_are_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="results cannot be written"):
        hpi_bt.sweep(config(), results=tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


def test_the_shipped_configs_sweep_by_path_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = ["data.source.sessions=5", "data.source.bar=5min", "sweep={enter: [0.5, 1.0]}"]
    result = hpi_bt.sweep("configs/demo.yaml", overrides=short, results="results")
    assert len(result.table) == 2
    assert result.folder.parent == Path("results")


KINDS = """
import backtrader as bt
import numpy as np
from hpi_bt import KernelStrategy, Orders, defaults_of

def kind_of(close, *, kind="mixed", n=0, state=None):
    if n == 7:
        raise RuntimeError("n 7 cannot be")
    bar = np.arange(close.size)
    return {
        "up": np.where(bar % 4 < 2, 1.0, 0.0),
        "never": np.zeros(close.size),
        "always": np.ones(close.size),
        "mixed": np.where(bar % 4 == 3, -1.0, 1.0),
    }[kind]

class Kind(KernelStrategy):
    inputs = ("close",)
    signal_kernel = staticmethod(kind_of)
    params = defaults_of(kind_of)
    orders = Orders(size={"kind": "percent", "percent": 50.0}, size_step=0.0)
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kind.py").write_text(KINDS)
    days = pd.bdate_range("2024-04-01", periods=60)
    close = 100.0 * np.cumprod(1.0 + np.resize([0.004, 0.002, 0.001], 60))
    open_ = np.r_[100.0, close[:-1]]
    prices = {"open": open_, "high": close, "low": open_, "close": close, "volume": 1.0}
    pd.DataFrame({"date": days, **prices}).to_csv(tmp_path / "bars.csv", index=False)
    return tmp_path


def of_kinds(**axes):
    source = {"source": {"kind": "csv", "path": "bars.csv"}, "calendar": "24/7"}
    return {"name": "k", "data": source, "strategy": {"class": "kind.py:Kind"}, "sweep": axes}


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_a_point_that_raises_is_a_row_with_its_error_and_the_rest_go_on(shop, engine):
    result = hpi_bt.sweep(of_kinds(n=[5, 7, 10]), results="r", engine=engine, jobs=1)
    last = result.table.iloc[-1]
    assert (last["n"], last["error"]) == (7, "RuntimeError: n 7 cannot be")
    assert np.isnan(last["sharpe"])
    assert result.table["error"].tolist()[:2] == ["", ""]
    assert result.table["sharpe"].iloc[:2].notna().all()
    assert (result.summary["points"], result.summary["failed"]) == (3, 1)
    assert result.summary["trials"] == 1  # the other two are equal
    page = (result.folder / "heatmap.html").read_text("utf-8")
    assert "1 of 3 points raised an error and have no figures: n 7" in page


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
@pytest.mark.parametrize("values", [[-1, 5, 9], [5, -1, 9], [5, 9, -1]])
def test_a_point_that_orders_refuse_is_a_row_with_its_error_too(shop, values, engine):
    wanted = of_kinds(**{"orders.size.amount": values, "n": [0, 1]})
    wanted["orders"] = {"size": {"kind": "fixed", "amount": 1}}
    result = hpi_bt.sweep(wanted, results="r", engine=engine, jobs=1)
    assert (result.summary["points"], result.summary["failed"]) == (6, 2)
    assert result.table["orders.size.amount"].tolist()[-2:] == [-1, -1]
    says = "sweep: orders.size.amount: found -1; wanted more than 0"
    assert result.table["error"].tolist() == ["", "", "", "", says, says]


def test_a_rule_that_daily_bars_refuse_is_a_row_with_its_error(shop):
    result = hpi_bt.sweep(of_kinds(**{"orders.flat_at_close": [True, False]}), results="r")
    assert "flat_at_close needs intraday bars" in result.table["error"].iloc[1]
    assert result.table["orders.flat_at_close"].tolist() == [False, True]


def test_a_sweep_with_a_point_that_raises_ends_well_with_a_warning(shop, monkeypatch, capsys):
    import yaml

    from small_runs import commander

    (shop / "k.yaml").write_text(yaml.safe_dump(of_kinds(n=[5, 7])))
    said = commander(monkeypatch, capsys)("sweep", "k.yaml", "--results", "r")
    assert said.code == 0
    assert "- warning: 1 of 2 points raised an error" in said.out
    assert "Traceback" not in said.out + said.err


def test_points_that_all_raise_are_wrong_input_named_by_the_first(shop):
    with pytest.raises(InputError, match=r"point \{'n': 7\}: RuntimeError: n 7 cannot be"):
        hpi_bt.sweep(of_kinds(n=[7]), results="r")


def test_points_that_are_equal_to_the_last_bit_are_one_trial(shop):
    result = hpi_bt.sweep(of_kinds(kind=["up", "mixed"], n=[0, 1, 2]), results="r")
    assert (result.summary["points"], result.summary["trials"]) == (6, 2)
    alone = hpi_bt.sweep(of_kinds(kind=["up", "mixed"]), results="r").summary
    for name in ("deflated_sharpe", "probability_of_overfitting"):
        assert result.summary[name] == alone[name]
    assert "Different results (trials; equal points count once)" in (
        result.folder / "heatmap.html"
    ).read_text("utf-8")


@pytest.mark.parametrize("select", ["sortino", "calmar"])
def test_a_point_that_never_lost_is_first_and_one_without_trades_last(
    shop, select, monkeypatch, capsys
):
    import yaml

    from small_runs import commander

    plain = of_kinds(kind=["never", "mixed", "up"])
    result = hpi_bt.sweep(plain, results="r", select=select)
    assert result.table["kind"].tolist() == ["up", "mixed", "never"]
    assert result.table[select].iloc[0] == np.inf
    assert {select} <= set(result.summary["never_lost"]) <= {"sortino", "calmar"}
    assert result.summary["figures"][select] is None
    never = hpi_bt.sweep(of_kinds(kind=["never"]), results="r", select=select)
    assert (never.summary["figures"][select], never.summary["never_lost"]) == (None, [])
    (shop / "k.yaml").write_text(yaml.safe_dump(plain))
    said = commander(monkeypatch, capsys)("sweep", "k.yaml", "--results", "r", "--sort", select)
    assert "never lost" in next(x for x in said.out.splitlines() if x.strip().startswith("up"))


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_trades_that_are_open_at_the_end_are_shown(shop, engine, monkeypatch, capsys):
    import yaml

    from small_runs import commander

    (shop / "k.yaml").write_text(yaml.safe_dump(of_kinds(kind=["always", "never"])))
    run = commander(monkeypatch, capsys)
    said = run("sweep", "k.yaml", "--results", "r", "--engine", engine)
    assert "0 (1 open)" in said.out.splitlines()[3]
    assert "open" not in said.out.splitlines()[4]
    (folder,) = (shop / "r").glob("k-sweep-*")
    assert "<td>0 (1 open)</td>" in (folder / "heatmap.html").read_text("utf-8")
    table = pd.read_parquet(folder / "sweep.parquet")
    assert table[["trades", "open_trades"]].to_numpy().tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_a_class_of_the_running_program_is_swept_in_its_own_process(tmp_path):
    import subprocess
    import sys

    program = """
import backtrader as bt
import hpi_bt

class Own(bt.Strategy):
    params = dict(n=1)

    def next(self):
        if len(self) == 3 + self.p.n:
            self.buy(size=1)

if __name__ == "__main__":
    source = {"kind": "demo", "sessions": 12, "bar": "15min"}
    config = {"name": "m", "data": {"source": source}, "strategy": {"class": "__main__:Own"},
              "sweep": {"n": [1, 2, 3]}}
    made = hpi_bt.sweep(config, results="r", engine="cerebro", jobs=2)
    print(len(made.table), [x for x in made.summary["remarks"] if "one process" in str(x)])
    try:
        hpi_bt.sweep(config, results="r", scheduler="tcp://127.0.0.1:1")
    except hpi_bt.InputError as error:
        print(error)
"""
    (tmp_path / "own.py").write_text(program)
    made = subprocess.run(
        [sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.stdout.startswith("3 ["), made.stderr
    assert "one process ran all points" in made.stdout
    assert "put the class in a file" in made.stdout.splitlines()[-1]


@pytest.mark.parametrize("engine", ["fast", "cerebro"])
def test_a_point_that_ruined_the_account_stands_last_and_is_named(shop, engine):
    frame = pd.read_csv(shop / "bars.csv")
    frame.loc[24, ["high", "close"]] *= 6.0  # the next bar opens as if it had not
    frame.to_csv(shop / "bars.csv", index=False)
    result = hpi_bt.sweep(
        of_kinds(kind=["mixed", "up"]), results="r", engine=engine, jobs=1, select="trades"
    )
    assert result.table["kind"].tolist() == ["up", "mixed"]
    assert result.table["max_drawdown"].iloc[1] == -1.0
    assert result.summary["ruined"] == 1
    page = (result.folder / "heatmap.html").read_text("utf-8")
    assert "1 of 2 points ruined the account, stand last" in page
    run = hpi_bt.run(
        of_kinds() | {"strategy": {"class": "kind.py:Kind"}}, engine=engine, results="r"
    )
    assert run.summary["max_drawdown"] == result.table["max_drawdown"].iloc[1]
    assert run.summary["total_return"] == pytest.approx(result.table["total_return"].iloc[1])
