"""HedgeData against Backtrader's own PandasData: the same bars, clocks and fills in every mode."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hpi_bt as hb
from hpi_bt.feeds import backtrader_dates
from hpi_bt.feeds import names_of as names_of_datas
from indicators import bench
from indicators.bench import (
    EXTRAS,
    MODES,
    PRICES,
    ZONE,
    StockData,
    same,
    stock,
)


def clean_frame() -> pd.DataFrame:
    """A week over the change to daylight time."""
    return bench.clean_frame(sessions=7)


def rough_frame(seed: int = 4) -> pd.DataFrame:
    return bench.rough_frame(seed, sessions=7)


PRICE_LINES = list(PRICES)
MINUTES = {"timeframe": bt.TimeFrame.Minutes, "compression": 60}
every_mode = pytest.mark.parametrize("mode", MODES)


class Trader(bt.Strategy):
    """Market, limit, stop and close orders on a fixed timetable; notes all that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[Any, ...]] = []
        self.fills: list[tuple[Any, ...]] = []
        self.ticks: list[list[float | None]] = []

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        for data in self.datas:
            if not len(data):
                self.rows.append((0,))
                continue
            values = [getattr(data.lines, name)[0] for name in names_of(data)]
            past = data.close[-1] if len(data) > 1 else 0.0
            self.rows.append((len(data), data.datetime.datetime(0), past, *values))
            self.ticks.append([getattr(data, f"tick_{name}", None) for name in PRICES])
            self.trade(data)

    def trade(self, data: Any) -> None:
        step, close = len(data) % 24, data.close[0]
        if step == 2:
            self.buy(data, size=3)
        elif step == 7:
            self.sell(data, size=2, exectype=bt.Order.Limit, price=close * 1.001)
        elif step == 9:
            self.sell(data, size=2, exectype=bt.Order.Stop, price=close * 0.999)
        elif step == 12:
            self.buy(data, size=1, exectype=bt.Order.Close)
        elif step == 15:
            self.sell(data, size=1, exectype=bt.Order.StopTrail, trailamount=0.3)
        elif step == 21:
            self.close(data)

    def notify_order(self, order: Any) -> None:
        done = order.executed
        self.fills.append((order.ref, order.status, done.dt, done.price, done.size, done.comm))


def names_of(data: Any) -> list[str]:
    return sorted(data.getlinealiases())


def trade(*feeds: Any, setup: Any = None, **mode: Any) -> tuple[Any, ...]:
    """Everything that a trading strategy saw, and what it ended with."""
    cerebro = bt.Cerebro()
    for feed in feeds:
        cerebro.adddata(feed)
    if setup is not None:
        setup(cerebro)
    cerebro.broker.setcommission(0.001)
    cerebro.broker.set_slippage_perc(0.0005)
    return summary(cerebro, **mode)


def summary(cerebro: Any, **mode: Any) -> tuple[Any, ...]:
    cerebro.strats.clear()
    cerebro.addstrategy(Trader)
    (done,) = cerebro.run(**mode)
    first = done.fills[0][0] if done.fills else 0
    fills = [(fill[0] - first, *fill[1:]) for fill in done.fills]
    return done.rows, fills, done.broker.getvalue(), done.broker.getcash(), done.ticks


def equal(left: tuple[Any, ...], right: tuple[Any, ...]) -> None:
    """Raise unless two runs agree to the last bit, NaN equal to NaN."""
    assert len(left[0]) == len(right[0])
    for ours, theirs in zip(left[0], right[0], strict=True):
        assert ours[:2] == theirs[:2]
        assert same(np.array(ours[2:], float), np.array(theirs[2:], float)), ours[:2]
    assert left[1:4] == right[1:4]
    for ours, theirs in zip(left[4], right[4], strict=True):
        if theirs[0] is not None:  # stock clears them on the last bar of whole-array runs
            assert same(np.array(ours, float), np.array(theirs, float))


def prices(seed: int = 4) -> pd.DataFrame:
    frame = rough_frame(seed)[PRICE_LINES]
    frame.attrs["bar_minutes"] = 15.0
    return frame


def shifted(minutes: int) -> pd.DataFrame:
    frame = rough_frame(8)
    frame.index += pd.Timedelta(minutes=minutes)
    return frame


# ---- the stock feed, mode by mode ----------------------------------------------------------

