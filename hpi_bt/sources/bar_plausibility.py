"""Which bars look wrong though each of them could be: spikes, splits, changes of units.

All of it is a hint: the bars stay as they are, and the notes say where to look.
"""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import Note, Severity
from hpi_bt.sources.bars import PRICE_COLUMNS
from hpi_bt.sources.frame import MOVED
from hpi_bt.sources.hours import counted
from hpi_bt.sources.splits import LikelySplit, likely_splits

_COUNTS = ("openinterest", "put_oi", "call_oi")
_AMOUNTS = ("volume", "put_volume", "call_volume")
_WORDS = {"openinterest": "open interest"}
_SPIKE = np.log(10.0)  # distance from what is before and after it
_LEVEL = np.log(3.0)  # within which before and after it agree
_BARS = 5  # on either side that say what is usual
_DIGIT, _SAME = np.log(8.0), np.log(1.25)  # the same of open interest, day against day
_SHIFT = np.log(5.0)  # least change of units of open interest
_AROUND, _SOME = 20, 5  # sessions on either side, at most and at least, for the narrow test
_NARROW = 3.0  # times their range that a change of units is at least
_FEW, _CYCLE = 2, 120  # more steps of that size within so many sessions are contract rolls
_LONG, _LEAST = 60, 40  # sessions on either side, at most and at least, for the wide test
_ALIKE = np.log(2.0)  # within which their quantiles move by the change itself
_QUANTILES = (0.05, 0.5, 0.95)
_SHOWN = 5


def implausible(frame: pd.DataFrame) -> list[Note]:
    """Return a warning for each thing about a frame with `session` that looks wrong."""
    splits = likely_splits(frame)
    notes = [_split_note(split) for split in splits[:_SHOWN]]
    if len(splits) > _SHOWN:
        notes.append(_warning("likely-split", f"{len(splits) - _SHOWN} more likely splits"))
    notes += _price_notes(frame, [split.day.toordinal() for split in splits])
    for column in (c for c in (*_COUNTS, *_AMOUNTS) if c in frame):
        notes += _count_notes(frame, column)
    return notes


