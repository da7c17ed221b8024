"""vectorbt and backtesting.py on our bars and our signal: a script that knows nothing of hpi_bt.

    python peers.py vectorbt|backtesting market.npz POINTS

It prints one line of JSON: version, seconds a point, trades. `docs/benchmarks.md` says which rules
neither can express.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

RISK, LEVERAGE, CASH, SLIPPAGE = 0.25, 0.98, 100_000.0, 0.5e-4


def vectorbt(bars: Any, points: int) -> dict[str, Any]:
    """Run points as columns of one portfolio: entries, exits, flat before the close, ATR stop."""
    import vectorbt as vbt

    index = pd.to_datetime(bars["stamp"])
    opens, highs, lows, closes = (
        pd.DataFrame(bars[name], index=index) for name in ("open", "high", "low", "close")
    )
    target = np.where(bars["left"] <= 1.0, 0.0, np.append(0.0, bars["target"][:-1]))
    changed = (target != np.append(0.0, target[:-1]))[:, None]
    target = target[:, None]
    atr, close = (np.append(np.nan, bars[name][:-1]) for name in ("atr", "close"))
    multiples = np.linspace(2.0, 8.0, points)
    stop = multiples * atr[:, None] / close[:, None]
    size = np.floor(np.minimum(RISK / 100 / stop, LEVERAGE) * CASH / close[:, None])

    def run() -> int:
        made = vbt.Portfolio.from_signals(
            closes, open=opens, high=highs, low=lows,
            entries=changed & (target > 0), exits=changed & (target <= 0),
            short_entries=changed & (target < 0), short_exits=changed & (target >= 0),
            size=np.nan_to_num(size), size_type="amount", price=opens, sl_stop=stop,
            slippage=SLIPPAGE, init_cash=CASH, freq="1min", upon_opposite_entry="reverse",
        )  # fmt: skip
        made.total_return()
        return int(made.trades.count().mean())

    return _timed(run, points, vbt.__version__)


def backtesting(bars: Any, points: int) -> dict[str, Any]:
    """Run points one by one: entries, exits, ATR stop, time stop, flat before the close."""
    import backtesting as bt

    frame = pd.DataFrame(
        {n.title(): bars[n] for n in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(bars["stamp"]),
    )

    class FlowBias(bt.Strategy):
        multiple = 6.0

        def init(self) -> None:
            self.target, self.atr, self.left = bars["target"], bars["atr"], bars["left"]
            self.blocked = 0.0

        def next(self) -> None:
            bar = len(self.data) - 1
            target = self.target[bar]
            closing = self.left[bar] <= 1.0
            if target != self.blocked:
                self.blocked = 0.0
            if self.position:
                trade = self.trades[0]
                timed = bar - trade.entry_bar + 1 >= 120
                if not (closing or timed or target * trade.size <= 0.0):
                    return
                self.position.close()
                self.blocked = target if timed else self.blocked
                if closing or timed:
                    return
            if target and target != self.blocked and not closing:
                self.enter(target, self.atr[bar], float(self.data.Close[-1]))

        def enter(self, target: float, atr: float, price: float) -> None:
            distance = self.multiple * atr
            if not distance > 0.0:
                return
            units = min(RISK / 100 * self.equity / distance, LEVERAGE * self.equity / price)
            if units >= 1.0:
                send = self.buy if target > 0 else self.sell
                send(size=int(units), sl=price - target * distance)

    runner = bt.Backtest(frame, FlowBias, cash=CASH, spread=SLIPPAGE, finalize_trades=True)

    def run() -> int:
        counts = [runner.run(multiple=m)["# Trades"] for m in np.linspace(2.0, 8.0, points)]
        return int(np.mean(counts))

    return _timed(run, points, bt.__version__)


def _timed(run: Callable[[], int], points: int, version: str) -> dict[str, Any]:
    """Time the second of two calls, so that no compilation counts."""
    run()
    wall, cpu = time.perf_counter(), time.process_time()
    trades = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"version": version, "wall": wall / points, "cpu": cpu / points, "trades": trades}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    peer, path, wanted = sys.argv[1:]
    call = {"vectorbt": vectorbt, "backtesting": backtesting}[peer]
    print(json.dumps(call(np.load(path), int(wanted))))
