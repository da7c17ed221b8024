"""What commands show: progress while they work, figures when they are done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from math import inf, isnan
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from hpi_bt.backtest.result import Result

PATIENCE_SECONDS = 2.0
_USUAL_YEARS = 10.0  # sessions by which years of US equities, or short samples, differ from 252
_MOST_LINES = 5  # of what there is to know, unless more of them are warnings


class Stages:
    """A progress bar on standard error that appears for whatever takes over two seconds."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet or not sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Callable[[str, float], None]:
        """Return the function that is told (what is done, share done)."""
        if self._quiet:
            return lambda _what, _share: None
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = (
            TextColumn("{task.description:<10}"), BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), Remaining(),
        )  # fmt: skip
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        task = progress.add_task("", total=1.0)
        begun, shown = monotonic(), False

        def stage(what: str, share: float) -> None:
            nonlocal shown
            slow = monotonic() - begun > PATIENCE_SECONDS or what in ("backtest", "report")
            if slow and not shown:
                progress.start()
                self._bar, shown = progress, True
            progress.update(task, description=what, completed=share)

        return stage

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def show_run(result: Result) -> None:
    """Print the main figures in aligned columns, then what the indicators noticed."""
    from rich.console import Console
    from rich.text import Text

    from hpi_bt.errors import Severity
    from hpi_bt.sources.chain_importance import severity_of
    from hpi_bt.stats.summary import figures

    s = result.summary
    console = Console(highlight=False, soft_wrap=True)
    width = min(console.width, 120)
    console.print(Text(f"{s['name']}: {s['strategy']} on {s['symbol'] or 'its data'}", "bold"))
    if s["demo"]:
        console.print(Text(f"DEMO: {s['demo']}", "bold yellow"))
    console.print(
        f"{s['first'][:10]} to {s['last'][:10]}, {s['sessions']:,} sessions, {s['bars']:,} bars, "
        f"engine {s['engine']}{_unusual_year(s)}\n"
    )
    rows = figures(s)
    wide = max(16, *(len(row.label) for row in rows))
    if any(row.benchmark for row in rows):
        console.print(Text(f"{'':<{wide}}{'Strategy':>14}{'Buy and hold':>15}", "dim"))
    for row in rows:
        figure = f"{row.label:<{wide}}{row.value:>14}"
        if row.benchmark:
            console.print(f"{figure}{row.benchmark:>15}")
        else:
            console.print(hanging(f"{figure}   ", row.note, width))
    console.print()
    for line in s.get("study", ()):
        console.print(hanging("", line, width))
    lines = _noticed(s)
    weights = [severity_of(line) for line in lines]
    most = max(_MOST_LINES, sum(weight is not Severity.INFO for weight in weights))
    for line in lines[:most]:
        style = "yellow" if line.startswith("warning") else ""
        console.print(Text(hanging("- ", line, width), style))
    if len(lines) > most:
        console.print(f"... {len(lines) - most} more on the tear sheet")
    for page in ("tearsheet.html", "chart.html"):
        console.print(Text(f"{result.folder / page}"))


def _unusual_year(summary: Mapping[str, Any]) -> str:
    """Return by how many sessions a year figures are annualised, "" near the usual 252."""
    year = float(summary.get("sessions_per_year", 252))
    return "" if abs(year - 252.0) <= _USUAL_YEARS else f", {year:.0f} sessions a year"


def _noticed(summary: Mapping[str, Any]) -> list[str]:
    """Return what a run reports: warnings, assumptions, its own remarks, then notes on the data."""
    from hpi_bt.errors import Note
    from hpi_bt.sources.chain_importance import by_importance

    known = {note: note for note in map(Note.from_dict, summary.get("diagnostics", ()))}
    return by_importance(known.get(n, n) for n in (*summary["remarks"], *summary["notes"]))


def hanging(head: str, text: str, width: int) -> str:
    """Return `head` and `text`, further lines of which stand beneath its first."""
    import textwrap

    lines = textwrap.wrap(text, max(width - len(head), 20), break_long_words=False)
    return (head + f"\n{'':<{len(head)}}".join(lines)).rstrip()


def show_table(head: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print a heading and name, text pairs in two columns; nothing where there are none."""
    if rows:
        width = max(len(name) for name, _ in rows)
        print(head, *(f"  {name:<{width}}  {about}".rstrip() for name, about in rows), sep="\n")


_SHORT = {
    "total_return": "return", "max_drawdown": "drawdown", "win_rate": "won",
    "out_of_sample_sharpe": "out_sharpe", "out_of_sample_return": "out_return",
    "in_sample": "in_sample", "in_sample_trades": "trades", "out_of_sample_rank": "out_rank",
    "most_frequent": "mostly",
}  # fmt: skip


def show_frame(table: pd.DataFrame, formats: Mapping[str, str]) -> None:
    """Print a table in aligned columns, formatted by name; never cut, however wide."""
    columns = []
    for name in table.columns:
        cells = [_cell(v, formats.get(str(name))) for v in table[name].tolist()]
        head = _SHORT.get(str(name), str(name).removeprefix("orders."))
        width = max(len(head), *map(len, cells)) if cells else len(head)
        columns.append([f"{text:>{width}}" for text in (head, *cells)])
    for row in zip(*columns, strict=True):
        print("  ".join(row))


def _cell(value: Any, form: str | None) -> str:
    if value is None or (isinstance(value, float) and isnan(value)):
        return "n/a"
    if isinstance(value, float) and value == inf:
        return "never lost"
    if form is None:
        return str(value)
    text = form.format(value)
    return text if isinstance(value, str) else text.replace("-", "\N{MINUS SIGN}")
