"""From a config to a result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.config import Config
from hpi_bt.errors import InputError
from hpi_bt.frames import find_config, load_frame, locations, read_config
from hpi_bt.runs import assumptions, run
from small_runs import bars, days, demo_run, listing, mapping, workshop


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    monkeypatch.chdir(workshop(tmp_path))
    return tmp_path


def refused(folder: Path, config: Any, **how: Any) -> str:
    before = listing(folder)
    with pytest.raises(InputError) as error:
        run(config, **how)
    assert "\n" not in str(error.value)
    assert [p for p in listing(folder) if "__pycache__" not in p] == [
        p for p in before if "__pycache__" not in p
    ]
    return str(error.value)


def test_a_round_trip_is_filled_at_the_opens_after_its_signals(folder: Path) -> None:
    result = run("small.yaml")
    # bought after bar 3 at the open of bar 4 (103), sold after bar 9 at the open of bar 10 (102)
    (trade,) = result.trades.to_dict("records")
    assert (trade["entry_price"], trade["exit_price"], trade["size"]) == (103.0, 102.0, 10.0)
    assert result.summary["end_value"] == 10_000.0 - 10.0
    assert result.summary["total_return"] == pytest.approx(-0.001)
    assert result.folder.parent == Path("results")
    # bought at bar 4, held to the close of bar 9: six of forty bars
    assert result.summary["exposure"] == 6 / 40


def test_path_mapping_and_model_give_the_same_run(folder: Path) -> None:
    model = Config.model_validate(mapping())
    short = ["data.end=2024-01-05"]
    runs = [run(c, overrides=short, results="r") for c in ("small.yaml", mapping(), model)]
    for other in runs[1:]:
        pd.testing.assert_frame_equal(other.equity, runs[0].equity)
        pd.testing.assert_frame_equal(other.trades, runs[0].trades)
    hashes = {r.folder.name.split("-")[2] for r in runs}
    assert len(hashes) == 1, "equal runs have one hash"
    assert len({r.folder for r in runs}) == 3, "and still a folder each"


def test_another_parameter_file_or_bar_gives_another_hash(folder: Path) -> None:
    def hash8(**how: Any) -> str:
        return run(mapping(end=days(4)[-1]) | how, results="r").folder.name.split("-")[2]

    first = hash8()
    assert hash8(benchmark="none") != first
    (folder / "hold.py").write_text((folder / "hold.py").read_text() + "# changed\n")
    second = hash8()
    assert second != first
    (folder / "bars.csv").write_text("\n".join(bars()).replace("1001", "1002") + "\n")
    assert hash8() not in (first, second)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: [*r[:5], r[6], r[5], *r[7:]], "row 6 (2024-01-08 16:00:00-05:00) is older"),
        (lambda r: [*r[:5], r[4], *r[5:]], "row 5 repeats the stamp"),
        (lambda r: [*r[:5], "2024-01-08,9,8,9,9,1,1", *r[6:]], "high 8 is below"),
        (lambda r: [*r[:5], r[5].replace("1004", "-4"), *r[6:]], "volume is -4 at 2024-01-08"),
        (lambda r: [x.replace("close", "klose") for x in r], "no column 'close' (found: open, "),
        (lambda r: [*r[:5], "2024-01-08,9,9,9,,1,1", *r[6:]], "close is nan at 2024-01-08"),
        (lambda r: [*r[:5], "2024-01-08,9,inf,9,9,1,1", *r[6:]], "high is inf at 2024-01-08"),
        (lambda r: [*r[:5], "2024-01-08,9,?,9,9,1,1", *r[6:]], "row 5, high is '?'; wanted a num"),
        (lambda r: r[:1], "a header but no rows"),
        (lambda r: [], "bars.csv: "),
        (
            lambda r: [r[0], *(f"2024-01-02 09:3{i}:00{x[10:]}" for i, x in enumerate(r[1:9]))],
            "no bar_label and no bar_minutes",
        ),
    ],
)  # fmt: skip
def test_bars_that_cannot_be_right_are_refused_with_their_row(
    folder: Path, change: Any, told: str
) -> None:
    (folder / "bars.csv").write_text("\n".join(change(bars())) + "\n")
    message = refused(folder, "small.yaml")
    assert message.startswith("bars")
    assert told in message


HERRICK = "strategy.class=strategies/herrick_rsi_cross.py:HerrickRsiCross"
FLOW = "strategy.class=strategies/flow_bias.py:FlowBias"
RAW = "strategy.params.scale=contracts"
DEMO = "data.source={kind: demo, sessions: 3, bar: 5min}"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["data.source.path=absent.csv"], "absent.csv: no such file (looked in "),
        (["data.calendar=XXXX"], "calendar: no exchange calendar 'XXXX'"),
        (["data.start=2030-01-01"], "from 2030-01-01 to the last; the data run from 2024-"),
        (["data.start=2024-02-01", "data.end=2024-01-05"], "no bar from 2024-02-01 to 2024-01-05"),
        (["data.resample_minutes=7"], "resample: 7 minutes from bars of 1440"),
        (["strategy.params.sice=1"], "Hold has no such parameter (did you mean 'size'?)"),
        (["strategy.params.size=many"], "strategy.params.size: found 'many'; wanted a number"),
        (["strategy.params.size=true"], "found True; wanted a number such as the default, 10"),
        (["strategy.params.word=3"], "strategy.params.word: found 3; wanted text"),
        (["orders.flat_at_close=true"], "flat_at_close needs intraday bars, these are daily"),
        ([FLOW], "no column 'put_volume' (found: open, high, low, close, volume, openinterest)"),
        ([HERRICK, "strategy.params.rsi_length=0"], "period must be a whole number >= 1, got 0"),
        ([HERRICK, "strategy.params.signal_type=foo"], "must be one of sma, ema, rma, wma, hma"),
        ([HERRICK, "strategy.params.rsi_length=500"], "HerrickRSI.rsi is never known in 40 bars"),
        ([HERRICK, "strategy.params.orders=x"], "has no such parameter"),
        ([HERRICK, DEMO], "HerrickRSI is for daily bars, IWM has 5-minute bars; resample"),
        ([FLOW, DEMO], "never known in 234 bars (no cross: the open-interest baseline is never"),
        ([FLOW, DEMO, RAW, "strategy.params.zscore_lookback=900"], "hpi is never known in 234"),
    ],
)  # fmt: skip
def test_a_run_that_can_mean_nothing_is_refused(
    folder: Path, overrides: list[str], told: str
) -> None:
    assert told in refused(folder, "small.yaml", overrides=overrides)


def test_open_interest_that_is_blank_throughout_is_refused(folder: Path) -> None:
    blank = [row.rpartition(",")[0] + "," for row in bars()[1:]]
    (folder / "bars.csv").write_text("\n".join([bars()[0], *blank]) + "\n")
    told = refused(folder, "small.yaml", overrides=[HERRICK])
    assert told.startswith("bars: column 'openinterest' is blank in all 40 bars; wanted numbers")


OWN = """
import backtrader as bt, sys, hpi_bt as hb