BOUNDS = {
    "all": {},
    "bounded": {"fromdate": datetime(2024, 3, 5, 11), "todate": datetime(2024, 3, 11, 14, 15)},
    "nothing left": {"fromdate": datetime(2025, 1, 1)},
    "from the first to the last bar": {
        "fromdate": datetime(2024, 3, 1, 9, 45), "todate": datetime(2024, 3, 11, 16),
    },
    "tz": {"tz": "Asia/Tokyo", "fromdate": datetime(2024, 3, 6)},
    "tzinput": {"tz": ZONE, "tzinput": "Europe/Berlin"},
}  # fmt: skip


@every_mode
@pytest.mark.parametrize("bounds", BOUNDS)
def test_a_strategy_sees_and_fills_what_it_does_on_the_stock_feed(mode, bounds):
    frame, options = rough_frame(), BOUNDS[bounds]
    if bounds == "nothing left" and MODES[mode].get("exactbars") == 1:
        pytest.skip("stock Backtrader cannot run an empty feed with exactbars=1")
    ours = trade(hb.HedgeData(frame, **options), **MODES[mode])
    equal(ours, trade(stock(frame, **options), **MODES[mode]))
    kept = 0 if bounds == "nothing left" else 70
    assert len(ours[0]) >= kept
    assert len({fill[1] for fill in ours[1]}) >= min(kept, 3)


def test_every_bar_is_delivered_once_with_its_local_time():
    frame = rough_frame()
    for mode in MODES.values():
        rows = trade(hb.HedgeData(frame), **mode)[0]
        assert [row[1] for row in rows] == list(frame.index.tz_localize(None))


@every_mode
def test_naive_stamps_agree_too(mode):
    frame = rough_frame()
    frame.index = frame.index.tz_localize(None)
    equal(trade(hb.HedgeData(frame), **MODES[mode]), trade(stock(frame, tz=None), **MODES[mode]))


def ranged(cerebro: Any, feed: Any) -> None:
    data = feed(rough_frame(), sessionstart=time(10, 30), sessionend=time(15))
    data.addfilter(bt.filters.SessionFilter)
    cerebro.adddata(data)


def priced(feed: Any) -> Any:
    """A feed of prices alone: resampling would blank other columns."""
    if feed is hb.HedgeData:
        return feed(prices())
    return bt.feeds.PandasData(
        dataname=prices(), timeframe=bt.TimeFrame.Minutes, compression=15, tz=ZONE
    )


def resampled(cerebro: Any, feed: Any) -> None:
    cerebro.resampledata(priced(feed), **MINUTES)


def resampled_beside(cerebro: Any, feed: Any) -> None:
    data = feed(rough_frame())
    cerebro.adddata(data)
    cerebro.resampledata(data, **MINUTES)


def to_days(cerebro: Any, feed: Any) -> None:
    cerebro.resampledata(priced(feed), timeframe=bt.TimeFrame.Days)


def replayed(cerebro: Any, feed: Any) -> None:
    cerebro.replaydata(priced(feed), **MINUTES)


def cloned(cerebro: Any, feed: Any) -> None:
    data = feed(rough_frame())
    cerebro.adddata(data)
    cerebro.adddata(data.clone())


def two(cerebro: Any, feed: Any) -> None:
    cerebro.adddata(feed(rough_frame()))
    cerebro.adddata(feed(shifted(5)))


def one_of_each(cerebro: Any, feed: Any) -> None:
    cerebro.adddata(feed(rough_frame()))
    cerebro.adddata(stock(shifted(0)))


def stock_first(cerebro: Any, feed: Any) -> None:
    cerebro.adddata(stock(shifted(-5)))
    cerebro.adddata(feed(rough_frame()))


SETUPS = [ranged, resampled, resampled_beside, to_days, replayed, cloned]
SETUPS += [two, one_of_each, stock_first]


@every_mode
@pytest.mark.parametrize("setup", SETUPS)
def test_filters_clones_and_further_feeds_agree_with_the_stock_feed(mode, setup):
    runs = []
    for feed in (hb.HedgeData, stock):
        try:
            runs.append(trade(setup=lambda c, f=feed: setup(c, f), **MODES[mode]))
        except IndexError:
            if MODES[mode].get("exactbars") != 1:
                raise
            runs.append(None)  # stock loses bars of a second feed
    if runs[1] is None:
        pytest.skip("stock Backtrader fails here")
    assert len(runs[0][0]) >= 7
    equal(*runs)


