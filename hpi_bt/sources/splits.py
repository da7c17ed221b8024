"""Stock splits: which sessions look like one, and prices made comparable across given ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.sources.bars import OI_COLUMNS, PRICE_COLUMNS, VOLUME_COLUMNS
from hpi_bt.sources.hours import add_notes, session_ordinals

#: New shares for one old share, by the first session at the new price.
Splits: TypeAlias = Mapping[date, float]
SPLITS = "splits"  # key of `attrs`

_RATIOS = np.array([1.5, *range(2, 101)])
_NEAR = 0.03  # of a ratio
_CLEAR = 3.0  # times every other gap and range
_SESSIONS = 20  # on either side
_CLOSES, _STAYS = 5, 0.15  # closes after it, and how far their median may lie from the ratio
_UNLIKE = 0.25  # log distance of a given ratio from the one in the data, which refutes it
_EXACT = 0.05  # and the one above which it is doubted
_REACH = 10  # sessions within which a better date for a given ratio is looked for


class LikelySplit(NamedTuple):
    """A session that begins at a fraction or a multiple of the close before it.

    Attributes
    ----------
    day : date
        The first session at the new price.
    ratio : float
        New shares for one old share, the nearest that is usual; below 1 for a reverse split.
    before, after : float
        The close before, and the price after it that shows the ratio best.
    """

    day: date
    ratio: float
    before: float
    after: float

    @property
    def words(self) -> str:
        """The ratio as brokers write it: 3-for-2, 1-for-10."""
        size = max(self.ratio, 1.0 / self.ratio)
        many, few = ("3", "2") if size == _RATIOS[0] else (f"{size:.0f}", "1")
        return f"{many}-for-{few}" if self.ratio > 1.0 else f"{few}-for-{many} reverse"


class SessionPrices(NamedTuple):
    """Prices by session, each of shape (n_sessions,); ordinals of their dates.

    `high` and `low` are those of all prices; `later_high` and `later_low` leave the first bar's
    open, high and low out, which may be of the day before, where the session has other bars.
    """

    session: IntArray
    open: FloatArray
    first_close: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    later_high: FloatArray
    later_low: FloatArray


def split_factors(ordinals: IntArray, splits: Splits) -> FloatArray:
    """Return the new shares that one share of each session has become, of shape (n,)."""
    factors = np.ones(ordinals.shape)
    for day, ratio in splits.items():
        factors[ordinals < day.toordinal()] *= ratio
    return factors


def with_splits(frame: pd.DataFrame, splits: Splits, calendar: str) -> pd.DataFrame:
    """Return the bars adjusted, with a note on it, the splits in `attrs["splits"]` by ISO date.

    Raises
    ------
    InputError
        Prices do not change by a ratio on its day.
    """
    doubts = list(doubtful_splits(frame, splits, calendar, str(frame.attrs.get("symbol", ""))))
    said = ", ".join(f"{day}: {ratio:g}" for day, ratio in sorted(splits.items()))
    text = (
        f"adjusted for splits ({said}): earlier prices and strikes divided, earlier volumes and "
        "open interest multiplied; other columns as given"
    )
    out = adjusted_for_splits(frame, splits, calendar)
    out.attrs = {**frame.attrs, SPLITS: {str(day): ratio for day, ratio in splits.items()}}
    return add_notes(out, *doubts, Note(Severity.ASSUMPTION, "adjusted-for-splits", text))


def splits_of(frame: pd.DataFrame) -> dict[date, float]:
    """Return the splits that a frame was adjusted for."""
    known = frame.attrs.get(SPLITS, {})
    return {date.fromisoformat(day): float(ratio) for day, ratio in known.items()}


def adjusted_for_splits(frame: pd.DataFrame, splits: Splits, calendar: str) -> pd.DataFrame:
    """Return the rows as if every split had been before them.

    Prices are divided, volumes and open interest multiplied by the ratios of the splits after
    each row's session; other columns stay.
    """
    factors = split_factors(session_ordinals(pd.DatetimeIndex(frame.index), calendar), splits)
    prices = {c: frame[c] / factors for c in PRICE_COLUMNS if c in frame}
    counts = {c: frame[c] * factors for c in (*VOLUME_COLUMNS, *OI_COLUMNS) if c in frame}
    return frame.assign(**prices, **counts)


def doubtful_splits(
    frame: pd.DataFrame, splits: Splits, calendar: str, name: str
) -> Iterator[Note]:
    """Yield what is odd of given splits: days outside the bars, ratios that prices nearly show.

    Raises
    ------
    InputError
        Prices do not change by a ratio on its day. They may be adjusted already, or the day may be
        wrong; either way the adjusted history would be off by the ratio.
    """
    ordinals = session_ordinals(pd.DatetimeIndex(frame.index), calendar)
    prices = session_prices(frame, ordinals)
    before = np.concatenate(([np.nan], prices.close[:-1]))
    steps = np.log(before / np.stack([prices.open, prices.first_close]))
    for day, ratio in splits.items():
        at = int(np.searchsorted(prices.session, day.toordinal()))
        if not 0 < at < len(prices.session):
            yield _outside(day, ratio, name, later=at > 0)
            continue
        misses = np.fmin(*np.abs(steps - np.log(ratio)))
        if misses[at] <= _UNLIKE:
            if misses[at] > _EXACT:
                yield _inexact(day, ratio, float(np.exp(_nearest(steps[:, at], ratio))), name)
            continue
        raise InputError(
            f"{day}: {ratio:g}: the close before over the first price of that session is "
            f"{before[at] / prices.open[at]:.4g}{_elsewhere(prices, misses, at)}",
            where=name,
            field="data.splits",
            remedy="take the split out if prices are adjusted for it, or correct day or ratio",
        )


def _outside(day: date, ratio: float, name: str, *, later: bool) -> Note:
    if later:
        text = (
            f"split of {day}: {ratio:g} lies after the last bar, and every bar is adjusted for it"
        )
        return Note(Severity.WARNING, "split-after-bars", text, name)
    text = f"split of {day}: {ratio:g} lies before the second session: no bar is adjusted for it"
    return Note(Severity.INFO, "split-before-bars", text, name)


def _nearest(steps: FloatArray, ratio: float) -> float:
    """Return the log step, to the open or the first close, that is nearer to a ratio."""
    return float(steps[np.nanargmin(np.abs(steps - np.log(ratio)))])


def _inexact(day: date, ratio: float, seen: float, name: str) -> Note:
    text = (
        f"split of {day}: {ratio:g} is given, prices change by {seen:.4g}: unless the market moved "
        "as much that day, the ratio is another"
    )
    return Note(Severity.WARNING, "split-inexact", text, name)


def _elsewhere(prices: SessionPrices, misses: FloatArray, at: int) -> str:
    """Return in words where near a day prices do change by the ratio, "" where they do not."""
    first = max(at - _REACH, 0)
    near = misses[first : at + _REACH + 1]
    if not (near <= _UNLIKE).any():
        return ""
    day = date.fromordinal(int(prices.session[first + int(np.nanargmin(near))]))
    return f", on {day} it fits"


def session_prices(frame: pd.DataFrame, ordinals: IntArray) -> SessionPrices:
    """Return the prices of each session, whose ordinals are (n_bars,); NaN where not above 0."""
    prices = frame[list(PRICE_COLUMNS)]
    prices = prices.where(prices > 0.0)
    sessions, starts, bars = np.unique(ordinals, return_index=True, return_counts=True)
    opens, _, _, closes = prices.to_numpy(dtype=np.float64).T
    highs, lows = (
        end.to_numpy(dtype=np.float64) for end in (prices.max(axis=1), prices.min(axis=1))
    )
    first = np.zeros(len(prices), dtype=bool)
    first[starts[bars > 1]] = True
    later = np.where(first, closes, highs), np.where(first, closes, lows)
    return SessionPrices(
        sessions,
        opens[starts],
        closes[starts],
        np.fmax.reduceat(highs, starts),
        np.fmin.reduceat(lows, starts),
        closes[starts + bars - 1],
        np.fmax.reduceat(later[0], starts),
        np.fmin.reduceat(later[1], starts),
    )


def likely_splits(frame: pd.DataFrame) -> list[LikelySplit]:
    """Return the sessions of a frame with `session` that look like a split, oldest first.

    The last close over the next session's open, or over the close of that session's first bar, is
    within 3 % of 3:2 or n:1 (n = 2 to 100) or an inverse; its logarithm is at least three times
    every other gap and every range (high to low) within 20 sessions on either side; and the median
    of the next five closes stays within 15 % of it. Where the first bar's close shows the ratio,
    that bar's own open, high and low do not count: they may be of the day before.
    """
    prices = session_prices(frame, frame["session"].to_numpy(dtype=np.int64))
    before = np.log(np.concatenate(([np.nan], prices.close[:-1])))
    gaps = np.abs(before - np.log(prices.open))
    ranges = np.log(prices.high / prices.low)
    later = np.log(prices.later_high / prices.later_low)
    found = []
    for after, own in ((prices.open, ranges), (prices.first_close, later)):
        steps = before - np.log(after)
        ratio = _usual_ratio(steps)
        for i in np.flatnonzero(np.isfinite(ratio)).tolist():
            usual = _largest_around(i, gaps, ranges, own[i])
            if abs(steps[i]) >= _CLEAR * usual and _stays(i, before[i] - steps[i], prices):
                day = date.fromordinal(int(prices.session[i]))
                found.append(LikelySplit(day, float(ratio[i]), prices.close[i - 1], after[i]))
    return sorted({split.day: split for split in reversed(found)}.values())


def _usual_ratio(steps: FloatArray) -> FloatArray:
    """Return the usual ratio that each step of the logarithm is near, else NaN."""
    out = np.full(steps.shape, np.nan)
    large = np.flatnonzero(np.abs(steps) > np.log(_RATIOS[0] * (1.0 - _NEAR)))
    size = np.exp(np.abs(steps[large]))
    nearest = _RATIOS[np.abs(size[:, None] / _RATIOS - 1.0).argmin(axis=1)]
    near = np.abs(size / nearest - 1.0) <= _NEAR
    out[large] = np.where(near, np.where(steps[large] > 0.0, nearest, 1.0 / nearest), np.nan)
    return out


def _largest_around(i: int, gaps: FloatArray, ranges: FloatArray, own: float) -> float:
    """Return the largest gap or range around a session, its own gap left out, its range given."""
    first, last = max(i - _SESSIONS, 0), i + _SESSIONS + 1
    others = np.r_[gaps[first:i], gaps[i + 1 : last], ranges[first:i], ranges[i + 1 : last], own]
    return float(np.fmax.reduce(others))


def _stays(i: int, after: float, prices: SessionPrices) -> bool:
    closes = np.log(prices.close[i : i + _CLOSES])
    return bool(abs(np.nanmedian(closes) - after) <= np.log1p(_STAYS))
