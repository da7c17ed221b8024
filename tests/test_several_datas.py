"""`hb.Report` on several datas: its pages, study and tests are those of the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.errors import InputError
from hpi_bt.stats.entries import entry_test


def bars(seed: int, *, base: float = 100.0, n: int = 240, **attrs: Any) -> pd.DataFrame:
    """Business days of a random walk with option volume."""
    rng = np.random.default_rng(seed)
    close = base * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    open_ = np.r_[base, close[:-1]]
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    index = pd.date_range("2023-01-02", periods=n, freq="B", tz="America/New_York")
    flow = {name: rng.integers(1, 100, n).astype(float) for name in ("put_volume", "call_volume")}
    columns = {"open": open_, "high": high, "low": low, "close": close, **flow}
    frame = pd.DataFrame(columns, index=index).assign(volume=1.0, put_oi=90.0, call_oi=80.0)
    frame.attrs = attrs
    return frame


class Both(bt.Strategy):  # type: ignore[misc]
    """Trades every data by its own average, and watches hedge pressure on each."""

    def __init__(self) -> None:
        self.averages = {d: bt.ind.SMA(d.close, period=5) for d in self.datas}
        self.pressure = [
            hb.HedgePressureIndex(d, smoothing=2, zscore_lookback=5, extreme=0.8)
            for d in self.datas
        ]

    def next(self) -> None:
        for data, average in self.averages.items():
            held = self.getposition(data).size
            if not held and data.close[0] > average[0]:
                self.buy(data, size=1)
            elif held and data.close[0] < average[0]:
                self.close(data)


class BothFiltered(hb.Confirmed, Both):  # type: ignore[misc]
    params = dict(confirm=dict(smoothing=2, zscore_lookback=5, extreme=0.8), confirm_level=0.3)


def report(
    folder: Path, *frames: pd.DataFrame, names: tuple[str, ...] = ("D1", "D2"), strategy: Any = Both
) -> hb.Result:
    cerebro = hb.HedgeCerebro(stdstats=False)
    for frame, name in zip(frames, names, strict=False):
        cerebro.adddata(hb.HedgeData(frame), name=name)
    cerebro.broker.setcash(1e6)
    cerebro.addstrategy(strategy)
    cerebro.addanalyzer(hb.Report, folder=str(folder), _name="report")
    result: hb.Result = cerebro.run()[0].analyzers.report.result
    return result


def page_of(result: hb.Result) -> dict[str, Any]:
    """What the signal page was given."""
    text = (result.folder / "chart.html").read_text("utf-8")
    meta: dict[str, Any] = json.loads(
        text.partition('id="meta"')[2].partition(">")[2].partition("</")[0]
    )
    return meta


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> hb.Result:
    return report(tmp_path_factory.mktemp("two"), bars(1), bars(2, base=400.0))


def test_the_page_shows_the_trades_and_lines_of_the_first_alone(two: hb.Result) -> None:
    own = two.trades[two.trades["data"] == "D1"]
    assert two.summary["symbol"] == "D1"
    assert 0 < len(own) < len(two.trades)
    page = page_of(two)
    assert page["trades"]["entry_bar"] == own["entry_bar"].tolist()
    assert np.allclose(page["trades"]["entry_price"], own["entry_price"])
    assert max(page["trades"]["entry_price"]) < 200.0 < two.trades["entry_price"].max()
    drawn = {line["column"].partition(".")[0] for line in page["drawn"]}
    assert drawn == {"SMA", "HedgePressureIndex"}


def test_the_entry_test_is_that_of_the_first_datas_trades_on_its_own_bars(two: hb.Result) -> None:
    ((name, found),) = hb.signals(two.folder).study.entries
    bars_, trades = two.signals, two.trades
    own = trades[(trades["data"] == "D1").to_numpy()]
    columns = (bars_[c] for c in ("open", "close", "session"))
    want = entry_test(own, *columns, stamps=bars_.index)
    assert (name, found.n) == ("D1", want.n)
    assert found.mean == pytest.approx(want.mean)


def test_the_study_is_of_the_first_datas_lines(two: hb.Result) -> None:
    study = hb.signals(two.folder).study
    for lines in (study.events["signal"], study.coefficients["line"]):
        assert set(lines.str.partition(".")[0]) == {"HedgePressureIndex"}


def test_what_is_not_on_the_page_is_in_the_tables_and_one_remark_says_so(two: hb.Result) -> None:
    assert {"HedgePressureIndex_2.hpi", "SMA_2.sma"} <= set(two.signals)
    # the second average is of prices about 400
    assert two.signals["SMA_2.sma"].mean() > 200.0
    assert set(two.alerts["data"]) == {"D1", "D2"}
    (remark,) = [text for text in two.summary["remarks"] if "alone" in text]
    assert remark.startswith("warning: chart and study are of D1 alone")
    assert "of D2 are in trades.csv" in remark
    for name in ("chart.html", "tearsheet.html"):
        assert "are of D1 alone" in (two.folder / name).read_text("utf-8")


def test_one_data_has_no_such_remark_and_its_given_name_is_its_name(tmp_path: Path) -> None:
    for name, want in (("mine", "mine"), ("IWM", "IWM"), ("", "IWM")):
        result = report(tmp_path, bars(1, symbol="IWM"), names=(name,))
        assert result.summary["symbol"] == want
        assert set(result.trades["data"]) == set(result.alerts["data"]) == {want}
        assert len(page_of(result)["trades"]["entry_bar"]) == len(result.trades) > 5
        assert not any("alone" in text for text in result.summary["remarks"])


def test_many_datas_are_named_as_far_as_a_line_goes(tmp_path: Path) -> None:
    names = tuple(f"D{i}" for i in range(8))
    result = report(tmp_path, *(bars(i, n=30) for i in range(8)), names=names)
    (remark,) = [text for text in result.summary["remarks"] if "alone" in text]
    assert "of D1, D2, D3, D4, D5 and 2 more are in" in remark


def test_vetoes_of_other_datas_are_not_marked_on_the_first(tmp_path: Path) -> None:
    result = report(tmp_path, bars(1), bars(2), names=("", ""), strategy=BothFiltered)
    vetoed = pd.read_csv(result.folder / "vetoed.csv", keep_default_na=False)
    assert set(vetoed["data"]) == {"", "data1"}
    assert len(page_of(result)["vetoes"]) == (vetoed["data"] == "").sum()


def test_made_up_numbers_of_any_data_make_the_run_a_demo(tmp_path: Path) -> None:
    made_up = bars(2, n=40, demo="made-up prices")
    assert report(tmp_path, bars(1, n=40), made_up).summary["demo"] == "made-up prices"

    cut = bars(2, n=40, demo="made-up prices")  # a part of it is run, from its lines
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(cut, fromdate=cut.index[5].to_pydatetime().replace(tzinfo=None)))
    cerebro.addstrategy(bt.Strategy)
    cerebro.addanalyzer(hb.Report, folder=str(tmp_path), _name="report")
    assert cerebro.run()[0].analyzers.report.record.demo == "made-up prices"

    class Second(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            hb.DemoHedgePressureIndex(self.datas[1])

    daily = report(tmp_path, bars(1, n=120), bars(2, n=120), strategy=Second)
    assert daily.summary["demo"] == "option flow made up from price bars"
    assert report(tmp_path, bars(1, n=40), bars(2, n=40)).summary["demo"] == ""


def test_each_data_needs_the_bars_of_its_own_lines_alone(tmp_path: Path) -> None:
    class Slow(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            bt.ind.SMA(self.datas[1], period=50)

    assert report(tmp_path, bars(1, n=20), bars(2, n=60), strategy=Slow).summary["bars"] == 20
    with pytest.raises(InputError, match="D2: 30 bars, but Slow needs 50"):
        report(tmp_path, bars(1, n=90), bars(2, n=30), strategy=Slow)


class SecondAlone(Both):
    """Trades the second data alone, and is paid cash while it does."""

    def next(self) -> None:
        data = self.datas[1]
        if len(self) == 60:
            self.broker.add_cash(2e5)
        if len(data) % 20 == 10:
            self.buy(data, size=100)
        elif len(data) % 20 == 15:
            self.close(data)


def test_a_comparison_counts_positions_of_all_datas_and_no_cash_paid_in(tmp_path: Path) -> None:
    results = [
        report(tmp_path / name, bars(1), bars(2), strategy=strategy)
        for name, strategy in (("one", SecondAlone), ("two", Both))
    ]
    made = hb.compare([r.folder for r in results], results=tmp_path)
    for i, result in enumerate(results):
        own = made.table.loc["common"]["value"].iloc[:, i]
        for key in ("total_return", "exposure", "average_exposure", "max_drawdown"):
            assert own[key] == pytest.approx(result.summary[key], rel=1e-9), key
    summary = results[0].summary
    assert 0.2 < summary["exposure"] < 0.3
    assert abs(summary["total_return"]) < 0.1
    assert summary["end_value"] > 1.1e6
    assert any("paid in" in line for line in summary["remarks"])
