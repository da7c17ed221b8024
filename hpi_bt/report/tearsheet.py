"""The tear sheet: session returns in, one page out that opens from disk without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.report.pages import Banner, render, write_page
from hpi_bt.report.quantstats_adapter import QuantStatsError, Sheet, quantstats_sheet
from hpi_bt.stats.metrics import LEAST_SESSIONS, checked_returns, performance

#: Below this many sessions annualised numbers are noise (one good day shows a CAGR of 150 %).
MIN_SESSIONS = 5

_MINUS = "\N{MINUS SIGN}"


def write_tearsheet(
    path: Path,
    returns: pd.Series,
    *,
    title: str,
    banner: Banner,
    benchmark: pd.Series | None = None,
    benchmark_name: str = "Benchmark",
    demo: str = "",
    parameters: Mapping[str, object] | None = None,
    empty_reason: str = "",
    periods_per_year: float = 252.0,
) -> None:
    """Write the tear sheet of a run to `path`, whatever the run was like.

    Parameters
    ----------
    path : Path
        The page, one HTML file; its folder is made.
    returns : Series of shape (n_sessions,), index naive midnight session dates
        Simple session returns as `session_returns` gives them, decimals, zeros where flat.
    title : str
        Headline, any text.
    banner : sequence of (what, how)
        Assumptions shown first: dealer sign, open interest timing, fills, costs.
    benchmark : Series, optional
        Session returns on at least the dates of `returns`.
    benchmark_name : str, default="Benchmark"
        What the benchmark is, for the subtitle.
    demo : str, default=""
        What is made up in the data; "" means that nothing is.
    parameters : mapping, optional
        Shown as name and value.
    empty_reason : str, default=""
        Why a run did not trade, where the caller knows; shown on the short page.
    periods_per_year : float, default=252
        Sessions in a year.

    Raises
    ------
    InputError
        The index is not session dates, a return is impossible, or the benchmark lacks a session.

    Notes
    -----
    A run that QuantStats cannot describe (empty, flat, too short, ruined) gets a short page that
    says why.
    """
    series = _checked(returns, "returns")
    against = None if benchmark is None else _aligned(benchmark, series.index)
    values = series.to_numpy()
    shown = [(name, str(value)) for name, value in (parameters or {}).items()]
    common = {"title": title, "banner": banner, "demo": demo, "parameters": shown}
    common["subtitle"] = _subtitle(series, benchmark_name if against is not None else "")
    reason = _reason(values, empty_reason)
    if not reason:
        try:
            sheet = quantstats_sheet(series, against, periods_per_year=periods_per_year)
        except QuantStatsError as error:
            reason = f"QuantStats could not describe these returns ({error})."
        else:
            write_page(path, _full_page(sheet, common, len(series)))
            return
    write_page(path, _short_page(values, reason, common, periods_per_year))


def _full_page(sheet: Sheet, common: Mapping[str, object], sessions: int) -> str:
    notices = [f"Charts and numbers: QuantStats {sheet.version} (Apache-2.0), session returns."]
    if sessions < LEAST_SESSIONS:
        notices.append(
            f"{sessions} sessions are too few to speak of a year: its figures are noise."
        )
    return render(
        "tearsheet.html.j2", charts=sheet.charts, tables=sheet.tables, notices=notices, **common
    )


def _short_page(
    values: FloatArray, reason: str, common: Mapping[str, object], periods_per_year: float
) -> str:
    return render(
        "tearsheet_short.html.j2",
        reason=reason,
        metrics=performance(values, periods_per_year=periods_per_year),
        best=float(values.max(initial=-1.0)),
        worst=float(values.min(initial=np.inf)),
        **common,
    )


def _reason(values: FloatArray, empty_reason: str) -> str:
    """Return why there can be no full sheet, "" where there can."""
    if not values.size:
        return empty_reason or "The run has no session: the data hold no bar."
    if not values.any():
        return empty_reason or (
            f"No session of {values.size} has a return other than zero: the strategy did not "
            "trade, or every trade came to exactly nothing."
        )
    if values.size < MIN_SESSIONS:
        return (
            f"{values.size} session{'s are' if values.size > 1 else ' is'} too few for risk "
            f"statistics; give {MIN_SESSIONS} or more."
        )
    if np.ptp(values) == 0.0:
        same = f"{100 * values[0]:g}".replace("-", _MINUS)
        return f"All {values.size} sessions return exactly {same} %: there is no risk."
    if (values <= -1.0).any():
        return (
            "One session lost everything. QuantStats cannot go on from nothing, so only our own "
            "numbers are shown; check the size of the positions."
        )
    return ""


def _subtitle(series: pd.Series, benchmark_name: str) -> str:
    if series.empty:
        return "no sessions"
    first, last = series.index[0], series.index[-1]
    text = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, {len(series):,} sessions, compounded"
    return f"{text}, against {benchmark_name}" if benchmark_name else text


def _checked(returns: pd.Series, name: str) -> pd.Series:
    """Return a float64 copy of session returns whose index is proven to be session dates."""
    index = returns.index
    if returns.empty:
        return pd.Series(np.empty(0), index=pd.DatetimeIndex([]))
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(
            f"{name}: index is {type(index).__name__}; give session dates (see session_returns)"
        )
    if index.tz is not None or index.hasnans or not (index == index.normalize()).all():
        raise InputError(
            f"{name}: index holds {index[0]}; give naive midnight session dates, "
            "one return per session (see session_returns)"
        )
    if not (index.is_monotonic_increasing and index.is_unique):
        raise InputError(f"{name}: dates repeat or fall; sort them and keep one row per session")
    # a frequency would let pandas' resampling differ between equal series
    return pd.Series(checked_returns(returns, name), index=pd.DatetimeIndex(index.to_numpy()))


def _aligned(benchmark: pd.Series, index: pd.Index) -> pd.Series | None:
    """Return the benchmark on exactly the sessions of `index`, None where it never moves."""
    series = _checked(benchmark, "benchmark")
    missing = index.difference(series.index)
    if len(missing):
        raise InputError(
            f"benchmark: {len(missing)} of {len(index)} sessions absent, first "
            f"{missing[0]:%Y-%m-%d}; give its return for every session of the run"
        )
    values = series.reindex(index)
    if len(values) and values.min() > 0.0 and values.median() >= 1.0:
        raise InputError(
            f"benchmark: half of it is {values.median():g} or more and none of it falls; give "
            "session returns as decimals, not prices"
        )
    # beta against a constant is undefined, and nothing follows a loss of everything
    return None if values.nunique() < 2 or values.min() <= -1.0 else values
