"""What every exported indicator keeps: it is written, plotted and pickled."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from typing import Any

import backtrader as bt
import numpy as np
import pytest

import hpi_bt as hb
from hpi_bt.indicators import base
from indicators.bench import (
    INDICATORS,
    PROMISED_LINES,
    by_kernel,
    clean_frame,
    every_case,
    options_of,
)


def test_every_line_reaches_the_csv_writer():
    out = io.StringIO()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(clean_frame()))
    for indicator in INDICATORS.values():
        cerebro.addindicator(indicator)
    cerebro.addstrategy(bt.Strategy)
    cerebro.addwriter(bt.WriterFile, csv=True, out=out)
    cerebro.run()
    rows = [row.split(",") for row in out.getvalue().splitlines() if not row.startswith("=")]
    head = rows[0]
    for name, lines in PROMISED_LINES.items():
        start = head.index(INDICATORS[name].plotinfo.plotname or name)
        assert head[start + 2 : start + 2 + len(lines)] == list(lines)
    assert not any(column.startswith("_") for column in head)
    last = dict(zip(head, next(r for r in rows if r[0] == str(len(clean_frame()))), strict=False))
    rsi = by_kernel(("HerrickRSI", 0), clean_frame())[-1, PROMISED_LINES["HerrickRSI"].index("rsi")]
    assert float(last["rsi"]) == rsi


@pytest.mark.filterwarnings("ignore")
@every_case
def test_cerebro_plots_it_without_a_display(case):
    import matplotlib as mpl

    mpl.use("Agg", force=True)
    import backtrader.plot
    from matplotlib import pyplot as plt

    mpl.use("Agg", force=True)
    assert backtrader.plot
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(hb.HedgeData(clean_frame(sessions=8)))
    cerebro.addindicator(INDICATORS[case[0]], **options_of(*case))
    cerebro.run()
    try:
        ((figure,),) = cerebro.plot(style="bar", volume=False)
        figure.canvas.draw()
        drawn = [np.asarray(y.get_ydata(), float) for a in figure.axes[1:] for y in a.get_lines()]
        bars = [bar.get_height() for ax in figure.axes[1:] for bar in ax.patches]
        wide = [y for y in (*drawn, bars) if len(y) > 100 and np.isfinite(y).any()]
        assert wide
        labels = " ".join(t.get_text() for ax in figure.axes[1:] for t in legend_of(ax))
        assert case[0].removeprefix("Demo") in labels
        assert ("DEMO" in labels) == INDICATORS[case[0]].demo
    finally:
        plt.close("all")


def legend_of(axes: Any) -> list[Any]:
    legend = axes.get_legend()
    return [] if legend is None else legend.get_texts()


def test_the_classes_pickle_and_load_in_a_fresh_process():
    children = {getattr(base, f"_Kernel{len(lines)}") for lines in PROMISED_LINES.values()}
    classes = [*INDICATORS.values(), *sorted(children, key=lambda c: c.__name__)]
    blob = pickle.dumps(classes)
    assert pickle.loads(blob) == classes
    code = (
        "import pickle, sys\n"
        "for c in pickle.loads(bytes.fromhex(sys.argv[1])): print(len(c.lines._getlines()))"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, blob.hex()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [int(n) for n in out.stdout.split()] == [len(c.lines._getlines()) for c in classes]