class Demo(bt.Strategy):
    def __init__(self):
        hb.DemoHedgePressureIndex(self.data, zscore_lookback=5)

class Flow(bt.Strategy):
    def __init__(self):
        hb.HedgePressureIndex(self.data)

class Payoff(bt.Strategy):
    def __init__(self):
        hb.HerrickPayoffIndex(self.data, alert_length=2, color_norm_length=2)

class Slow(bt.Strategy):
    def __init__(self):
        bt.ind.SMA(period=100)

class Leaves(bt.Strategy):
    def next(self):
        sys.exit(0)
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Demo", "makes its option flow up from price bars; say demo: true in the config"),
        ("Flow", "the data has no line 'put_volume' (found: "),
        ("Slow", "bars: 40 bars, but Slow needs 100; give more data"),
    ],
)
def test_an_own_strategy_is_refused_what_ours_are(folder: Path, name: str, told: str) -> None:
    (folder / "own.py").write_text(OWN)
    assert told in refused(folder, "small.yaml", overrides=[f"strategy.class=own.py:{name}"])


def test_an_own_strategy_on_blank_open_interest_is_refused(folder: Path) -> None:
    (folder / "own.py").write_text(OWN)
    blank = [row.rpartition(",")[0] + "," for row in bars()[1:]]
    (folder / "bars.csv").write_text("\n".join([bars()[0], *blank]) + "\n")
    told = refused(folder, "small.yaml", overrides=["strategy.class=own.py:Payoff"])
    assert "HerrickPayoffIndex.hpi is never known in 40 bars" in told