def unit_changes(values: FloatArray) -> list[tuple[int, float]]:
    """Return place and factor of each change of units in a series of positive numbers.

    A step by a factor of 5 or more counts where the values on either side keep within a third of
    it (in logarithms) for 20 places, and hardly another step is as large; or where the least, the
    usual and the greatest of 60 values after it differ from those before by the same factor. The
    saw-tooth of contracts that expire, one after another, meets neither.
    """
    x = np.log(values)
    steps = np.diff(x)
    misfits = {i: _misfit(x, steps, i) for i in np.flatnonzero(np.abs(steps) > _SHIFT).tolist()}
    best = {i: m for i, m in misfits.items() if m <= _ALIKE}
    return [
        (i + 1, float(np.exp(steps[i])))
        for i, m in best.items()
        if m == min(other for j, other in best.items() if abs(i - j) < _LONG // 2)
    ]


def _misfit(x: FloatArray, steps: FloatArray, i: int) -> float:
    """Return how far a step is from a change of units, in logarithms: 0 between steady stretches.

    Else the most by which a quantile of what follows differs from that of what went before and
    the step; infinite where there is too little of either.
    """
    if _stands_alone(x, steps, i):
        return 0.0
    sides = x[max(i + 1 - _LONG, 0) : i + 1], x[i + 1 : i + 1 + _LONG]
    if min(map(len, sides)) < _LEAST:
        return math.inf
    middle = abs(np.median(sides[1]) - np.median(sides[0]) - steps[i])
    if middle > _ALIKE:
        return float(middle)
    moved = np.quantile(sides[1], _QUANTILES) - np.quantile(sides[0], _QUANTILES)
    return float(np.abs(moved - steps[i]).max())


def _stands_alone(x: FloatArray, steps: FloatArray, i: int) -> bool:
    """Return whether a step lies between two steady stretches, few others being as large."""
    sides = x[max(i + 1 - _AROUND, 0) : i + 1], x[i + 1 : i + 1 + _AROUND]
    limit = abs(steps[i]) / _NARROW
    near = np.abs(steps[max(i - _CYCLE, 0) : i + _CYCLE + 1])
    return (
        min(map(len, sides)) >= _SOME
        and all(np.ptp(side) <= limit for side in sides)
        and int((near > limit).sum()) - 1 <= _FEW
    )


def _warning(code: str, text: str, where: str = "") -> Note:
    return Note(Severity.WARNING, code, text, where)


def _split_note(split: LikelySplit) -> Note:
    return _warning(
        "likely-split",
        f"looks like a {split.words} split on {split.day} (or a change of units): "
        f"{split.before:.6g} before it, {split.after:.6g} after; if it is one, set "
        f"splits: {{{split.day}: {split.ratio:.6g}}} under data",
    )


def _price_notes(frame: pd.DataFrame, split_sessions: list[int]) -> list[Note]:
    """Return notes on prices ten times off for a bar or two, and on levels that change for good."""
    prices = frame[list(PRICE_COLUMNS)]
    x = pd.DataFrame(np.log(prices.where(prices > 0.0)), columns=prices.columns)
    middle = x.median(axis=1)
    step = middle.diff().to_numpy()
    apart = [np.abs(x.to_numpy() - near.to_numpy()[:, None]) for near in (middle, middle.shift(1))]
    if not (np.fmax(*apart) > _SPIKE / 2.0).any():
        return []
    before, after = _usual_before(middle), _usual_after(middle)
    odd = np.stack([_spikes(x[c].to_numpy(), before, after) for c in PRICE_COLUMNS], axis=1)
    bars: BoolArray = odd.any(axis=1).reshape(-1)
    since = _usual_after(middle.shift(1))  # from the bar itself on
    lasting = (np.abs(step) > _SPIKE) & (np.abs(since - before) > _SPIKE) & ~bars
    lasting &= ~np.isin(frame["session"].to_numpy(), split_sessions)
    notes = []
    if bars.any():
        row = int(np.argmax(bars))
        column = int(np.argmax(odd[row]))
        usual = before[row] if np.isfinite(before[row]) else after[row]
        distance = x.to_numpy()[row, column] - usual
        text = (
            f"{PRICE_COLUMNS[column]} {prices.to_numpy()[row, column]:.6g} at {frame.index[row]} "
            f"is {_times(distance)} the prices around it{_more(bars, 'bar')}; check the file"
        )
        notes.append(_warning("price-spike", text))
    if lasting.any():
        row = int(np.argmax(lasting))
        text = (
            f"prices change to {_times(step[row])} those before at {frame.index[row]}"
            f"{_more(lasting, 'change')} (units?); check the file"
        )
        notes.append(_warning("price-units", text))
    return notes


def _count_notes(frame: pd.DataFrame, column: str) -> list[Note]:
    """Return notes on open interest or volume by session: changes of units, lost digits."""
    groups = frame[column].where(frame[column] > 0.0).groupby(frame["session"])
    known = (groups.last() if column in _COUNTS else groups.sum(min_count=1)).dropna()
    values = known.to_numpy(dtype=np.float64)
    sessions = np.unique(frame["session"]).astype(np.int64)
    later = int(column in frame.attrs.get(MOVED, ()))  # in the file it stands that much earlier
    places = (np.searchsorted(sessions, known.index.to_numpy()) - later).clip(min=0)
    days = [date.fromordinal(int(session)) for session in sessions[places]]
    notes = []
    changes = unit_changes(values)
    for place, factor in changes[:_SHOWN]:
        text = f"changes by a factor of {max(factor, 1.0 / factor):.3g} on {days[place]} (units?)"
        notes.append(_warning("units-change", text, _WORDS.get(column, column)))
    if column in _AMOUNTS:  # a session of much or little volume is nothing odd
        return notes
    spikes = _digits(np.log(values))
    if spikes.any():
        row = int(np.argmax(spikes))
        text = (
            f"{values[row]:.6g} on {days[row]} is {_times(np.log(values[row] / values[row - 1]))} "
            f"that of the sessions before and after it{_more(spikes, 'session')}; check the file"
        )
        notes.append(_warning("open-interest-spike", text, _WORDS.get(column, column)))
    return notes


def _digits(x: FloatArray) -> BoolArray:
    """Return which logarithms lie a digit off two neighbours that agree, (n,).

    Neighbours must agree closely: the last days of a contract hold little before the next begins.
    """
    down, up = np.diff(x, prepend=np.nan), -np.diff(x, append=np.nan)
    far = (down * up > 0.0) & (np.minimum(np.abs(down), np.abs(up)) > _DIGIT)
    out: BoolArray = far & (np.abs(down - up) < _SAME)
    return out


def _spikes(x: FloatArray, before: FloatArray, after: FloatArray) -> BoolArray:
    """Return which logarithms lie far from what is usual before and after them, (n,).

    At the ends, where one of the two is not known, the other decides.
    """
    down, up = x - before, x - after
    both = np.isfinite(before) & np.isfinite(after)
    one = np.where(np.isfinite(before), down, up)
    back = (down * up > 0.0) & (np.abs(before - after) < _LEVEL)
    far = np.minimum(np.abs(down), np.abs(up)) > _SPIKE
    out: BoolArray = np.where(both, far & back, np.abs(one) > _SPIKE)
    return out


def _usual_before(x: pd.Series) -> FloatArray:
    return x.shift(1).rolling(_BARS, min_periods=1).median().to_numpy(dtype=np.float64)


def _usual_after(x: pd.Series) -> FloatArray:
    return _usual_before(x[::-1])[::-1]


def _times(distance: float) -> str:
    """Return "100 times" or "1/100 of" of a distance of logarithms."""
    size = float(np.exp(abs(distance)))
    factor = f"{size:,.0f}" if size >= 100.0 else f"{size:.3g}"
    return f"{factor} times" if distance > 0.0 else f"1/{factor} of"


def _more(rows: BoolArray, noun: str) -> str:
    count = int(rows.sum())
    return f", the first of {counted(count, noun)}" if count > 1 else ""
