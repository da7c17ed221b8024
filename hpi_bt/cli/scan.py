"""The command `scan`: the latest of every indicator of many configs, in colours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpi_bt.cli.options import CacheDir, DataDir, Engine, Offline, Overrides, Results
from hpi_bt.cli.screen import Stages, hanging

if TYPE_CHECKING:
    from hpi_bt.report.scan_rows import ScanRow
    from hpi_bt.scanning import Scan

_HEADS = ("Symbol", "Config", "Indicator", "Last bar", "Close", "Value", "Pos", "Last cross",
          "Last alert")  # fmt: skip
_RIGHT = ("Close", "Value", "Pos")
_SORTS = "symbol, config, indicator, time, close, value, position, cross or alert"


def scan_configs(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG...", help="YAML configs.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    results: Results = Path("results"),
    offline: Offline = False,
    engine: Engine = "auto",
    length: Annotated[
        int, typer.Option("--length", help="Bars in whose range a value's position is taken.")
    ] = 14,
    up_color: Annotated[
        str | None, typer.Option("--up-color", help="Of the top of the range; -1: no gradient.")
    ] = None,
    dn_color: Annotated[
        str | None, typer.Option("--dn-color", help="Of its bottom; -1: no gradient.")
    ] = None,
    grid_foreground_color: Annotated[
        str, typer.Option("--grid-foreground-color", help="Of the text on it; -1: no gradient.")
    ] = "#000000",
    sort: Annotated[str | None, typer.Option("--sort", help=f"By {_SORTS}.")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", help="Processes; more pay from some 60 configs on.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Show the latest of every indicator: value, place in its range, last cross and alert."""
    from hpi_bt.scanning import scan

    with Stages(quiet=as_json) as stage:
        found = scan(
            configs, overrides=overrides, data_dir=data_dir, cache_dir=cache_dir, results=results,
            offline=offline, engine=engine, length=length, up_color=up_color, dn_color=dn_color,
            grid_foreground_color=grid_foreground_color, sort=sort, jobs=jobs,
            count=lambda done, total: stage("scan", done / total),
        )  # fmt: skip
    if as_json:
        from hpi_bt.backtest.strict_json import json_safe

        print(json.dumps(json_safe(found.rows), indent=2, allow_nan=False, ensure_ascii=False))
    else:
        _show(found)
    if found.failed:
        raise typer.Exit(2)


def _show(found: Scan) -> None:
    """Print the rows in aligned columns, then warnings and the page."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    rows = [_cells(row) for row in found.rows]
    widths = [max(map(len, column)) for column in zip_longest(_HEADS, *rows, fillvalue="")]
    console.print(Text(_padded(_HEADS, widths).rstrip(), "dim"))
    for row, cells in zip(found.rows, rows, strict=True):
        if row.error:
            head = _padded(cells[:2], widths)
            console.print(Text(head), Text(row.error, "red"), sep="")
            continue
        line = Text(_padded(cells, widths).rstrip())
        if row.color:
            start = len(_padded(cells[:5], widths))
            line.stylize(f"{row.text_color} on {row.color}", start, start + widths[5])
        console.print(line)
    console.print()
    width = min(console.width, 120)
    for text in dict.fromkeys(f"{r.config}: {w}" for r in found.rows for w in r.warnings):
        console.print(Text(hanging("- ", text, width), "yellow"))
    console.print(Text(str(found.page)))


def _cells(row: ScanRow) -> list[str]:
    """Return the cells of a row; those before the error where there is one."""
    from hpi_bt.report.scan import figure, happened, moment

    if row.error:
        return [row.symbol or "–", row.config]
    demo = " DEMO" if row.demo else ""
    line = f" {row.line}" if row.line else ""
    position = "–" if isnan(row.position) else f"{row.position:.2f}"
    events = [" · ".join(filter(None, happened(last))) for last in (row.cross, row.alert)]
    return [
        f"{row.symbol}{demo}", row.config, f"{row.indicator}{line}",
        moment(row.time, daily=row.daily), figure(row.close), figure(row.value), position, *events,
    ]  # fmt: skip


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = zip(_HEADS, cells, widths, strict=False)
    padded = (f"{c:>{w}}" if head in _RIGHT else f"{c:<{w}}" for head, c, w in parts)
    return "".join(f"{part}  " for part in padded)