@pytest.mark.parametrize("option", [{"oldsync": True}, {"lookahead": 3}, {"cheat_on_open": True}])
def test_rarer_options_of_cerebro_agree(option):
    runs = [trade(setup=lambda c, f=f: two(c, f), **option) for f in (hb.HedgeData, stock)]
    equal(*runs)


def test_lookahead_shows_the_next_closes_and_nan_behind_the_last():
    seen = []

    class Peeker(bt.Strategy):
        def next(self) -> None:
            seen.append([self.data.close[1], self.data.close[2]])

    close = clean_frame()["close"]
    cerebro = bt.Cerebro(lookahead=2)
    cerebro.adddata(hb.HedgeData(clean_frame()))
    cerebro.addstrategy(Peeker)
    cerebro.run()
    assert same(np.array(seen), np.stack([close.shift(-1), close.shift(-2)], axis=1))


class Live(hb.HedgeData):
    """A feed that Cerebro asks bar by bar, as it does a broker's."""

    def islive(self) -> bool:
        return True


def test_a_live_feed_agrees():
    equal(trade(Live(rough_frame())), trade(stock(rough_frame()), preload=False, runonce=False))


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product(MODES, ["default", "preload=False"]))
)
def test_running_one_cerebro_twice_gives_one_result(first, second):
    runs = [twice(feed(clean_frame()), first, second) for feed in (hb.HedgeData, stock)]
    for ours, theirs in zip(*runs, strict=True):
        equal(ours, theirs)
    if MODES[first].get("exactbars") != 1:  # stock keeps the short buffers for good
        equal(runs[0][0], (*runs[0][1][:4], runs[0][0][4]))


def twice(feed: Any, *modes: str) -> list[tuple[Any, ...]]:
    whole = {"runonce": True, "preload": True, "exactbars": False}
    cerebro, runs = bt.Cerebro(), []
    cerebro.adddata(feed)
    for mode in modes:
        cerebro.broker = bt.brokers.BackBroker()
        runs.append(summary(cerebro, **(whole | MODES[mode])))
    return runs


class Ended(bt.Analyzer):
    def stop(self) -> None:
        self.end = (len(self.strategy.rows), self.strategy.broker.getvalue())

    def get_analysis(self) -> tuple[int, float]:
        return self.end


class Sized(Trader):
    params = dict(size=1)


@pytest.mark.parametrize("cpus", [1, 2])
def test_optimisations_agree(cpus):
    ends = []
    for feed in (hb.HedgeData, stock):
        cerebro = bt.Cerebro(maxcpus=cpus)
        cerebro.adddata(feed(rough_frame()))
        cerebro.optstrategy(Sized, size=[1, 2, 3])
        cerebro.addanalyzer(Ended)
        ends.append([run.analyzers[0].get_analysis() for (run,) in cerebro.run()])
    assert ends[0] == ends[1]
    assert {end[0] for end in ends[0]} == {len(rough_frame())}


# ---- stamps --------------------------------------------------------------------------------


def stock_dates(index: pd.DatetimeIndex) -> list[float]:
    return [bt.date2num(stamp.to_pydatetime()) for stamp in index]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2250, 1, 1)), min_size=1, max_size=60))
def test_stamps_are_bit_for_bit_those_of_backtrader(stamps):
    index = pd.DatetimeIndex(stamps)
    for unit in ("us", "ns"):
        assert list(backtrader_dates(index.as_unit(unit))) == stock_dates(index)


@pytest.mark.parametrize("zone", [ZONE, "Australia/Lord_Howe", "UTC", None])
@pytest.mark.parametrize("day", ["2024-03-08", "2024-11-01", "2024-04-05"])
def test_every_minute_of_a_clock_change_is_that_of_backtrader(zone, day):
    index = pd.date_range(day, periods=5 * 1440, freq="min", tz=zone)
    assert list(backtrader_dates(index)) == stock_dates(index)


# ---- lines and ticks -----------------------------------------------------------------------


def test_every_column_becomes_a_line_of_its_lower_case_name():
    frame = clean_frame().rename(
        columns={"open": "Open", "close": "CLOSE", "put_volume": " Put Volume "}
    )
    data = hb.HedgeData(frame.assign(flag=True, whole=np.arange(len(frame)), single=np.float32(1)))
    columns = set(clean_frame().columns)
    assert {*PRICES, *EXTRAS} <= columns
    assert set(data.getlinealiases()) == columns | {"datetime", "flag", "whole", "single"}
    trade(data)
    assert list(data.put_volume.array) == list(frame[" Put Volume "])
    assert list(data.open.array) == list(frame["Open"])
    assert list(data.flag.array) == [1.0] * len(frame)
    assert list(data.whole.array) == list(range(len(frame)))


