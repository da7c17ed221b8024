"""The figures that a run prints and summary.json holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.sources.years import sessions_per_year
from hpi_bt.stats.held import exposures, mean_known, without_flows
from hpi_bt.stats.metrics import (
    LEAST_SESSIONS,
    MOST_CAGR,
    deepest_fall,
    exposure,
    is_ruined,
    performance,
    session_returns,
    trade_metrics,
)


def buy_and_hold(frame: pd.DataFrame) -> pd.Series:
    """Return the session returns of holding the instrument from the first bar's open, no costs.

    Index: naive session dates; of a price that is not positive no return can be taken, so such a
    market gets an empty series.
    """
    close, first = frame["close"], float(frame["open"].iloc[0])
    if not (close > 0.0).all() or not first > 0.0:
        return pd.Series(np.empty(0), index=pd.DatetimeIndex([]), name="return")
    return session_returns(close, frame["session"].to_numpy(), first)


def summarise(
    frame: pd.DataFrame,
    equity: FloatArray,
    position: FloatArray,
    trades: pd.DataFrame,
    fills: pd.DataFrame,
    cash: float,
    benchmark: pd.Series | None,
    *,
    multiplier: float = 1.0,
    held: tuple[FloatArray, FloatArray] | None = None,
    flows: FloatArray | None = None,
) -> dict[str, Any]:
    """Return the figures of a run; decimals (0.10 is 10 %), dollars, NaN where undefined.

    Parameters
    ----------
    frame : DataFrame
        The bars, with `session`; the year is that of `attrs["calendar"]`.
    equity, position : ndarray of shape (n_bars,)
        Account value and size at each close.
    trades, fills : DataFrame
        As `Record` has them.
    cash : float
        Account value before the first bar.
    benchmark : Series, optional
        Session returns to compare with.
    multiplier : float, default=1.0
        Of a future: account currency a point.
    held : tuple of ndarray of shape (n_bars,), optional
        Value of all positions over equity, gross and net; by default of `position` alone.
    flows : ndarray of shape (n_bars,), optional
        Cash that came with each bar and is no return.
    """
    net = exposures(position, frame["close"], equity, multiplier)
    gross, net = (np.abs(net), net) if held is None else held
    curve = pd.Series(without_flows(equity, flows, cash), index=frame.index)
    returns = session_returns(curve, frame["session"], cash)
    year = sessions_per_year(frame)
    risk = performance(returns, periods_per_year=year, ruined=is_ruined(curve))
    closed = trade_metrics(trades)
    if benchmark is None or benchmark.empty:
        against, lowest = None, math.nan
    else:
        against = performance(benchmark, periods_per_year=year)
        lowest = deepest_fall(frame["close"], float(frame["open"].iloc[0]))
    return {
        "first": str(frame.index[0]),
        "last": str(frame.index[-1]),
        "bars": len(frame),
        "sessions": risk.sessions,
        "sessions_per_year": year,
        "start_value": cash,
        "end_value": float(equity[-1]),
        "paid_in": 0.0 if flows is None else float(flows.sum()),
        "total_return": risk.total_return,
        "cagr": risk.cagr,
        "volatility": risk.volatility,
        "sharpe": risk.sharpe,
        "sortino": risk.sortino,
        "max_drawdown": risk.max_drawdown,
        "max_drawdown_by_bar": deepest_fall(curve, cash),
        "drawdown_sessions": risk.drawdown_sessions,
        "calmar": risk.calmar,
        "trades": closed.n,
        "open_trades": closed.n_open,
        "win_rate": closed.win_rate,
        "profit_factor": closed.profit_factor,
        "average_trade": closed.average,
        "best_trade": closed.best,
        "worst_trade": closed.worst,
        "average_bars": closed.average_bars,
        "exposure": exposure(gross),
        "average_exposure": mean_known(gross),
        "net_exposure": mean_known(net),
        "commission": float(fills["commission"].sum()),
        "slippage": float(fills["slippage"].sum()),
        "costs": float(fills["commission"].sum() + fills["slippage"].sum()),
        "benchmark_return": against.total_return if against else float("nan"),
        "benchmark_cagr": against.cagr if against else float("nan"),
        "benchmark_sharpe": against.sharpe if against else float("nan"),
        "benchmark_max_drawdown": against.max_drawdown if against else float("nan"),
        "benchmark_max_drawdown_by_bar": lowest,
    }


class Figure(NamedTuple):
    """One row of what a run prints; `benchmark` is "" where there is nothing to compare."""

    label: str
    value: str
    benchmark: str = ""
    note: str = ""


_STEPS = ((14.0, "monthly"), (60.0, "weekly"))  # what a ratio is made of, by sessions in a year
_MOST = f"above {MOST_CAGR:,.0%} a year: too short a stretch for a rate"
_MINUS = "\N{MINUS SIGN}"


def is_short(summary: Mapping[str, Any]) -> bool:
    """Return whether a run has too few sessions for its yearly figures to say anything."""
    sessions = summary.get("sessions")
    return isinstance(sessions, int) and sessions < LEAST_SESSIONS


_EVENTS = {
    "capped": "capped",
    "too_small": "too small",
    "vetoed": "vetoed",
    "entry_bar_breaches": "stops breached in the entry bar",
    "late_flat": "held past the close",
}


def figures(summary: Mapping[str, Any]) -> list[Figure]:
    """Return the main figures of a summary as text, "n/a" where they are undefined (or NaN)."""
    s = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in summary.items()}
    compared = s["benchmark_return"] is not None

    few = is_short(summary)

    def percent(key: str) -> str:
        return _text(s.get(key), "{:.2%}")

    def number(key: str) -> str:
        return _text(s.get(key), "{:,.2f}")

    def both(label: str, text: Any, key: str, other: str, *, yearly: bool = False) -> Figure:
        if yearly and few:
            said = _too_few(summary["sessions"]) if key == "cagr" else ""  # once is enough
            return Figure(label, "n/a", note=said)
        note = _MOST if key == "cagr" and s[key] is None else ""
        return Figure(label, text(key), text(other) if compared else "", note)

    opened = f"{s['open_trades']} more still open" if s["open_trades"] else ""
    average = f"{number('average_trade')} a trade, held {s['average_bars'] or 0:.1f} bars"
    year = float(s.get("sessions_per_year") or math.inf)
    step = next((word for most, word in _STEPS if year <= most), "daily")
    intraday = summary["bars"] > summary["sessions"] and s.get("max_drawdown_by_bar") is not None
    drawdown = ("max_drawdown", "benchmark_max_drawdown")
    by_bar = both("Max drawdown by bar", percent, *(f"{key}_by_bar" for key in drawdown))
    events = ", ".join(f"{s[key]:,} {word}" for key, word in _EVENTS.items() if s.get(key))
    return [
        both("Return", percent, "total_return", "benchmark_return"),
        both("CAGR", percent, "cagr", "benchmark_cagr", yearly=True),
        both(f"Sharpe ({step})", number, "sharpe", "benchmark_sharpe", yearly=True),
        both("Max drawdown by session" if intraday else "Max drawdown", percent, *drawdown),
        *([by_bar] if intraday else []),
        Figure("Trades", f"{s['trades']:,}", note=opened),
        Figure("Win rate", percent("win_rate"), note=average if s["trades"] else ""),
        Figure("Time in market", percent("exposure"), note="of the bars with a position"),
        Figure("Average exposure", percent("average_exposure"), note=_exposure_note(s)),
        Figure(
            "Costs paid",
            number("costs"),
            note=f"commission {number('commission')}, slippage {number('slippage')}",
        ),
        Figure("Rejected orders", f"{s['rejected']:,}", note=events),
    ]


def _text(value: float | None, form: str) -> str:
    """Return a number as text, "n/a" where there is none."""
    return "n/a" if value is None else form.format(value).replace("-", _MINUS)


def _too_few(sessions: int) -> str:
    many = f"{sessions} session is" if sessions == 1 else f"{sessions} sessions are"
    return f"{many} too few to speak of a year"


def _exposure_note(s: Mapping[str, Any]) -> str:
    """Return what the average exposure is, and the net one where shorts make it another."""
    gross, net = s.get("average_exposure"), s.get("net_exposure")
    if gross is None or net is None:
        return ""
    said = "position value over equity, mean of all bars"
    shorts = gross - net > 5e-5
    return f"{said}; long less short {_text(net, '{:+.2%}')}" if shorts else said