def test_a_strategy_that_ends_the_program_is_a_failed_run(folder: Path) -> None:
    (folder / "own.py").write_text(OWN)
    with pytest.raises(RuntimeError, match=r"Leaves called sys.exit\(0\)"):
        run("small.yaml", overrides=["strategy.class=own.py:Leaves"])
    assert not (folder / "results").exists()


def test_one_bar_of_any_strategy_is_enough_for_a_folder(folder: Path) -> None:
    (folder / "bars.csv").write_text("\n".join(bars(1)) + "\n")
    result = run("small.yaml")
    assert (result.summary["bars"], result.summary["trades"]) == (1, 0)
    assert result.summary["sharpe"] is None


def test_a_results_folder_that_cannot_be_written_is_refused_before_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").touch()
    for results in ("file", "file/below"):
        told = refused(folder, "small.yaml", results=results)
        assert told.startswith(f"{results}: results cannot be written there (")
        assert told.endswith("is a file); give another folder as results")
    if os.geteuid():  # nothing is closed to root
        (folder / "closed").mkdir(mode=0o555)
        assert "Permission denied" in refused(folder, "small.yaml", results="closed")

    def denied(*_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", denied)
    assert "(Permission denied); give another" in refused(folder, "small.yaml")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../x", "x"),
        ("a/b\\c", "a-b-c"),
        ("😀 ünï", "ünï"),
        ("..", "run"),
        ("漢" * 80, "漢" * 40),
        ("a\nb", "a-b"),
        ("<script>alert(1)</script>", "script-alert-1---script"),
    ],
)
def test_any_name_gives_a_folder_within_results(folder: Path, name: str, stem: str) -> None:
    result = run(mapping(end=days(4)[-1]) | {"name": name}, results="r")
    assert result.folder.parent == Path("r")
    assert result.folder.name.startswith(f"{stem}-20")
    assert result.summary["name"] == name
    page = (result.folder / "tearsheet.html").read_text()
    assert "<script" not in page