def test_absent_volume_and_open_interest_are_nan():
    data = hb.HedgeData(clean_frame()[["open", "high", "low", "close"]])
    trade(data)
    assert np.isnan(data.volume.array).all()
    assert np.isnan(data.openinterest.array).all()


def test_the_frame_stays_as_it_is_and_later_changes_to_it_do_nothing():
    frame = clean_frame().rename(columns={"close": "Close"})
    before = frame.copy()
    data = hb.HedgeData(frame)
    pd.testing.assert_frame_equal(frame, before)
    frame["Close"] = 0.0
    trade(data)
    assert list(data.close.array) == list(before["Close"])


@every_mode
def test_ticks_are_the_bar(mode):
    seen = []

    class Watcher(bt.Strategy):
        def next(self) -> None:
            if len(self.data) < len(frame):  # stock clears them on the last bar
                seen.append([getattr(self.data, f"tick_{c}") for c in (*PRICES, "put_volume")])
                assert self.data.tick_last == self.data.close[0]

    frame = clean_frame()
    cerebro = bt.Cerebro()
    cerebro.adddata(hb.HedgeData(frame))
    cerebro.addstrategy(Watcher)
    cerebro.run(**MODES[mode])
    assert same(np.array(seen), frame[[*PRICES, "put_volume"]].to_numpy()[:-1])


def test_an_unknown_tick_is_no_attribute():
    data = hb.HedgeData(clean_frame())
    trade(data)
    assert not hasattr(data, "tick_gamma")
    assert not hasattr(data, "gamma")


def test_timeframe_and_zone_come_from_the_frame_unless_given():
    frame = clean_frame()
    data = hb.HedgeData(frame)
    assert (data.p.timeframe, data.p.compression, data.p.tz) == (bt.TimeFrame.Minutes, 15, ZONE)
    frame.attrs.clear()
    assert hb.HedgeData(frame).p.compression == 15
    daily = hb.HedgeData(frame.iloc[::26])
    assert (daily.p.timeframe, daily.p.compression) == (bt.TimeFrame.Days, 1)
    given_ = hb.HedgeData(frame, compression=5, tz="UTC", name="IWM")
    assert (given_.p.compression, given_.p.tz, given_._name) == (5, "UTC", "IWM")


def test_a_subclass_keeps_its_own_lines_and_params():
    class Mine(hb.HedgeData):
        lines = ("put_volume", "absent")
        params = dict(extra=3)

    data = Mine(clean_frame(), extra=4)
    trade(data)
    assert isinstance(data, Mine)
    assert data.p.extra == 4
    assert list(data.put_volume.array) == list(clean_frame()["put_volume"])
    assert list(data.call_oi.array) == list(clean_frame()["call_oi"])
    assert np.isnan(data.absent.array).all()


def test_an_empty_frame_runs_and_calls_nothing():
    assert trade(hb.HedgeData(clean_frame().iloc[:0]))[0] == []


