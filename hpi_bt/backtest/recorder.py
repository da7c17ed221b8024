"""The analyzer that records any Backtrader run."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.backtest.account_notes import paid_in_notes, ruin_notes
from hpi_bt.backtest.alerting import Alert
from hpi_bt.backtest.alerts import finished_alerts, watched_alerts
from hpi_bt.backtest.cash_flows import CashFlows
from hpi_bt.backtest.protective import Protection
from hpi_bt.backtest.record import Record, fills_frame, without_dust
from hpi_bt.backtest.recorded import frame_of, frames_of, without_late
from hpi_bt.backtest.run_notes import notes_of
from hpi_bt.backtest.watching import Watch
from hpi_bt.errors import InputError
from hpi_bt.feeds import HedgeData, bar_minutes, names_of
from hpi_bt.indicators.shown import (
    Shown,
    check_allowed,
    demo_reason,
    indicators_of,
    shown_beside,
    shown_by,
)
from hpi_bt.strategy import KernelStrategy


class Recorder(bt.Analyzer):  # type: ignore[misc]
    """Records fills, equity and lines of any strategy on any Cerebro; see `record` after a run.

    Bars, panes and remarks are those of the first data. Of the others it has fills, alerts and the
    lines that share those bars.
    """

    reports_remarks = True  # so that indicators need not warn of themselves

    params = dict(progress=None, every=4096, allow_demo=True, allow_intraday=True, style=None)

    record: Record

    def start(self) -> None:
        """Refuse a history that is too short before the first bar is run."""
        data = self.strategy.data
        _check_length(self.strategy)
        for indicator in indicators_of(self.strategy):
            allowed = self.p.allow_demo, self.p.allow_intraday
            check_allowed(indicator, data._name, bar_minutes(data), *allowed)
        self._streamed = not data.buflen()  # bars come one by one, and may come again
        self._fills: list[dict[str, Any]] = []
        self._seen: dict[int, int] = {}
        self._equity: list[float] = []
        self._position: list[float] = []
        self._held: list[list[float]] = []  # size and close of each data, of several
        self._flows = CashFlows(self.strategy.broker, data)
        self._rejected = 0
        self._rows: list[list[float]] = []  # the bars, where Backtrader itself forgets them
        self._names = names_of(self.strategy.datas)
        self._protection = Protection()
        self._alerts: list[Alert] = []
        self._watch: Watch | None = Watch(self.strategy, self.p.style)
        self._cash = self.strategy.broker.startingcash
        self._coc = bool(getattr(getattr(self.strategy.broker, "p", None), "coc", False))

    def notify_order(self, order: Any) -> None:
        """Note rejections and every execution since the last notification."""
        if order.status in (order.Margin, order.Rejected):
            self._rejected += not getattr(order, "too_early", False)
        if order.status in (order.Submitted, order.Accepted):
            # its executions may be known already; they are told in their turn
            if order.status == order.Accepted:
                self._protection.accepted(order)
            return
        bits = list(order.executed.exbits)[self._seen.get(order.ref, 0) :]
        self._seen[order.ref] = len(order.executed.exbits)
        for bit in bits:
            self._fills.append(self._fill(order, bit))
            self._protection.filled(order.data, self._fills[-1])
        if not order.alive():
            self._protection.ended(order)

    def _fill(self, order: Any, bit: Any) -> dict[str, Any]:
        data = order.data
        cost = self.strategy.broker.getcommissioninfo(data)
        multiplier = 1.0 if cost.stocklike else cost.p.mult
        return {
            "bar": len(data) - 1,
            "time": data.datetime[0],  # a date at the end, see `_timed_fills`
            "data": self._names[data],
            "size": bit.size,
            "price": bit.price,
            "commission": bit.closedcomm + bit.openedcomm,
            "slippage": (bit.price - _reference(order, self._coc)) * bit.size * multiplier,
            "kind": order.info.get("kind", order.getordername().lower()),
            "reason": order.info.get("reason", ""),
            "closed": bit.closed,
            "closed_commission": bit.closedcomm,
        }

    def _moment(self, data: Any, stamp: float) -> Any:
        """Return a stamp of Backtrader in the zone of the first data, as that of the data if none.

        Where the first data has a zone, all times have it, so that they can be compared.
        """
        frame = getattr(self.strategy.data.p, "dataname", None)
        zone = getattr(frame.index, "tz", None) if isinstance(frame, pd.DataFrame) else None
        if zone is None or not isinstance(self.strategy.data, HedgeData):
            return bt.num2date(stamp, tz=data._tz)
        return pd.Timestamp(bt.num2date(stamp), tz="UTC").round("ms").tz_convert(zone)

    @property
    def lean(self) -> bool:
        """Whether `HedgeCerebro` may hand over the curves instead of calling `next`."""
        return type(self).next is Recorder.next

    def take_curves(self, equity: FloatArray, position: FloatArray) -> None:
        """Take equity and position of every bar at once."""
        self._equity, self._position = list(equity), list(position)

    def next(self) -> None:
        """Note equity and position of the bar; a bar that comes again replaces itself."""
        self._look()
        data = self.strategy.data
        bar = len(data)
        if not bar:  # a second data is ahead of the first
            return
        if bar == len(self._equity):
            self._equity.pop()
            self._position.pop()
            self._rows[-1:] = []
            self._held[-1:] = []
        if data.lines.datetime.mode:  # bounded: exactbars
            self._rows.append([line[0] for line in data.lines])
        self._equity.append(self._flows.value)
        self._position.append(self.strategy.position.size)
        if len(self.strategy.datas) > 1:
            self._held.append(self._holdings())
        if self.p.progress is not None and not bar % self.p.every:
            self.p.progress(bar / max(data.buflen(), 1))

    prenext = nextstart = next

    def _look(self) -> None:
        """Judge alerts bar by bar where bars come or go one by one, else leave them to the end."""
        if self._watch is not None and (self._streamed or self._watch.bounded):
            self._alerts += self._watch.look()
        else:
            self._watch = None

    def _holdings(self) -> list[float]:
        """Return the sizes held of every data, then their closes."""
        datas, position = self.strategy.datas, self.strategy.broker.getposition
        sizes = [position(data).size for data in datas]
        return sizes + [data.close[0] if len(data) else np.nan for data in datas]

    def _values(self, n_bars: int) -> FloatArray | None:
        """Return what is held of every data is worth, (n_bars, n_datas), None of one data."""
        if not self._held:
            return None
        sizes, closes = np.split(np.array(self._held[-n_bars:], dtype=np.float64), 2, axis=1)
        clean = np.column_stack([without_dust(column) for column in sizes.T])
        multipliers = list(self._multipliers().values())
        return np.where(clean == 0.0, 0.0, clean * closes * multipliers)

    def _ends(self) -> dict[str, tuple[int, float]]:
        """Return number and close of the last bar of every data but the first."""
        others = [data for data in self.strategy.datas[1:] if len(data)]
        return {self._names[d]: (len(d) - 1, float(d.close[0])) for d in others}

    def stop(self) -> None:
        """Put the record together."""
        strategy = self.strategy
        self._flows.release()
        names = list(self._names.values())
        frame = frame_of(strategy.data, len(self._equity), self._rows, names[0])
        n = len(frame)
        shown = shown_by(strategy, frame)
        counts = dict(getattr(strategy, "counts", {})) | {"rejected": self._rejected}
        vetoes = [self._stamped(v, frame) for v in getattr(strategy, "confirm_vetoes", ())]
        equity, flows = np.array(self._equity[-n:]), self._flows.by_bar(n)
        stops_at_ruin = hasattr(strategy.broker, "ruined")
        record = Record(
            engine="cerebro",
            strategy=type(strategy).__name__,
            params=strategy.p._getkwargs(),
            frame=frame,
            cash=self._cash + self._flows.before,
            equity=equity,
            position=without_dust(np.array(self._position[-n:], dtype=np.float64)),
            holdings=self._values(n),
            ends=self._ends(),
            flows=flows,
            fills=self._timed_fills(frame),
            signals=_signals(strategy, frame, [*shown, *shown_beside(strategy, n)]),
            multipliers=self._multipliers(),
            panes=[pane for s in shown for pane in s.panes()],
            counts=counts
            | ({"vetoed": len(vetoes)} if hasattr(strategy, "confirm_vetoes") else {}),
            vetoes=vetoes,
            alerts=self._all_alerts(frame, shown),
            remarks=[
                *dict.fromkeys(r for s in shown for r in s.remarks(frame)),
                *notes_of(strategy, frame),
                *_left_out(*names),
                *ruin_notes(equity, frame.index, flows=flows, closed_out=stops_at_ruin),
                *paid_in_notes(flows),
            ],
            demo=demo_reason(frames_of(frame, strategy.datas), indicators_of(strategy)),
        )
        self.record = without_late(record) if self._streamed else record

    def _all_alerts(self, frame: pd.DataFrame, shown: list[Shown]) -> pd.DataFrame:
        watch, self._watch = self._watch, None  # it holds lines, which do not pickle
        if watch is not None and (self._streamed or watch.bounded):
            return watched_alerts([*self._alerts, *watch.rest()], frame)
        return finished_alerts(self.strategy, frame, shown, self.p.style)

    def _timed_fills(self, frame: pd.DataFrame) -> pd.DataFrame:
        fills = fills_frame(self._fills)
        main = (fills["data"] == self._names[self.strategy.data]).to_numpy()
        if main.all():  # to the nanosecond, and a column of stamps also where there are none
            return fills.assign(time=frame.index[fills["bar"].to_numpy(dtype=np.int64)])
        datas = {name: data for data, name in self._names.items()}
        stamps = zip(fills["data"], fills["time"], strict=True)
        return fills.assign(time=[self._moment(datas[name], stamp) for name, stamp in stamps])

    def _multipliers(self) -> dict[str, float]:
        costs = {d: self.strategy.broker.getcommissioninfo(d) for d in self.strategy.datas}
        return {self._names[d]: 1.0 if c.stocklike else float(c.p.mult) for d, c in costs.items()}

    def _stamped(self, veto: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
        """Return a veto with the zone of its bar, where it is of the bars that were recorded."""
        bar, own = veto.get("bar", -1), veto["data"] == frame.attrs["symbol"]
        if own:
            return veto | ({"time": frame.index[bar]} if 0 <= bar < len(frame) else {})
        (data,) = [d for d, name in self._names.items() if name == veto["data"]] or [None]
        stamps = () if data is None else data.lines.datetime.array
        known = 0 <= bar < len(stamps) and not data.lines.datetime.mode
        return veto | ({"time": self._moment(data, stamps[bar])} if known else {})

    def get_analysis(self) -> dict[str, Any]:
        """Return the record's counts."""
        return dict(self.record.counts)