def test_the_data_folder_comes_first_then_here_then_beside_the_config(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    config = tmp_path / "deep" / "er" / "c.yaml"
    assert locations(config, data).folders[:3] == (data, Path.cwd(), config.parent)
    monkeypatch.setenv("HPI_BT_DATA", str(data))
    assert locations(config).folders[0] == data
    assert locations(config, tmp_path).folders[0] == tmp_path
    with pytest.raises(InputError, match=r"data_dir: .*absent is no folder; give the one"):
        locations(config, tmp_path / "absent")
    monkeypatch.setenv("HPI_BT_DATA", "absent")
    with pytest.raises(InputError, match="HPI_BT_DATA: absent is no folder"):
        locations(config)


def test_a_config_here_hides_the_shipped_one(folder: Path) -> None:
    assert find_config(Path("configs/demo.yaml")) == find_config(Path("demo.yaml"))
    assert find_config(Path("demo.yaml")).is_file()
    (folder / "demo.yaml").touch()
    assert find_config(Path("demo.yaml")) == Path("demo.yaml")
    assert find_config(Path("absent.yaml")) == Path("absent.yaml")


def test_start_and_end_are_both_included(folder: Path) -> None:
    want = days(40)[3:8]
    frame = load_frame("small.yaml", overrides=[f"data.start={want[0]}", f"data.end={want[-1]}"])
    assert [stamp.date() for stamp in frame.index] == want
    assert frame.attrs["symbol"] == "bars"


def test_made_up_flow_says_demo_wherever_it_is_shown(folder: Path) -> None:
    (folder / "bars.csv").write_text("\n".join(bars(60)) + "\n")
    how = [
        FLOW,
        "demo=true",
        "strategy.params={zscore_lookback: 10, smoothing: 2, scale: contracts}",
    ]
    frame = load_frame("small.yaml", overrides=how)
    assert "made up from price bars" in frame.attrs["demo"]
    assert (frame["put_volume"] + frame["call_volume"] >= 0).all()
    result = run("small.yaml", overrides=how)
    assert "made up from price bars" in result.summary["demo"]
    assert "DEMO" in repr(result)
    assert "DEMO" in (result.folder / "tearsheet.html").read_text()


def test_real_columns_are_never_replaced_by_made_up_ones(folder: Path) -> None:
    rows = [f"{row},{'put_volume,call_volume' if not i else '7,8'}" for i, row in enumerate(bars())]
    (folder / "bars.csv").write_text("\n".join(rows) + "\n")
    frame = load_frame("small.yaml", overrides=["demo=true"])
    assert (frame["put_volume"] == 7.0).all()
    assert not frame.attrs["demo"]


def test_the_banner_says_what_the_config_says(folder: Path) -> None:
    config = mapping(open_interest={"stamp": "prior_close"})
    config["broker"]["commission"] = {"kind": "percent", "amount": 0.03}
    config["broker"]["slippage_bps"] = 2
    config["dealer_sign"] = "call-heavy flow is bullish"
    model, path = read_config(config, [])
    record: Any = type(
        "Record", (), {"engine": "cerebro", "panes": [{"indicator": "HedgePressureIndex"}]}
    )
    rewrite_bars(put_oi=["", *[7] * 39])
    record.frame = load_frame(config)
    banner = dict(assumptions(model, record))
    assert path is None
    assert banner["Costs"] == "0.03 % of value, slippage 2 bp"
    assert banner["Open interest"] == "counted after the close, used from the next session on"
    assert banner["Dealer sign"] == "call-heavy flow is bullish"
    record.panes = [{"indicator": "HedgePressureGauge"}]  # knows no dealer
    assert "Dealer sign" not in dict(assumptions(model, record))
    for column, unknown in (("put_oi", ""), ("openinterest", 0.0), ("put_volume", 9.0)):
        rewrite_bars(**{column: unknown})
        record.frame = load_frame(config)
        assert "Open interest" not in dict(assumptions(model, record))


def rewrite_bars(**columns: Any) -> None:
    """Write bars.csv without its open interest, with these columns."""
    plain = pd.DataFrame([row.split(",") for row in bars()[1:]], columns=bars()[0].split(","))
    plain.drop(columns="openinterest").assign(**columns).to_csv("bars.csv", index=False)


def codes(result: Any) -> dict[str, str]:
    return {one["code"]: one["severity"] for one in result.summary["diagnostics"]}


def test_a_stamp_of_open_interest_that_was_not_given_is_named(folder: Path) -> None:
    result = run(mapping())
    assert codes(result)["open-interest-stamp-assumed"] == "assumption"
    assert "(open_interest.stamp not given)" in " ".join(result.summary["notes"])
    assert ["Open interest", "taken as published before the session's open"] in result.summary[
        "assumptions"
    ]
    given = run(mapping(open_interest={"stamp": "pre_open"}))
    assert "open-interest-stamp-assumed" not in codes(given)
    assert ["Open interest", "published before the session's open"] in given.summary["assumptions"]
    again = run(result.folder / "config.yaml", data_dir=folder)
    assert codes(again) == codes(result), "a written config has not been given it either"
    rewrite_bars()
    assert "open-interest-stamp-assumed" not in codes(run(mapping()))  # there is none


def test_each_of_several_symbols_has_its_assumed_stamp_named(folder: Path) -> None:
    for symbol in ("A", "B"):
        (folder / f"{symbol}.csv").write_text((folder / "bars.csv").read_text())
    config = mapping() | {"symbols": ["A", "B"], "study": {"enabled": False}}
    config["data"]["source"]["path"] = "{symbol}.csv"
    assert all("open-interest-stamp-assumed" in codes(r) for r in hb.run_all(config).results)


def test_the_default_timing_of_a_joined_daily_file_is_named(folder: Path) -> None:
    rewrite_bars()
    pd.DataFrame({"date": days(4), "net_oi": 7.0}).to_csv("net.csv", index=False)
    part = {"source": {"kind": "csv", "path": "net.csv", "columns": {"net_oi": "net_oi"}}}
    result = run(mapping(join=[part]))
    assert codes(result)["known-at-by-default"] == "assumption"
    assert any(n.startswith("net.csv: net_oi") for n in result.summary["notes"])
    banner = result.summary["assumptions"]
    assert "Open interest" not in dict(banner), "the source has none"
    assert ["Joined", "net_oi of net.csv known at the close of its bar (known_at not given)"] in (
        banner
    )
    given = run(mapping(join=[part | {"known_at": "session_open"}]))
    assert "known-at-by-default" not in codes(given)
    assert ["Joined", "net_oi of net.csv known at its session's open"] in given.summary[
        "assumptions"
    ]


def test_open_interest_that_volume_contradicts_is_warned_of(folder: Path) -> None:
    """Counted after the close: it moves with the volume of its own row."""
    volume = np.tile([100, 5000], 20)
    counts = 100_000 + np.cumsum(volume // 2 * np.tile([1, 1, -1, -1], 10))
    daily = pd.DataFrame({"date": days(40), "volume": volume, "openinterest": counts})
    daily.assign(open=9, high=9, low=9, close=9).to_csv("bars.csv", index=False)
    stamp = {"open_interest": {"stamp": "pre_open"}}
    config = mapping(**stamp)
    config["data"]["source"] = {"kind": "csv", "path": "bars.csv"}
    assert codes(run(config))["open-interest-timing-doubtful"] == "warning"
    config["data"]["open_interest"]["stamp"] = "prior_close"
    assert "open-interest-timing-doubtful" not in codes(run(config))


def test_progress_goes_from_nought_to_one(folder: Path) -> None:
    seen: list[tuple[str, float]] = []
    run(mapping(end=days(4)[-1]), stage=lambda what, share: seen.append((what, share)))
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert list(dict.fromkeys(w for w, _ in seen)) == [
        "strategy", "data", "backtest", "report", "done",
    ]  # fmt: skip


def test_the_package_offers_run_and_its_results() -> None:
    assert hb.run is run
    assert isinstance(demo_run(), hb.Result)
    assert np.isfinite(demo_run().equity["equity"]).all()


def test_the_open_interest_of_first_snapshots_is_named_as_an_assumption(folder: Path) -> None:
    head = "ts,expiry,strike,right,cum_volume,open_interest,spot"
    stamps = pd.date_range("2026-01-06 09:20", periods=12, freq="5min")
    rows = [
        f"{at},2026-01-27,100,{right},{10 * n + 10},{interest},100"
        for n, at in enumerate(stamps)
        for right, interest in (("C", 50), ("P", 70))
    ]
    Path("nse.csv").write_text("\n".join([head, *rows, ""]))
    source = {"kind": "option_snapshots", "path": "nse.csv", "timezone": "Asia/Kolkata"}
    data = {"source": source, "calendar": "XBOM"}
    strategy = {"class": "hold.py:Hold"}
    config = {"name": "snapshots", "data": data, "strategy": strategy, "study": {"enabled": False}}
    result = run(config)
    assert codes(result)["open-interest-stamp-assumed"] == "assumption"
    assert "of each session's first snapshot taken as" in " ".join(result.summary["notes"])
    data["open_interest"] = {"stamp": "pre_open"}
    assert "open-interest-stamp-assumed" not in codes(run(config))
