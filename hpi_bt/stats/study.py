"""The study of a run: its signals, measured lines and entries against price (definitions 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.stats.entries import EntryTest
from hpi_bt.stats.events import LEAST_CLUSTERS
from hpi_bt.stats.forward import Bars, Horizon, checked_bars, checked_horizons, usual_horizons
from hpi_bt.stats.parts import Parts, Subject, event_part, measure_part, night_part, skill_part
from hpi_bt.stats.permutation import check_permutations
from hpi_bt.stats.pool import BLOCK_BARS, markets_of
from hpi_bt.stats.timing import TimingTest

__all__ = ["SignalStudy", "Subject", "signal_study"]

_TIME_BUCKET = 30.0  # minutes of the day that share a baseline


@dataclass(frozen=True)
class SignalStudy:
    """What `signal_study` found; returns are decimals before costs.

    Attributes
    ----------
    symbols : tuple of str
    first, last : Timestamp
        Of the bars of all symbols.
    bars, sessions : int
        Bars of all symbols together, and the dates that they have.
    daily : bool
        Whether the bars are daily (or longer): clusters are then blocks of bars.
    bar_minutes : float
        Length of an intraday bar; NaN for daily bars.
    horizons : tuple of int or "close"
    permutations : int
    regular : bool
        Whether so many bars are always the same time: no bar is missing, none longer or shorter.
    year : int
        Sessions in a year.
    events : DataFrame
        One row a signal, direction and horizon: signal (its column), label ("bullish cross"),
        direction, horizon, symbols (how many have it), episodes, then the columns of
        `event_study`; q_value is over the whole table, and knows how many tables are read
        together (signals, lines, nights of daily bars, entries or timing), as every q here does:
        the chance that anything is found where there is nothing is 5 %. Directions that never
        occurred have no row but a note. n counts bars, episodes the unbroken runs of them within a
        session.
    deciles : DataFrame
        One row a measured line, horizon and tenth of its values: the columns of `decile_table`.
        Each symbol is ranked by itself.
    coefficients : DataFrame
        One row a measured line and horizon: the columns of `information_coefficient`, and q_value
        over the whole table.
    nights : DataFrame
        One row a measured line: how it ranks, at the session's close, with the return of the
        night, of the session after it and of both; columns as `hpi_bt.stats.nights.night_row`.
    entries : tuple of (str, EntryTest)
        By symbol, where trades were given.
    timing : tuple of (str, TimingTest)
        By symbol, in place of its entries where positions changed size while held.
    notes : tuple of str
        What could not be said, and why.
    """

    symbols: tuple[str, ...]
    first: pd.Timestamp
    last: pd.Timestamp
    bars: int
    sessions: int
    daily: bool
    bar_minutes: float
    horizons: tuple[Horizon, ...]
    permutations: int
    regular: bool
    year: int
    events: pd.DataFrame
    deciles: pd.DataFrame
    coefficients: pd.DataFrame
    nights: pd.DataFrame
    entries: tuple[tuple[str, EntryTest], ...]
    timing: tuple[tuple[str, TimingTest], ...]
    notes: tuple[str, ...]


def signal_study(
    subjects: Sequence[Subject],
    *,
    horizons: Sequence[Horizon] | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> SignalStudy:
    """Return what followed every signal, line and entry of one or several symbols.

    Parameters
    ----------
    subjects : sequence of Subject
        Several are pooled: dates are permuted for all together, a line that only some have is
        pooled over those.
    horizons : sequence of int or "close", optional
        Bars ahead; by default 1, 5, 15, 30, 60 and "close", for daily bars 1, 5, 10 and 21, of
        which those longer than every session are left out and named.
    permutations : int, default=1000
        At least 99. Also the random draws of the entry test.
    seed : int, default=0

    Returns
    -------
    study : SignalStudy
        Signals are the lines of kind "event" and drawn lines that are -1, 0 or 1 throughout;
        measured are histograms and lines with levels or a range, unless they lie on price; a
        declaration's `study` stands above that.

    Raises
    ------
    InputError
        No subject, bars that `event_study` refuses, fewer than 99 permutations, or a horizon
        longer than every session.
    """
    if not subjects:
        raise InputError("subjects: none; give at least one symbol's bars")
    check_permutations(permutations)
    bars = [_bars(subject) for subject in subjects]
    wanted, notes = _horizons(bars, horizons)
    found = Parts(subjects, markets_of(bars, _TIME_BUCKET), wanted, permutations, seed)
    events, silent = event_part(found)
    deciles, coefficients, unmeasured = measure_part(found)
    skill = skill_part(found)
    dates = np.unique(np.concatenate([own.session for own in bars]))
    return SignalStudy(
        symbols=tuple(subject.symbol for subject in subjects),
        first=min(pd.Timestamp(subject.bars.index[0]) for subject in subjects),
        last=max(pd.Timestamp(subject.bars.index[-1]) for subject in subjects),
        bars=sum(own.session.size for own in bars),
        sessions=dates.size,
        daily=bars[0].daily,
        bar_minutes=bars[0].bar_minutes,
        horizons=tuple(wanted),
        permutations=permutations,
        regular=all(own.regular for own in bars),
        year=subjects[0].year,
        events=events,
        deciles=deciles,
        coefficients=coefficients,
        nights=night_part(found),
        entries=tuple(skill.entries),
        timing=tuple(skill.timing),
        notes=(*notes, *_few(dates.size, bars[0].daily), *silent, *unmeasured, *skill.notes),
    )


def _bars(subject: Subject) -> Bars:
    """Return a subject's bars, checked; times from the calendar, else from the clock."""
    frame, name = subject.bars, subject.symbol or "bars"
    missing = [c for c in ("open", "close", "session") if c not in frame]
    if missing:
        found = ", ".join(map(str, frame.columns))
        raise InputError(f"{name}: no column {missing[0]!r} (found: {found}); join or map it")
    minutes = frame.get("minutes_open")
    if minutes is not None and not np.isfinite(minutes.to_numpy(dtype=np.float64)).all():
        minutes = None
    stamps = pd.DatetimeIndex(frame.index)
    stamps = stamps if stamps.tz is not None else stamps.tz_localize("UTC")
    return checked_bars(
        frame["open"], frame["close"], frame["session"], stamps=stamps, minutes_open=minutes
    )


def _horizons(
    bars: Sequence[Bars], given: Sequence[Horizon] | None
) -> tuple[list[Horizon], list[str]]:
    """Return the horizons to look at, and a note on those that no session holds."""
    if given is not None:
        return checked_horizons(given, bars), []
    wanted, dropped = usual_horizons(bars)
    where = "the data" if bars[0].daily else "every session"
    longest = max(own.longest() for own in bars)
    if not wanted or (wanted == ["close"] and longest < 2):
        raise InputError(f"bars: {longest} in {where}; a study needs more than one")
    words = ", ".join(map(str, dropped))
    return wanted, (
        [f"horizons left out, as longer than {where} ({longest} bars): {words}"] if dropped else []
    )


def _few(dates: int, daily: bool) -> list[str]:
    clusters = -(-dates // BLOCK_BARS) if daily else dates
    if clusters >= LEAST_CLUSTERS:
        return []
    many = "s" * (clusters != 1)
    kind = f"block{many} of {BLOCK_BARS} bars" if daily else f"session{many}"
    return [f"{clusters} {kind} in the data: p-values need {LEAST_CLUSTERS} with events"]
