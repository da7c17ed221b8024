"""What Backtrader's own plotinfo and plotlines say of an indicator that has no `chart`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Chart = Mapping[str, Mapping[str, Any]]


def plotted_chart(made: Any, panes: Mapping[Any, str], label: str) -> Chart:
    """Return a `chart`, read from plotinfo and plotlines as `cerebro.plot` reads them.

    Parameters
    ----------
    made : bt.Indicator
        As the strategy has made it.
    panes : mapping of bt.Indicator to str
        The panes of the indicators made before it, for one that is drawn over another.
    label : str
        Its name, and that of a pane of its own.

    Returns
    -------
    chart : mapping of str to mapping
        For each line that is not skipped: pane and kind ("histogram" where it is drawn as bars);
        colour, width and title where they are given; levels, on the first line, from plothlines,
        else plotyhlines.
    """
    pane, chart = _pane(made, panes, label), {}
    for i, name in enumerate(made.lines.getlinealiases()):
        said = getattr(made.plotlines, f"_{i}", None) or getattr(made.plotlines, name, None)
        options = said._getkwargs() if said else {}
        if not options.get("_plotskip"):
            chart[name] = {"pane": pane} | _style(options)
    levels = _levels(made)
    if chart and levels:
        first = next(iter(chart))
        chart[first] = chart[first] | {"levels": levels}
    return chart


def _pane(made: Any, panes: Mapping[Any, str], label: str) -> str:
    """Return the pane: its own, or that of the indicator or data which it is drawn over."""
    info = made.plotinfo
    master = info._get("plotmaster", None)
    over = None if master is made else master  # lines overload ==, so identity alone will do
    if over is None and info.subplot:
        return label
    if over is None:
        over = getattr(made._clock, "owner", made._clock)
    return panes.get(over, "price")


def _style(options: Mapping[str, Any]) -> dict[str, Any]:
    bars = options.get("_method") == "bar"
    style: dict[str, Any] = {"kind": "histogram" if bars else "line"}
    if options.get("color") not in (None, "black", "k", "white", "w"):  # the page may be dark
        style["color"] = options["color"]
    if options.get("_name"):
        style["title"] = options["_name"]
    width = options.get("lw", options.get("linewidth"))
    if width and not bars:  # of bars it is their share of the slot
        style["width"] = min(max(round(width), 1), 4)
    return style


def _levels(made: Any) -> list[float]:
    """Return the horizontal lines; `_plotinit` may add to lists that belong to the class."""
    info = made.plotinfo
    before = list(info._get("plotyhlines", []))
    info.plotyhlines = list(before)
    made._plotinit()
    levels = info._get("plothlines", []) or info._get("plotyhlines", [])
    info.plotyhlines = before
    return list(dict.fromkeys(float(level) for level in levels))