def _reference(order: Any, coc: bool) -> float:
    """Return the price that the order would have got without slippage; `coc`: cheat-on-close."""
    known = getattr(order, "price_before_slippage", None)  # by our own broker
    if known is not None:
        return float(known)
    data, price, kind = order.data, order.created.price, order.exectype
    opened = data.open[0]
    if kind == bt.Order.Market:
        cheated = coc and order.info.get("coc", True)
        return float(order.created.pclose if cheated else opened)
    if kind in (bt.Order.Stop, bt.Order.StopTrail):
        return float(max(price, opened) if order.isbuy() else min(price, opened))
    if kind == bt.Order.Limit:
        return float(min(price, opened) if order.isbuy() else max(price, opened))
    return float(order.executed.exbits[-1].price)


class ShortHistoryError(InputError):
    """There are fewer bars than the indicators of a strategy need."""


def _check_length(strategy: Any) -> None:
    """Refuse a data with fewer bars than what is computed of it needs."""
    several = len(strategy.datas) > 1
    for data, own in zip(strategy.datas, strategy._minperiods, strict=True):
        have, needed = data.buflen(), own if several else strategy._minperiod
        if have and have < needed:
            raise ShortHistoryError(
                f"{data._name or 'data'}: {have} bars, but {type(strategy).__name__} needs "
                f"{needed}; give more data or shorter lookbacks"
            )


def _left_out(main: str, *others: str) -> list[str]:
    """Return what a run of several datas must say of the others."""
    if not others:
        return []
    names = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    return [
        f"warning: chart and study are of {main or 'the first data'} alone; equity is of all, and "
        f"trades and alerts of {names} are in trades.csv and alerts.csv, lines on the same bars in "
        "signals.parquet"
    ]


def _signals(strategy: Any, frame: pd.DataFrame, shown: list[Shown]) -> pd.DataFrame:
    columns: dict[str, FloatArray] = {}
    if isinstance(strategy, KernelStrategy):
        target = np.array(list(strategy.signal.array)[: len(frame)], dtype=np.float64)
        if len(target) == len(frame):
            columns["target"] = np.nan_to_num(np.sign(target), nan=0.0)
    for item in shown:
        columns |= item.columns()
    return pd.DataFrame(columns, index=frame.index)
