"""Box plots of returns over days, weeks, months, quarters and years."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray

#: Name of a box: the period over which sessions are compounded, as pandas writes it.
_PERIODS = {"Day": "D", "Week": "W", "Month": "M", "Quarter": "Q", "Year": "Y"}
_COLOURS = ("#5da5da", "#4d88b8", "#3e6d94", "#305472", "#223c52")


def period_returns(returns: pd.Series) -> dict[str, FloatArray]:
    """Return the compounded returns of each day, week, month, quarter and year that has a session.

    Parameters
    ----------
    returns : Series of shape (n_sessions,), index session dates
        Simple returns, decimals.
    """
    dates = pd.DatetimeIndex(returns.index)
    growth = np.log1p(returns.to_numpy(dtype=np.float64))
    grouped = pd.Series(growth).groupby
    return {
        name: np.expm1(grouped(dates.to_period(code).asi8).sum().to_numpy())
        for name, code in _PERIODS.items()
    }


def quantile_chart(returns: pd.Series) -> str:
    """Return the box plots as SVG: median, quartiles, whiskers of 1.5 x the quartiles' distance.

    The caller has chosen matplotlib's settings.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import PercentFormatter

    values = {name: 100.0 * some for name, some in period_returns(returns).items()}
    figure, axes = plt.subplots(figsize=(10, 5))
    # the widths alone are ours: quartiles and whiskers are matplotlib's, of the numbers above
    boxes = axes.boxplot(list(values.values()), widths=0.5, patch_artist=True)
    for box, colour in zip(boxes["boxes"], _COLOURS, strict=True):
        box.set(facecolor=colour, edgecolor="#333333")
    for line in boxes["medians"]:
        line.set(color="#ffffff")
    axes.set_xticks(range(1, len(values) + 1), [f"{k}, {v.size}" for k, v in values.items()])
    axes.axhline(0.0, color="#888888", linewidth=0.8)
    axes.yaxis.set_major_formatter(PercentFormatter())
    axes.set_title("Returns by period: median, quartiles, range", fontweight="bold")
    figure.tight_layout()
    page = StringIO()
    figure.savefig(page, format="svg")
    return page.getvalue()
