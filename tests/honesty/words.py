"""What a whole run's study says in words where the market has no edge: shipped strategies."""

from __future__ import annotations

from functools import cache

import numpy as np

from hpi_bt.frames import locations, read_config
from hpi_bt.runs import record_of_config
from hpi_bt.stats.parts import Subject
from hpi_bt.stats.study import signal_study
from hpi_bt.stats.verdicts import conclusions
from tests.honesty.markets import path_of
from tests.honesty.seen import Seen

CONFIGS = ("demo", "flow_bias", "confirmation_filter", "opening_window", "herrick_rsi_cross")
_NOTHING = ("no evidence", "in 0 of", "too few", "none occurred", "cannot be judged")


@cache
def _config(name):
    return read_config(f"{name}.yaml", ())


def _subject(name, seed):
    model, path = _config(name)
    source = model.data.source.model_copy(update={"seed": 1000 + seed, "edge": 0.0})
    model = model.model_copy(update={"data": model.data.model_copy(update={"source": source})})
    record = record_of_config(model, path, locations(path, None, True, None))
    frame, lines = record.frame, record.signals
    bars = frame.drop(columns=[c for c in lines if c in frame]).join(lines)
    return Subject(str(frame.attrs["symbol"]), bars, record.panes, record.trades, record.account)


def words_trial(name, seed):
    """Return what a shipped strategy's study claims, and whether it finds what it says it would."""
    subject = _subject(name, seed)
    study = signal_study([subject], permutations=199)
    said = [s for s in conclusions(study) if not any(word in s for word in _NOTHING)]
    hints = [s for s in said if "a hint at most" in s]
    claims = len(said) > len(hints)
    seen = Seen(claims=[claims], hints=[bool(hints) and not claims])
    known = study.events[np.isfinite(study.events["detectable"].to_numpy(dtype=float))]
    if len(known):
        row = known.iloc[0]
        trial = _planted(subject, row, row["detectable"])
        slope = (trial["effect"] - row["effect"]) / row["detectable"]
        if slope > 0.0:
            again = _planted(subject, row, row["detectable"] / slope)
            seen.found = [bool(again["q_value"] <= 0.05)]
    return seen


def _planted(subject, row, size):
    """Return the row of a study once price moves by `size` after every event of it."""
    bars, side = subject.bars, int(row["direction"])
    session = bars["session"].to_numpy()
    after = np.flatnonzero(bars[row["signal"]].to_numpy()[:-1] * side > 0.0) + 1
    if np.unique(session).size < session.size:
        after = after[session[after] == session[after - 1]]
    before, behind = path_of(len(bars), after, side * size)
    moved = bars.assign(open=bars["open"] * before, close=bars["close"] * behind)
    events = signal_study([subject._replace(bars=moved)], permutations=199).events
    same = [events[name] == row[name] for name in ("signal", "direction", "horizon")]
    return events[np.logical_and.reduce(same)].iloc[0]
