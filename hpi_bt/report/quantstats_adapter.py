"""The one place that talks to QuantStats: its charts and tables as fragments of our own page.

QuantStats fills placeholders of a template. It is given a template that holds nothing else, so
that neither its page (remote icon, call of an undefined script) nor our texts meet each other.
What it changes in the process (matplotlib settings, warnings, open figures) is put back.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from hpi_bt.report.quantiles import quantile_chart
from hpi_bt.stats.metrics import drawdown, performance

_LOCK = threading.Lock()  # matplotlib's state is one per process

#: Placeholder of QuantStats -> what the chart shows, in the order of our page. Left out:
#: daily_returns, which 0.0.86 resamples to calendar days, so that it falls to 0 each weekend,
#: and eoy_returns, whose bars carry the next year's label (the table of years is right).
_CHARTS = {
    "returns": "Cumulative returns",
    "log_returns": "Cumulative returns, log scale",
    "vol_returns": "Cumulative returns at the benchmark's volatility",
    "dd_plot": "Drawdown",
    "dd_periods": "Worst drawdown periods",
    "monthly_heatmap": "Monthly returns",
    "monthly_dist": "Distribution of monthly returns",
    "returns_dist": "Return quantiles",
    "rolling_beta": "Rolling beta",
    "rolling_vol": "Rolling volatility",
    "rolling_sharpe": "Rolling Sharpe ratio",
    "rolling_sortino": "Rolling Sortino ratio",
}
#: The functions that draw the charts which some pages or all leave out: most of QuantStats' time.
_PLOTS = {
    "daily_returns": "daily_returns",
    "eoy_returns": "yearly_returns",
    "monthly_dist": "histogram",
    "rolling_beta": "rolling_beta",
    "rolling_vol": "rolling_volatility",
    "rolling_sharpe": "rolling_sharpe",
    "rolling_sortino": "rolling_sortino",
}
_NOTES = {"monthly_heatmap": "A month without data shows 0.00."}
_ROUNDING = 1e-12  # of a drawdown: what compounding leaves in the last digits
_BENCHMARK_COLOUR = "#c98a1b"  # for a pale yellow that neither white nor black paper shows well
_TABLES = {"metrics": "Key numbers", "eoy_table": "Years, %", "dd_info": "Worst drawdowns, %"}

#: Rows that would share a name with a figure of trades: these are of session returns.
_LABELS = {
    "Time in Market": "Sessions not flat",
    "Avg. Win": "Avg. winning day",
    "Avg. Loss": "Avg. losing day",
    "Win/Loss Ratio": "Avg. winning over losing day",
    "Max Consecutive Wins": "Most winning days in a row",
    "Max Consecutive Losses": "Most losing days in a row",
    "Payoff Ratio": "Payoff ratio of days",
    "Profit Factor": "Profit factor of days",
    "Profit Ratio": "Profit ratio of days",
    "Kelly Criterion": "Kelly criterion of days",
}

#: Rows that are growth a year, or made of it.
_GROWTH_LABELS = ("CAGR\ufe6a", "All-time (ann.)", "Risk-Adjusted Return", "Calmar")

#: Rows that repeat the whole run where it is shorter, with the calendar days they speak of.
_HORIZON_DAYS = {"3M": 89, "6M": 181, "1Y": 365, "3Y": 1095, "5Y": 1826, "10Y": 3652}

#: The look of the charts, on top of matplotlib's defaults, so that neither a matplotlibrc nor the
#: moment at which QuantStats was imported changes it. Text stays text: small and sharp.
_LOOK: Any = {
    "font.family": ["Arial"],
    "font.size": 12.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "hpi_bt",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": "white",
    "axes.facecolor": "white",
    "axes.labelcolor": "#333333",
    "figure.facecolor": "white",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.5,
    "text.color": "#333333",
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.labelsize": 11.0,
    "ytick.labelsize": 11.0,
}


class QuantStatsError(Exception):
    """QuantStats failed on returns that passed every check of ours."""


@dataclass(frozen=True)
class Sheet:
    """Fragments of a tear sheet: inline SVG charts, (heading, HTML table) pairs, the version."""

    charts: list[Markup]
    tables: list[tuple[str, Markup]]
    version: str


def quantstats_sheet(
    returns: pd.Series, benchmark: pd.Series | None, *, periods_per_year: float = 252.0
) -> Sheet:
    """Return QuantStats' charts and tables of session returns.

    Parameters
    ----------
    returns : Series of shape (n_sessions,), index naive midnight session dates
        Simple returns, decimals, above -1, not all zero.
    benchmark : Series or None
        Returns on the same dates, not constant.
    periods_per_year : float, default=252
        Sessions in a year; rolling charts look back over half of it and appear from there on.

    Raises
    ------
    QuantStatsError
        The library failed; its error is the cause.
    """
    with _LOCK, _untouched_globals(), tempfile.TemporaryDirectory() as folder:
        import matplotlib as mpl
        from matplotlib.backend_bases import FigureCanvasBase

        quantstats = _import_quantstats()
        mpl.rcdefaults()
        mpl.rcParams.update(_LOOK)
        shown = _shown_charts(returns, periods_per_year)
        names = [*_TABLES, *_CHARTS]
        template, page = Path(folder) / "template.html", Path(folder) / "page.html"
        template.write_text("".join(f"\n<!--part {n}-->{{{{{n}}}}}" for n in names), "utf-8")
        try:
            unseen = {plot for name, plot in _PLOTS.items() if name not in shown} | {"distribution"}
            unseen |= {"drawdowns_periods"} if returns.iloc[0] < 0.0 else set()
            with (
                _without(quantstats.plots, unseen),
                _without(FigureCanvasBase, {"draw_idle"}),
                _instead(quantstats.utils, _prepare_returns=_as_given),
            ):
                quantstats.reports.html(
                    returns,
                    benchmark,
                    output=str(page),
                    template_path=str(template),
                    match_dates=False,
                    benchmark_title=None if benchmark is None else "Benchmark",
                    periods_per_year=periods_per_year,
                )
            own = {"returns_dist": quantile_chart(returns)}
            if returns.iloc[0] < 0.0:
                own["dd_periods"] = _drawdown_periods(quantstats.plots, returns)
        except Exception as error:
            raise QuantStatsError(f"{type(error).__name__}: {error}") from error
        parts = re.split(r"\n<!--part (\w+)-->", page.read_text("utf-8"))[1:]
    found = dict(zip(parts[::2], (p.strip() for p in parts[1::2]), strict=True))
    found |= own
    _own_drawdowns(found, returns, benchmark)
    _own_growth(found, returns, benchmark, periods_per_year)
    return Sheet(
        charts=[_chart(n, found[n]) for n in shown if found[n]],
        tables=[(head, _table(found[n], returns)) for n, head in _TABLES.items() if found[n]],
        version=str(quantstats.__version__),
    )


def _drawdown_periods(plots: Any, returns: pd.Series) -> str:
    """Return QuantStats' chart of the longest drawdowns, one from the first session on included.

    It sees that one where a session without a return comes before.
    """
    before = pd.Series([0.0], index=[returns.index[0] - pd.Timedelta(days=1)])
    page = StringIO()
    plots.drawdowns_periods(
        pd.concat([before, returns]),
        title="Strategy",
        figsize=(8, 4),
        subtitle=False,
        savefig={"fname": page, "format": "svg"},
        show=False,
        ylabel="",
        prepare_returns=False,
    )
    return page.getvalue()


class _Drawdown(NamedTuple):
    """A stretch of sessions below the high before it: its edges, its low, depth, calendar days."""

    start: pd.Timestamp
    low: pd.Timestamp
    end: pd.Timestamp
    depth: float
    days: int


def _own_drawdowns(found: dict[str, str], returns: pd.Series, benchmark: pd.Series | None) -> None:
    """Replace the figures of drawdowns by our own: QuantStats misses one from the first session on.

    Without this a run that only lost has no maximum drawdown, and one that began with a loss no
    longest.
    """
    columns = [returns] if benchmark is None else [benchmark, returns]
    cells = [_drawdown_cells(_drawdowns(series)) for series in columns]
    for label in cells[0]:
        row = "".join(f"<td>{column[label]}</td>" for column in cells)
        old = rf"(<tr><td>{re.escape(label)}</td>)(?:<td>[^<]*</td>)+"
        found["metrics"] = re.sub(old, rf"\g<1>{row}", found["metrics"])
    own = _drawdowns(returns)
    rows = "".join(
        f"<tr><td>{one.start:%Y-%m-%d}</td><td>{one.end:%Y-%m-%d}</td>"
        f"<td>{100.0 * one.depth:.2f}</td><td>{one.days}</td></tr>"
        for one in sorted(own, key=lambda one: one.depth)[:10]
    )
    if rows:
        head = found["dd_info"].partition("</thead>")[0]
        found["dd_info"] = f"{head}</thead>\n<tbody>{rows}</tbody>\n</table>"


def _own_growth(
    found: dict[str, str], returns: pd.Series, benchmark: pd.Series | None, periods: float
) -> None:
    """Replace growth a year by "n/a" where there is none (`Metrics.cagr`): QuantStats knows none.

    Fewer than 21 sessions, or more than 1,000 % a year, would show a rate of many digits.
    """
    columns = [returns] if benchmark is None else [benchmark, returns]
    known = [math.isfinite(performance(c, periods_per_year=periods).cagr) for c in columns]

    def shown(row: re.Match[str]) -> str:
        cells = re.findall(r"<td>[^<]*</td>", row[2])
        kept = (c if ok else "<td>n/a</td>" for c, ok in zip(cells, known, strict=True))
        return row[1] + "".join(kept)

    labels = "|".join(map(re.escape, _GROWTH_LABELS))
    pattern = rf"(<tr><td>(?:{labels})</td>)((?:<td>[^<]*</td>)+)"
    found["metrics"] = re.sub(pattern, shown, found["metrics"])


def _drawdowns(returns: pd.Series) -> list[_Drawdown]:
    """Return every drawdown of session returns, oldest first."""
    drop, dates = drawdown(returns), pd.DatetimeIndex(returns.index)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], drop < -_ROUNDING, [0]]).astype(np.int8)))
    made = []
    for begin, stop in edges.reshape(-1, 2).tolist():
        low = begin + int(drop[begin:stop].argmin())
        days = (dates[stop - 1] - dates[begin]).days + 1
        made.append(_Drawdown(dates[begin], dates[low], dates[stop - 1], float(drop[low]), days))
    return made


def _drawdown_cells(drawdowns: list[_Drawdown]) -> dict[str, str]:
    """Return the cells of QuantStats' table of metrics that speak of drawdowns."""
    labels = (
        *("Max Drawdown", "Max DD Date", "Max DD Period Start", "Max DD Period End"),
        *("Longest DD Days", "Avg. Drawdown", "Avg. Drawdown Days"),
    )
    if not drawdowns:
        return dict.fromkeys(labels, "-")
    worst = min(drawdowns, key=lambda one: one.depth)
    cells = (
        f"{100.0 * worst.depth:.2f}%",
        *(f"{at:%Y-%m-%d}" for at in (worst.low, worst.start, worst.end)),
        str(max(one.days for one in drawdowns)),
        f"{100.0 * np.mean([one.depth for one in drawdowns]):.2f}%",
        f"{np.mean([one.days for one in drawdowns]):.0f}",
    )
    return dict(zip(labels, cells, strict=True))


