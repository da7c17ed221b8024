"""Small simulated markets and studies of them, shared by the tests of the event study."""

from datetime import date

import numpy as np
import pandas as pd

from hpi_bt.sources.demo import DemoSource, simulate
from hpi_bt.stats.events import event_study
from hpi_bt.stats.study import Subject

FAST = {"permutations": 99, "horizons": (1, 4, "close")}


def market(seed, *, sessions=30, bar="15min", edge=0.0, start=date(2024, 11, 15)):
    """Demo bars with two half days among them, and the session of each bar."""
    settings_ = DemoSource(sessions=sessions, bar=bar, seed=seed, edge=edge, start=start)
    frame = simulate(settings_).frame
    return frame, np.unique(frame.index.date, return_inverse=True)[1]


def sprinkled(seed, n, share=0.1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < share, rng.choice([-1.0, 1.0], n), 0.0)


def study(frame, session, signal, **options):
    options = {"stamps": frame.index, "horizons": (1, 4), "permutations": 99} | options
    return event_study(frame["open"], frame["close"], signal, session, **options)


def pane(line, **options):
    """What an indicator "I" declares of one line."""
    return {
        "column": f"I.{line}",
        "label": "I",
        "line": line,
        "pane": "I",
        "kind": "line",
    } | options


def subject(seed=1, *, symbol="A", trades=None, edge=0.0, lines=(), **options):
    """Demo bars as signals.parquet has them, with a pulse, a score and whatever `lines` adds.

    `lines` are pairs of a pane and its values, a function of the frame.
    """
    frame, session = market(seed, edge=edge, **options)
    frame = frame.assign(session=session + 738_000.0)
    pulse = pane("pulse", kind="event", up="buy", down="sell")
    score = pane("score", kind="histogram")
    given = [
        (pulse, lambda f: sprinkled(seed, len(f))),
        (score, lambda f: np.random.default_rng(seed).normal(size=len(f))),
        *lines,
    ]
    for about, values in given:
        frame[about["column"]] = values(frame)
    return Subject(symbol, frame, [about for about, _ in given], trades)


def some_trades(bars, n=40, seed=0):
    rng = np.random.default_rng(seed)
    session = bars["session"].to_numpy()
    last = np.searchsorted(session, session, side="right") - 1
    entry = np.sort(rng.choice(np.flatnonzero(last > np.arange(len(bars))), n, replace=False))
    leave = np.minimum(entry + rng.integers(1, 6, n), last[entry])
    opens = bars["open"].to_numpy()
    return pd.DataFrame(
        {
            **{"data": "A", "entry_bar": entry, "exit_bar": leave, "status": "closed"},
            **{"direction": rng.choice([-1, 1], n)},
            **{"entry_price": opens[entry], "exit_price": opens[leave]},
        }
    )
