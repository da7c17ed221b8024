"""What an engine hands over: fills, equity and position by bar, and what was drawn."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.backtest.alerting import no_alerts
from hpi_bt.orders import TINY
from hpi_bt.sources.frame import WARM_UP
from hpi_bt.stats.held import exposures, without_flows

#: A size below this share of what was traded is what floats leave of nothing: 0.3 - 3 x 0.1.
DUST = 1e-9

_AT_OPEN = ("entry", "exit", "market")  # kinds of market orders

FILL_COLUMNS = (
    "bar", "time", "data", "size", "price", "commission", "slippage", "kind", "reason", "closed",
    "closed_commission", "stop_price", "target_price",
)  # fmt: skip
TRADE_COLUMNS = (
    "data", "entry_time", "exit_time", "direction", "size", "entry_price", "exit_price",
    "stop_price", "target_price", "pnl", "commission", "net", "bars", "entry_bar", "exit_bar",
    "exit_reason", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A run, engine-neutral.

    Attributes
    ----------
    frame : DataFrame
        The bars that were traded.
    equity, position : ndarray of shape (n_bars,)
        Account value in dollars and signed size at each bar's close.
    fills : DataFrame
        One row an execution, in order: bar and time of the fill, signed size, price, commission
        and slippage in dollars, kind (entry, exit, stop, target) and reason of the order, how
        much of it closed a position, and the prices of the stop and the target that were first
        sent for a position which it opened (NaN: none).
    signals : DataFrame
        The target and every indicator line, one row a bar.
    panes : list of dict
        What to draw where: column, indicator, line and its chart declaration.
    counts : dict
        rejected, capped, too_small, entry_bar_breaches, late_flat, vetoed.
    vetoes : list of dict
        Entries refused by `Confirmed`.
    remarks : list of str
        What the indicators noticed.
    alerts : DataFrame
        What the indicators' event lines said, a row each: alerts.csv.
    code : str
        Hash of the user's code behind the strategy (`identity.code_fingerprint`).
    holdings : ndarray of shape (n_bars, n_datas), optional
        What is held of each data is worth at each close, in dollars; of several datas.
    ends : dict
        Number and close of the last bar of each further data.
    flows : ndarray of shape (n_bars,), optional
        Cash that the strategy paid in with each bar, negative where it took some out.
    """

    engine: str
    strategy: str
    params: Mapping[str, Any]
    frame: pd.DataFrame
    cash: float
    equity: FloatArray
    position: FloatArray
    fills: pd.DataFrame
    signals: pd.DataFrame
    multipliers: Mapping[str, float] = field(default_factory=dict)
    panes: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    vetoes: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    demo: str = ""
    alerts: pd.DataFrame = field(default_factory=no_alerts)
    code: str = ""
    holdings: FloatArray | None = None
    ends: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    flows: FloatArray | None = None

    @property
    def trades(self) -> pd.DataFrame:
        """Return one row a round trip, from flat to flat; an open one is marked at the close."""
        last = len(self.frame) - 1
        close = float(self.frame["close"].to_numpy()[-1])
        rows = []
        for name, fills in self.fills.groupby("data", sort=False):
            rows += _round_trips(str(name), fills, self.multipliers.get(str(name), 1.0))
        for row in rows:
            if row["status"] == "open":
                own = row["data"] in ("", self._main)
                _mark(row, *((last, close) if own else self.ends.get(row["data"], (-1, np.nan))))
        trades = pd.DataFrame(rows, columns=[*TRADE_COLUMNS, "multiplier"])
        return trades.sort_values(["entry_bar", "exit_bar"], kind="stable", ignore_index=True)[
            list(TRADE_COLUMNS)
        ]

    @property
    def account(self) -> pd.DataFrame:
        """Return what was held, one row a bar: equity.parquet.

        Equity in dollars; of the main data the signed position at the bar's close, exposure, its
        value over equity at the close, and exposure_open, the same at the bar's open once the
        market orders that fill there have filled (their costs left out); gross_exposure, the
        value of all positions at the close, shorts as longs, over equity; paid_in, cash that came
        with the bar, where any did.
        """
        opens, close = (self.frame[c].to_numpy(dtype=np.float64) for c in ("open", "close"))
        multiplier = self.multipliers.get(self._main, 1.0)
        before = np.append(self.cash, self.equity[:-1])
        held, last = np.append(0.0, self.position[:-1]), np.append(opens[:1], close[:-1])
        gained = np.where(held == 0.0, 0.0, held * (opens - last) * multiplier)
        opened = held + self._filled_at_open()
        columns = {
            "equity": self.equity,
            "position": self.position,
            "exposure": exposures(self.position, close, self.equity, multiplier),
            "gross_exposure": self.held_shares[0],
            "exposure_open": exposures(opened, opens, before + gained, multiplier),
        }
        if self.flows is not None:
            columns["paid_in"] = self.flows
        return pd.DataFrame(columns, index=self.frame.index)

    @property
    def held_shares(self) -> tuple[FloatArray, FloatArray]:
        """Return what all positions are worth over equity, gross and net, (n_bars,) each."""
        if self.holdings is None:
            close = self.frame["close"].to_numpy(dtype=np.float64)
            multiplier = self.multipliers.get(self._main, 1.0)
            net = exposures(self.position, close, self.equity, multiplier)
            return np.abs(net), net
        held = (self.holdings != 0.0).any(axis=1)
        gross, net = np.abs(self.holdings).sum(axis=1), self.holdings.sum(axis=1)
        return exposures(held, gross, self.equity), exposures(held, net, self.equity)

    @property
    def earned(self) -> FloatArray:
        """Return the account value without cash that was paid in or taken out, (n_bars,)."""
        return without_flows(self.equity, self.flows, self.cash)

    def _filled_at_open(self) -> FloatArray:
        """Return the signed size that market orders filled at each bar's open, (n_bars,)."""
        fills = self.fills
        own = fills["data"].isin(["", self._main]) & fills["kind"].isin(_AT_OPEN)
        size = np.zeros(len(self.frame))
        np.add.at(
            size, fills["bar"][own].to_numpy(dtype=np.int64), fills["size"][own].to_numpy(float)
        )
        return size

    def since(self, first: int) -> Record:
        """Return the record from bar `first` on, before which nothing was traded."""
        if not first:
            return self
        start = self.frame.index[first]
        frame = self.frame.iloc[first:]
        frame.attrs = {k: v for k, v in self.frame.attrs.items() if k != WARM_UP}
        late = [_is_since(time, start) for time in self.alerts["time"]]
        return replace(
            self,
            frame=frame,
            fills=self.fills.assign(bar=self.fills["bar"] - first),
            signals=self.signals.iloc[first:],
            alerts=self.alerts[np.array(late, dtype=bool)].reset_index(drop=True),
            vetoes=[veto for veto in self.vetoes if _is_since(veto.get("time", start), start)],
            ends={name: (last - first, close) for name, (last, close) in self.ends.items()},
            equity=self.equity[first:],
            position=self.position[first:],
            holdings=None if self.holdings is None else self.holdings[first:],
            flows=None if self.flows is None else self.flows[first:],
        )

    @property
    def _main(self) -> str:
        return str(self.frame.attrs.get("symbol", ""))