def _shown_charts(returns: pd.Series, periods_per_year: float) -> list[str]:
    """Return the names of the charts that hold something for a run of this length."""
    names = list(_CHARTS)
    if len(returns) <= periods_per_year // 2:
        names = [n for n in names if not n.startswith("rolling_")]
    if (returns.index[-1] - returns.index[0]).days < _HORIZON_DAYS["6M"]:
        names.remove("monthly_dist")
    return names


def _chart(name: str, svg: str) -> Markup:
    """Return one figure ready for a page: no prolog, style or date, ids of its own, a label."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'(<svg [^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r">-(?=[\d.])", ">\N{MINUS SIGN}", svg)
    label = f'<svg role="img" aria-label="{Markup.escape(_CHARTS[name])}" '
    svg = svg.replace("<svg ", label, 1).replace("#fedd78", _BENCHMARK_COLOUR)
    note = f"<figcaption>{_NOTES[name]}</figcaption>" if name in _NOTES else ""
    return Markup(svg + note)  # matplotlib made it, from numbers


def _table(html: str, returns: pd.Series) -> Markup:
    """Return one of QuantStats' tables without rows that promise more history than there is."""
    days = (returns.index[-1] - returns.index[0]).days
    for label, needed in _HORIZON_DAYS.items():
        if days < needed:
            html = re.sub(rf"<tr><td>{label}(?: \(ann\.\))?</td>.*?</tr>\n?", "", html)
    html = html.replace("\ufe6a", "%")  # a wide percent sign that common fonts lack
    for theirs, ours in _LABELS.items():
        html = html.replace(f"<td>{theirs}</td>", f"<td>{ours}</td>")
    html = html.replace("<th>Won</th>", "<th>Beat it</th>").replace(">Recovered<", ">Ended<")
    html = re.sub(r"(?<=<td>)-(?=[\d.])", "\N{MINUS SIGN}", html)
    html = html.replace("<td>-</td>", "<td>\N{EN DASH}</td>")
    return Markup(html)  # numbers and fixed labels


