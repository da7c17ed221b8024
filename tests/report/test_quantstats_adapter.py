"""What the adapter keeps QuantStats from doing, and that no number or curve changes by it."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from hpi_bt.report import quantstats_adapter
from hpi_bt.report.quantstats_adapter import quantstats_sheet

NOISE = np.random.default_rng(4).normal(0.001, 0.008, 200)
HALF_YEAR = ["rolling_beta", "rolling_vol", "rolling_sharpe", "rolling_sortino"]


def sessions(values):
    return pd.Series(np.asarray(values), index=pd.bdate_range("2024-01-02", periods=len(values)))


def test_growth_a_year_is_no_figure_where_it_would_be_none():
    import re

    def shown(returns, benchmark):
        table = str(quantstats_sheet(returns, benchmark, periods_per_year=253.6).tables[0][1])
        rows = re.findall(r"<tr><td>([^<]*)</td>((?:<td>[^<]*</td>)+)", table)
        return {name: re.findall(r"<td>([^<]*)</td>", cells) for name, cells in rows}

    huge, usual = sessions(NOISE[:30] + 0.1), sessions(NOISE[:30])
    for label in ("CAGR%", "All-time (ann.)", "Risk-Adjusted Return"):
        bench, own = shown(huge, usual)[label]
        assert own == "n/a"
        assert bench.endswith("%")
        assert shown(sessions(NOISE[:20]), sessions(NOISE[20:40]))[label] == ["n/a", "n/a"]
    years = 30 / 253.6
    growth = np.prod(1.0 + NOISE[:30]) ** (1.0 / years) - 1.0
    want = f"{100 * growth:.2f}%".replace("-", "\N{MINUS SIGN}")
    assert shown(huge, usual)["CAGR%"][0] == want


@pytest.mark.parametrize(("length", "figures"), [(40, 7), (200, 12)])
def test_only_the_charts_of_the_page_are_drawn_and_they_stay_as_they_were(
    monkeypatch, length, figures
):
    returns, benchmark = sessions(NOISE[:length]), sessions(NOISE[::-1][:length] / 2)
    saved = []
    with monkeypatch.context() as patch:
        import matplotlib.pyplot as plt

        save = plt.savefig
        patch.setattr(plt, "savefig", lambda *a, **k: (saved.append(1), save(*a, **k)))
        lean = quantstats_sheet(returns, benchmark)
    assert len(lean.charts) == figures
    assert len(saved) == figures - 1  # the quantiles are ours
    monkeypatch.setattr(quantstats_adapter, "_without", lambda *_: contextlib.nullcontext())
    assert quantstats_sheet(returns, benchmark) == lean


def test_quantstats_draws_everything_again_afterwards():
    import quantstats
    from matplotlib.backend_bases import FigureCanvasBase

    names = set(quantstats_adapter._PLOTS.values())
    before = [getattr(quantstats.plots, name) for name in names], FigureCanvasBase.draw_idle
    with (
        contextlib.suppress(ZeroDivisionError),
        quantstats_adapter._without(quantstats.plots, names),
        quantstats_adapter._without(FigureCanvasBase, {"draw_idle"}),
    ):
        assert quantstats.plots.histogram() is None
        assert FigureCanvasBase.draw_idle is not before[1]
        raise ZeroDivisionError
    after = [getattr(quantstats.plots, name) for name in names], FigureCanvasBase.draw_idle
    assert after == before


def test_yfinance_is_imported_when_it_is_used_not_by_a_tear_sheet():
    code = """
import sys, warnings
import numpy as np, pandas as pd
from hpi_bt.report.quantstats_adapter import quantstats_sheet
days = pd.bdate_range("2024-01-02", periods=30)
quantstats_sheet(pd.Series(np.sin(np.arange(30.0)) / 99, index=days), None)
print("yfinance" in sys.modules, "yfinance.base" in sys.modules)
warnings.simplefilter("ignore")
import quantstats._compat
held = quantstats._compat.yf.download
import yfinance
print(yfinance.download is held, "yfinance.base" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.split() == ["False", "False", "True", "True"]