def _is_since(time: Any, start: pd.Timestamp) -> bool:
    at = pd.Timestamp(time)
    return bool(at >= (start if at.tzinfo else start.tz_localize(None)))


def fills_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return fills as a frame with every column, also when there are none."""
    return pd.DataFrame(rows, columns=list(FILL_COLUMNS))


def closed_trades(fills: pd.DataFrame) -> int:
    """Return how many round trips of one data the fills close."""
    return sum(trip["status"] == "closed" for trip in _round_trips("", fills, 1.0))


def split_fill(size: float, closed: float) -> tuple[float, float]:
    """Return how much of a fill closed a position and how much opened one, both without sign.

    Dust counts as nothing.
    """
    whole, part = abs(size), abs(closed)
    if part <= DUST * whole:
        part = 0.0
    elif whole - part <= DUST * whole:
        part = whole
    return part, whole - part


def without_dust(position: FloatArray) -> FloatArray:
    """Return positions, (n_bars,), 0 where only dust is left of what was held before."""
    clean, largest = position.copy(), 0.0
    changes = np.flatnonzero(np.diff(position, prepend=0.0))
    for start, stop in pairwise([*changes.tolist(), position.size]):
        size = abs(float(position[start]))
        largest = max(largest, size)
        if size <= DUST * largest:
            clean[start:stop] = largest = 0.0
    return clean


def _round_trips(name: str, fills: pd.DataFrame, multiplier: float) -> list[dict[str, Any]]:
    trips: list[dict[str, Any]] = []
    held = 0.0
    for fill in fills.to_dict("records"):
        size = float(fill["size"])
        closed, opened = split_fill(size, float(fill["closed"]))
        if closed and trips and trips[-1]["status"] == "open":
            trip = trips[-1]
            trip["cash"] -= np.sign(size) * closed * fill["price"]
            trip["out"] += closed
            trip["out_value"] += closed * fill["price"]
            trip["commission"] += fill["closed_commission"]
            held += np.sign(size) * closed
            trip |= {
                "exit_bar": fill["bar"],
                "exit_time": fill["time"],
                "exit_reason": fill["reason"],
            }
            if opened or abs(held) <= DUST * trip["in"]:
                held = 0.0
                trip["status"] = "closed"
        if opened:
            if not trips or trips[-1]["status"] == "closed":
                trips.append(_opened(name, fill, multiplier))
            trip = trips[-1]
            trip["cash"] -= np.sign(size) * opened * fill["price"]
            trip["in"] += opened
            trip["in_value"] += opened * fill["price"]
            trip["commission"] += fill["commission"] - fill["closed_commission"]
            held += np.sign(size) * opened
            trip["size"] = max(trip["size"], abs(held))
        if trips:
            trips[-1]["held"] = held
    return [_finished(trip) for trip in trips]


def _opened(name: str, fill: Mapping[Hashable, Any], multiplier: float) -> dict[str, Any]:
    return {
        "data": name,
        "entry_time": fill["time"],
        "entry_bar": fill["bar"],
        "direction": 1 if fill["size"] > 0 else -1,
        "size": 0.0,
        "multiplier": multiplier,
        "status": "open",
        "exit_reason": "",
        "exit_time": pd.NaT,
        "exit_bar": -1,
        "stop_price": _sent(fill["stop_price"]),
        "target_price": _sent(fill["target_price"]),
        "cash": 0.0,
        "commission": 0.0,
        "held": 0.0,
        **dict.fromkeys(("in", "in_value", "out", "out_value"), 0.0),
    }


def _sent(price: float) -> float:
    """Return the price that an order meant; Backtrader cannot be given 0."""
    return 0.0 if price == TINY else price


def _finished(trip: dict[str, Any]) -> dict[str, Any]:
    trip["entry_price"] = trip["in_value"] / trip["in"]
    trip["exit_price"] = trip["out_value"] / trip["out"] if trip["out"] else np.nan
    trip["pnl"] = trip["cash"] * trip["multiplier"]
    trip["net"] = trip["pnl"] - trip["commission"]
    trip["bars"] = trip["exit_bar"] - trip["entry_bar"]
    return trip


def _mark(trip: dict[str, Any], last: int, close: float) -> None:
    trip["pnl"] = (trip["cash"] + trip["held"] * close) * trip["multiplier"]
    trip["net"] = trip["pnl"] - trip["commission"]
    trip |= {"exit_price": close, "exit_time": pd.NaT, "exit_bar": last, "exit_reason": "open"}
    trip["bars"] = last - trip["entry_bar"]