class _Later(ModuleType):
    """Stands for a module, which is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _import_quantstats() -> Any:
    """Return QuantStats without importing yfinance, which it wants for downloads alone.

    With what that imports in turn, it would take a quarter of a second of every run.
    """
    sys.modules.setdefault("yfinance", _Later("yfinance"))
    try:
        return importlib.import_module("quantstats")
    finally:
        if isinstance(sys.modules.get("yfinance"), _Later):
            del sys.modules["yfinance"]


@contextmanager
def _without(owner: Any, names: set[str]) -> Iterator[None]:
    """Let functions of `owner` do nothing: they draw what nobody will see."""
    with _instead(owner, **dict.fromkeys(names, lambda *_, **__: None)):
        yield


def _as_given(returns: Any, *_: object, **__: object) -> Any:
    """Return returns as they are: QuantStats takes some for prices (none falls, one doubles)."""
    return returns.replace([np.inf, -np.inf], np.nan)


@contextmanager
def _instead(owner: Any, **functions: Any) -> Iterator[None]:
    """Put other functions in the place of those of `owner`."""
    kept = {name: getattr(owner, name) for name in functions}
    try:
        for name, function in functions.items():
            setattr(owner, name, function)
        yield
    finally:
        for name, function in kept.items():
            setattr(owner, name, function)


@contextmanager
def _untouched_globals() -> Iterator[None]:
    """Draw off screen, quietly, with an Arial; then put everything back as it was."""
    import matplotlib as mpl
    from matplotlib import colors

    shorthand = dict(colors.colorConverter.colors)
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(mpl.rc_context())
        stack.enter_context(_agg())
        stack.enter_context(_arial())
        try:
            yield
        finally:
            # the import of QuantStats redefines "b", "g", "r", ... for the whole process
            colors.colorConverter.colors.update(shorthand)
            colors.colorConverter.cache.clear()


@contextmanager
def _agg() -> Iterator[None]:
    """Use the Agg backend, close the figures made meanwhile, return to the earlier backend."""
    import matplotlib as mpl

    # read past RcParams, which would import a graphical backend in order to answer
    before = dict.get(mpl.rcParams, "backend") if "matplotlib.pyplot" in sys.modules else None
    mpl.use("Agg", force=True)
    import matplotlib.pyplot as plt

    figures = set(plt.get_fignums())
    try:
        yield
    finally:
        for new in set(plt.get_fignums()) - figures:
            plt.close(new)
        if isinstance(before, str) and before.lower() != "agg":
            try:
                plt.switch_backend(before)
            except ImportError:  # it was named, not usable: no display
                mpl.rcParams["backend"] = before


@contextmanager
def _arial() -> Iterator[None]:
    """Let a font that is there answer to "Arial", for which QuantStats asks by name."""
    from matplotlib.font_manager import fontManager

    fonts = fontManager.ttflist
    count = len(fonts)
    if not any(f.name == "Arial" for f in fonts):
        for family in ("Liberation Sans", "DejaVu Sans"):
            alike = [dataclasses.replace(f, name="Arial") for f in fonts if f.name == family]
            if alike:
                fonts.extend(alike)
                break
    try:
        yield
    finally:
        del fonts[count:]