def test_feed_classes_load_in_a_fresh_process():
    columns = [list(EXTRAS), ["put_volume"], ["a__b", "_c"]]
    frames = [clean_frame()[PRICE_LINES].assign(**dict.fromkeys(names, 1.0)) for names in columns]
    blob = pickle.dumps([type(hb.HedgeData(frame)) for frame in frames])
    code = (
        "import pickle, sys\n"
        "for c in pickle.loads(bytes.fromhex(sys.argv[1])): print(*c.lines._getlines()[7:])"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, blob.hex()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [line.split() for line in out.stdout.splitlines()] == columns


# ---- clones and resampling of hedge columns ------------------------------------------------


def test_a_clone_keeps_prices_alone_so_an_indicator_on_it_is_refused():
    class Uses(bt.Strategy):
        def __init__(self) -> None:
            super().__init__()
            hb.HedgePressureIndex(self.data1)

    for make in (lambda c, d: c.adddata(d.clone()), lambda c, d: c.resampledata(d, **MINUTES)):
        cerebro = bt.Cerebro()
        data = hb.HedgeData(clean_frame())
        cerebro.adddata(data)
        make(cerebro, data)
        cerebro.addstrategy(Uses)
        message = "the data has no line 'put_volume' .* prices alone: resample the frame first"
        with pytest.raises(TypeError, match=message):
            cerebro.run()


@pytest.mark.parametrize(
    ("how", "word"), [("resampledata", "resampling"), ("replaydata", "replay")]
)
def test_resampling_that_would_blank_hedge_columns_is_refused(how, word):
    data = hb.HedgeData(clean_frame())
    with pytest.raises(hb.InputError, match=rf"{word} .* would blank put_volume, .*with pandas"):
        getattr(bt.Cerebro(), how)(data, **MINUTES)


HOURS = {"timeframe": bt.TimeFrame.Minutes, "compression": 60}
BY_BACKTRADER: dict[str, Any] = {
    "resampledata": lambda c, d: c.resampledata(d, **HOURS),
    "replaydata": lambda c, d: c.replaydata(d, **HOURS),
    "data.resample": lambda c, d: (d.resample(**HOURS), c.adddata(d)),
    "data.replay": lambda c, d: (d.replay(**HOURS), c.adddata(d)),
    "addfilter": lambda c, d: (d.addfilter(bt.ResamplerMinutes, compression=60), c.adddata(d)),
}
AS_INPUTS: dict[str, Any] = {
    "one data": hb.HedgePressureIndex,
    "lines": lambda d: hb.HedgePressureIndex(d.put_volume, d.call_volume, d.net_oi),
    "operations": lambda d: hb.HedgePressureIndex(
        d.put_volume * 1.0, d.call_volume + 0.0, d.put_oi - d.call_oi
    ),
    "the gauge": hb.HedgePressureGauge,
}


def strategy_of(indicator: Any) -> type:
    class Uses(bt.Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.made = indicator(self.datas[-1])

    return Uses


@pytest.mark.parametrize("way", BY_BACKTRADER)
def test_a_feed_of_ours_with_option_lines_is_not_resampled_by_any_way(way):
    with pytest.raises(
        hb.InputError, match=r"HedgeData: re.* would blank put_volume, .* and \d+ mo"
    ):
        BY_BACKTRADER[way](bt.Cerebro(), hb.HedgeData(clean_frame()))


@pytest.mark.parametrize("made", AS_INPUTS)
@pytest.mark.parametrize("way", BY_BACKTRADER)
def test_anybodys_resampled_feed_is_refused_where_our_indicators_need_its_option_lines(way, made):
    cerebro = bt.Cerebro(stdstats=False)
    BY_BACKTRADER[way](cerebro, stock(clean_frame()))
    cerebro.addstrategy(strategy_of(AS_INPUTS[made]))
    how = "replayed" if "replay" in way else "resampled"
    message = (
        f"is {how} by Backtrader, .* alone: .* would be NaN; resample the frame first, with hb"
    )
    with pytest.raises(hb.InputError, match=message):
        cerebro.run()


def test_so_is_a_kernel_strategy_on_it_and_a_filter():
    class Follows(hb.KernelStrategy):
        inputs = ("put_volume",)

        @staticmethod
        def signal_kernel(put_volume, *, state=None):
            return put_volume - 100.0

    class Plain(bt.Strategy):
        pass

    filtered = type("Filtered", (hb.Confirmed, Plain), {})
    for strategy in (Follows, filtered):
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.resampledata(stock(clean_frame()), **HOURS)
        cerebro.addstrategy(strategy)
        with pytest.raises(hb.InputError, match=r"put_volume.* would be NaN"):
            cerebro.run()


@pytest.mark.parametrize("way", BY_BACKTRADER)
def test_indicators_of_prices_alone_may_stand_on_a_resampled_feed(way):
    cerebro = bt.Cerebro(stdstats=False)
    BY_BACKTRADER[way](cerebro, stock(clean_frame()))
    cerebro.addstrategy(strategy_of(hb.HerrickRSI))
    assert np.isfinite(cerebro.run()[0].made.rsi[0])


def test_a_frame_resampled_first_has_its_option_lines():
    frame = hb.resample(clean_frame(), 60, calendar="XNYS")
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(frame))
    cerebro.addstrategy(strategy_of(lambda d: hb.HedgePressureIndex(d, zscore_lookback=20)))
    done = cerebro.run()[0]
    assert len(done.data) == len(frame) < len(clean_frame()) / 3
    assert np.isfinite(done.made.hpi[0])
    assert frame["put_volume"].sum() == clean_frame()["put_volume"].sum()


@pytest.mark.parametrize("feed", [hb.HedgeData, stock])
def test_exactbars_with_several_datas_is_refused_under_our_indicators(feed):
    def run(datas: int, **mode: Any) -> Any:
        cerebro = bt.Cerebro(stdstats=False)
        for _ in range(datas):
            cerebro.adddata(feed(clean_frame()))
        cerebro.addstrategy(strategy_of(hb.HedgePressureIndex))
        return cerebro.run(**mode)[0]

    message = (
        "HedgePressureIndex: exactbars=1 with 2 datas: Backtrader forgets .*exactbars=-1 or -2"
    )
    with pytest.raises(hb.InputError, match=message):
        run(2, exactbars=1)
    for datas, kept in ((2, -1), (2, -2), (1, 1)):
        assert np.isfinite(run(datas, exactbars=kept).made.hpi[0])


# ---- refusals ------------------------------------------------------------------------------


def two_levels(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(pd.MultiIndex.from_product([["IWM"], frame.columns]), axis=1)


REFUSED = {
    "no frame": (lambda f: "iwm.csv", "dataname must be a DataFrame, got str"),
    "nothing": (lambda f: None, "dataname must be a DataFrame, got NoneType"),
    "two levels": (two_levels, "columns have two levels; select one symbol"),
    "numbers": (lambda f: f.reset_index(drop=True), "must be a DatetimeIndex .* got RangeIndex"),
    "unsorted": (lambda f: f.iloc[::-1], "stamps must increase; sort the frame"),
    "twice": (lambda f: f.iloc[[0, 1, 1, 2]], "stamps must increase; .*drop duplicates"),
    "no stamp": (lambda f: f.set_axis(f.index.where(f.index != f.index[3])), "stamps must"),
    "no price": (lambda f: f.drop(columns="low"), r"no column 'low' \(found: open, high, close"),
    "one name": (lambda f: f.assign(Close=1.0), "two columns are called 'close'; rename"),
    "text": (lambda f: f.assign(symbol="IWM"), "column 'symbol' holds .*, no numbers; drop"),
    "dates": (lambda f: f.assign(expiry=f.index), "column 'expiry' holds datetime64"),
    "a method": (lambda f: f.assign(home=1.0), "no line can be called 'home'; rename"),
    "a price of zero": (
        lambda f: f.assign(low=0.0),
        r"row 1, low is 0 at .*allow_nonpositive=True",
    ),
    "a negative price": (lambda f: f.assign(close=-1.0), "row 1, close is -1 at .*wanted a price"),
    "endless": (lambda f: f.assign(volume=np.inf), "row 1, volume is inf at .*wanted a number"),
    "lost interest": (lambda f: f.assign(put_oi=-1.0), "row 1, put_oi is -1 at .*0 or more"),
    "another": (lambda f: f.assign(size=1.0), "no line can be called 'size'; rename"),
    "offset": (
        lambda f: f.tz_convert(timezone(timedelta(hours=-5))),
        "'UTC-05:00' is no named time zone; convert the index: frame.tz_convert",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_wrong_frame_is_refused_in_one_line(why):
    spoil, message = REFUSED[why]
    with pytest.raises(hb.InputError, match=message) as caught:
        hb.HedgeData(spoil(clean_frame()))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("HedgeData: ")


def test_prices_below_zero_are_fed_where_that_is_allowed():
    frame = clean_frame()
    frame[list(PRICES)] -= 200.0
    seen = repr(trade(hb.HedgeData(frame, allow_nonpositive=True)))  # NaN equals itself as text
    frame.attrs["allow_nonpositive"] = True
    assert repr(trade(hb.HedgeData(frame))) == seen


def test_utc_and_a_zone_given_beside_an_offset_are_fine():
    frame = clean_frame().tz_convert(UTC)
    assert trade(hb.HedgeData(frame))[0][0][1] == datetime(2024, 3, 1, 14, 45)
    offset = frame.tz_convert(timezone(timedelta(hours=-5)))
    assert trade(hb.HedgeData(offset, tz=ZONE))[0][0][1] == datetime(2024, 3, 1, 9, 45)


# ---- cost ----------------------------------------------------------------------------------


def long_frame(n: int) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=n, freq="min", tz="UTC")
    return pd.DataFrame({name: np.arange(float(n)) + 1.0 for name in (*PRICES, *EXTRAS)}, index)


def peak(n: int) -> int:
    data = hb.HedgeData(long_frame(n))
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(data)
    cerebro.addstrategy(bt.Strategy)
    tracemalloc.start()
    try:
        cerebro.run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_a_few_copies_of_the_columns():
    peak(100)
    columns = len(PRICES) + len(EXTRAS) + 1
    bytes_per_bar = (peak(24_000) - peak(8_000)) / 16_000
    assert bytes_per_bar < 4 * 8 * columns
    assert StockData.lines._getlines()  # the yardstick has the same columns


def named(*names: str, symbols: tuple[str, ...] = ()) -> list[str]:
    datas = []
    for name, symbol in itertools.zip_longest(names, symbols, fillvalue=""):
        frame = clean_frame()[:3]
        frame.attrs = {"symbol": symbol} if symbol else {}
        datas.append(hb.HedgeData(frame, name=name))
    return list(names_of_datas(datas).values())


def test_datas_without_a_name_get_that_of_their_frame_or_a_number() -> None:
    assert named("", "", "X", "X") == ["", "data1", "X", "X3"]
    assert named("", "", symbols=("IWM", "IWM")) == ["IWM", "IWM1"]
    assert named("mine", "", symbols=("IWM", "")) == ["mine", "data1"]
    assert named("data2", "", "") == ["data2", "data1", "data3"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["", "X", "X1", "X2", "data1", "data"]), min_size=1, max_size=5))
def test_every_data_has_a_name_of_its_own(names: list[str]) -> None:
    found = named(*names)
    assert len(set(found)) == len(names)
    assert found[0] == names[0]
    assert "" not in found[1:]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("high", 0.5, "high 0.5 is below low"),
        ("close", 150.0, "close 150 lies outside"),
        ("open", np.nan, "open is nan"),
    ],
)
def test_bars_that_contradict_themselves_or_are_blank_are_warned_of(column, value, said):
    frame = hours_of(DAYS).astype(float)
    hb.HedgeData(frame)  # a warning would be an error here
    frame.iloc[5, frame.columns.get_loc(column)] = value
    with pytest.warns(UserWarning, match=rf"HedgeData: .*{said}.*; fix or drop such bars"):
        hb.HedgeData(frame)


