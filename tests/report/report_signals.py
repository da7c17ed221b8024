"""Small runs for the tests of the signal page: bars, declarations, trades."""

import numpy as np
import pandas as pd

from hpi_bt.stats.study import Subject, signal_study

BANNER = [("Fills", "next open")]
TRADE = {
    **{"data": "", "direction": 1, "size": 10.0, "entry_price": 100.0, "exit_price": 101.0},
    **{"net": 9.5, "exit_reason": "signal", "status": "closed"},
}
OSCILLATOR = {
    **{"indicator": "Osc", "label": "Osc", "column": "Osc.osc", "line": "osc", "pane": "osc"},
    **{"kind": "line", "color": "#7e57c2", "width": 2, "range": [0.0, 100.0], "levels": [30, 70]},
}
DIVERGENCE = {
    **{"indicator": "Osc", "label": "Osc", "column": "Osc.div", "line": "div", "pane": "osc"},
    **{"kind": "event", "up": "bullish", "down": "bearish", "on": "osc"},
    "segment": ["age", "older"],
}
SCORE = {
    **{"indicator": "Osc", "label": "Osc", "column": "Osc.score", "line": "score"},
    **{"pane": "score", "kind": "histogram", "color": "#2962ff", "levels": [-1.5, 0.0, 1.5]},
}
PANES = [OSCILLATOR, DIVERGENCE, SCORE]


def bars(n=600, start="2024-11-02 20:01", zone="America/New_York", seed=0):
    """A market that never sleeps, one bar a minute, and the lines of PANES.

    The clocks go back 6 hours after the first bar; a divergence confirmed on bar 400 has its
    pivots on bars 395 and 360.
    """
    rng = np.random.default_rng(seed)
    index = pd.date_range(pd.Timestamp(start, tz=zone), periods=n, freq="min")
    close = (100.0 + rng.normal(0.0, 0.05, n).cumsum()).round(2)
    opens = np.r_[close[0], close[:-1]]
    frame = pd.DataFrame({"open": opens, "close": close}, index=index)
    frame["high"] = (np.maximum(opens, close) + 0.03).round(2)
    frame["low"] = (np.minimum(opens, close) - 0.03).round(2)
    frame["volume"] = rng.integers(1, 10**12, n).astype(float)
    frame["Osc.osc"] = 50.0 + 30.0 * np.sin(np.arange(n) / 25.0) + rng.normal(0, 1, n)
    frame["Osc.score"] = rng.normal(0.0, 1.2, n)
    frame.loc[index[:20], ["Osc.osc", "Osc.score"]] = np.nan
    frame["Osc.div"], frame["Osc.age"], frame["Osc.older"] = 0.0, np.nan, np.nan
    if n > 400:
        frame.loc[index[400], ["Osc.div", "Osc.age", "Osc.older"]] = 1.0, 5.0, 40.0
    return frame


def trades(*rows, **same):
    """Trades from (entry bar, exit bar, net) and what they have in common."""
    columns = ["entry_bar", "exit_bar", *TRADE]
    made = [TRADE | {"entry_bar": a, "exit_bar": b, "net": net} | same for a, b, net in rows]
    return pd.DataFrame(made, columns=columns)


def studied(n=6000, length=300, **options):
    """A frame of `bars` in sessions of `length` bars, and the study of its lines and of trades."""
    frame = bars(n)
    session = np.arange(n) // length
    frame = frame.assign(session=session + 739_000.0, minutes_open=np.arange(n) % length + 1.0)
    hits = np.random.default_rng(3).choice([-1.0, 0.0, 1.0], n, p=[0.01, 0.98, 0.01])
    frame["Osc.div"] = np.where(frame["Osc.div"] > 0.0, 1.0, hits)
    entries = np.arange(20, n - 40, 150)
    entries += np.random.default_rng(4).integers(0, 60, entries.size)  # not at the same times
    made = trades(*((int(e), int(e) + 20, 1.0) for e in entries if session[e] == session[e + 20]))
    prices = frame["open"].to_numpy()
    for end in ("entry", "exit"):
        made[f"{end}_price"] = prices[made[f"{end}_bar"]]
    given = {"permutations": 99, "horizons": (1, 5, "close")} | options
    return frame, made, signal_study([Subject("ES", frame, PANES, made)], **given)