# ---- daily bars stamped at midnight


def dated(days: pd.DatetimeIndex) -> pd.DataFrame:
    """Daily bars that end as the hours of the day do: close counts the days."""
    count = np.arange(len(days)) + 1.0
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), count), index=days)


def hours_of(days: pd.DatetimeIndex) -> pd.DataFrame:
    clock = [day + timedelta(hours=hour) for day in days for hour in range(10, 17)]
    close = np.repeat(np.arange(len(days)) + 1.0, 7)
    return pd.DataFrame(
        dict.fromkeys(("open", "high", "low", "close"), close), index=pd.DatetimeIndex(clock)
    )


class Ahead(bt.Strategy):
    """Counts the bars before a day's last at which the other data has that day already."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead, self.stamps = 0, []

    def next(self) -> None:
        mine, other = self.datas
        self.stamps.append(other.datetime.datetime(0))
        self.ahead += mine.datetime.time(0) < time(16) and other.close[0] >= mine.close[0]


def ahead(*feeds: Any, **mode: Any) -> Any:
    cerebro = bt.Cerebro()
    for feed in feeds:
        cerebro.adddata(feed)
    cerebro.addstrategy(Ahead)
    (done,) = cerebro.run(**mode)
    return done


DAYS = pd.bdate_range("2024-02-26", periods=15)
BESIDE = ({}, {"runonce": False}, {"preload": False}, {"exactbars": -1})


@pytest.mark.parametrize("mode", BESIDE, ids=str)
@pytest.mark.parametrize("zone", [None, ZONE, "Asia/Tokyo"])
def test_dates_beside_hours_are_seen_when_their_day_is_over(mode, zone):
    hours, days = (f.tz_localize(zone) for f in (hours_of(DAYS), dated(DAYS)))
    done = ahead(hb.HedgeData(hours), hb.HedgeData(days), **mode)
    assert done.ahead == 0
    assert {at.time().replace(microsecond=0) for at in done.stamps} == {time(23, 59, 59)}


@pytest.mark.parametrize("mode", BESIDE, ids=str)
@pytest.mark.parametrize("zone", ["America/New_York", "America/Chicago", "Europe/Berlin"])
@pytest.mark.parametrize("hours_zone", ["UTC", "own"])
def test_midnights_of_the_exchange_written_in_utc_are_dates(mode, zone, hours_zone):
    hours = hours_of(DAYS).tz_localize(zone)
    days = dated(DAYS).tz_localize(zone).tz_convert("UTC")
    if hours_zone == "UTC" and zone == "Europe/Berlin":
        pytest.skip("23:00 UTC may be a close")
    done = ahead(hb.HedgeData(hours.tz_convert(hours_zone) if hours_zone == "UTC" else hours),
                 hb.HedgeData(days), **mode)  # fmt: skip
    assert done.ahead == 0
    at = pd.DatetimeIndex(done.stamps).tz_localize("UTC").tz_convert(zone)
    assert set(zip(at.hour, at.minute, strict=True)) == {(23, 59)}


def test_closes_of_days_in_utc_are_no_dates():
    days = dated(DAYS + timedelta(hours=16)).tz_localize("America/New_York").tz_convert("UTC")
    done = ahead(hb.HedgeData(hours_of(DAYS).tz_localize("UTC")), hb.HedgeData(days))
    assert {at.time() for at in done.stamps} <= {time(20), time(21)}


def test_dates_beside_closes_of_days_are_seen_when_their_day_is_over():
    closes = dated(DAYS + timedelta(hours=16))
    closes.attrs["bar_minutes"] = 1440.0
    beside = ahead(hb.HedgeData(closes), hb.HedgeData(dated(DAYS)))
    assert [at.date() for at in beside.stamps][-1] == DAYS[-1].date()
    assert beside.datas[0].close[0] == beside.datas[1].close[0]
    early = [at for at in beside.stamps if at.time() == time(0)]
    assert early == []


def test_the_end_of_a_session_may_be_given():
    feed = hb.HedgeData(dated(DAYS), sessionend=time(16))
    done = ahead(hb.HedgeData(hours_of(DAYS)), feed)
    assert done.ahead == 0
    assert {at.time() for at in done.stamps} == {time(16)}
    assert done.datas[1].close[0] == done.datas[0].close[0]


def test_dates_among_their_like_and_closes_keep_their_stamps():
    alone = ahead(hb.HedgeData(dated(DAYS)), hb.HedgeData(dated(DAYS)))
    assert {at.time() for at in alone.stamps} == {time(0)}
    stocks = ahead(bt.feeds.PandasData(dataname=dated(DAYS)), hb.HedgeData(dated(DAYS)))
    assert {at.time() for at in stocks.stamps} == {time(0)}
    ends = dated((DAYS + timedelta(days=1)).tz_localize("UTC"))  # closes of a 24-hour market
    ends.attrs |= {"bar_minutes": 1440.0, "calendar": "24/7"}
    around = ahead(hb.HedgeData(hours_of(DAYS).tz_localize("UTC")), hb.HedgeData(ends))
    assert {at.time() for at in around.stamps} == {time(0)}


@pytest.mark.parametrize("mode", BESIDE, ids=str)
def test_the_last_day_asked_for_is_kept_though_it_ends_later(mode):
    until = datetime.combine(DAYS[9].date(), time(0))
    days = hb.HedgeData(dated(DAYS), todate=until)
    done = ahead(hb.HedgeData(hours_of(DAYS)), days, **mode)
    assert max(at.date() for at in done.stamps) == until.date()


@pytest.mark.parametrize("start", ["W-MON", "W-SUN", "MS"])
def test_first_days_of_weeks_and_months_are_refused_beside_days(start):
    periods = pd.date_range("2024-01-01", periods=8, freq=start)
    with pytest.raises(hb.InputError, match=r"^HedgeData: dates such as 2024-01-0. begin weeks or"):
        ahead(hb.HedgeData(dated(pd.bdate_range("2024-01-01", periods=50))),
              hb.HedgeData(dated(periods)))  # fmt: skip
    same = ahead(hb.HedgeData(dated(periods)), hb.HedgeData(dated(periods)))
    assert len(same.stamps) == 8
    fridays = pd.date_range("2024-01-01", periods=8, freq="W-FRI")
    days = pd.bdate_range("2024-01-01", periods=50)
    ahead(hb.HedgeData(dated(days)), hb.HedgeData(dated(fridays)))
