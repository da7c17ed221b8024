"""The command `gauge`: the Hedge Pressure Gauge of a day, in words and as a page."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpi_bt.cli.options import CacheDir, DataDir, Offline
from hpi_bt.cli.screen import Stages, hanging

if TYPE_CHECKING:
    from rich.console import Console

    from hpi_bt.report.gauged import GaugeReport

_BANDS = {"low": "green", "moderate": "yellow", "elevated": "dark_orange", "high": "red"}
_HEADS = ("", "Value", "Score", "5 days", "Weight", "Reliability", "Data of", "")


def gauge_command(
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="A config with a feature of kind gauge."),
    ] = None,
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="As it was after that day's close."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; default: results/gauge-DATE.html.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every figure as JSON; a page only with --out.")
    ] = False,
) -> None:
    """Show the Hedge Pressure Gauge: score, band, trend, components, record, and one page.

    Its inputs are the files of CONFIG, else those of --data-dir, else the cache that `hpi-bt fetch
    gauge` fills (brought up to date first, unless --offline or --as-of).
    """
    from dataclasses import replace

    from hpi_bt.gauging import check_page, gauge_report
    from hpi_bt.report.gauge import write_gauge

    folder = Path("results")
    if out is None and not as_json:
        check_page(folder / "gauge.html")
    with Stages(quiet=as_json) as stage:
        report = gauge_report(
            config,
            as_of=as_of.date() if as_of else None,
            out=out,
            data_dir=data_dir,
            cache_dir=cache_dir,
            offline=offline,
            stage=stage,
        )
        if out is None and not as_json:
            page = folder / f"gauge-{report.latest.row:%Y-%m-%d}.html"
            report = replace(report, page=page)
            write_gauge(report)
    if as_json:
        from hpi_bt.backtest.strict_json import json_safe

        print(json.dumps(json_safe(report.as_dict()), indent=2, allow_nan=False))
    else:
        _show(report)


def _show(report: GaugeReport) -> None:
    from rich.console import Console
    from rich.text import Text

    from hpi_bt.report.gauge_words import signed

    console = Console(highlight=False, soft_wrap=True)
    width, latest = min(console.width, 120), report.latest
    console.print(
        Text(f"Hedge Pressure Gauge for {report.session:%A %Y-%m-%d}", "bold"),
        Text(f", from closes through {latest.row:%Y-%m-%d}", "dim"),
        sep="",
    )
    colour, of = _BANDS[latest.band], len(latest.components)
    used = int(latest.components["score"].notna().sum())
    console.print(
        Text(f"{report.score}", f"bold {colour}"),
        Text(f"{latest.band}", colour),
        Text(f"({latest.smoothed:.1f})  {signed(report.change)} in five sessions"),
        Text(f"  rests on {used} of {of} components", "bold yellow") if 2 * used < of else "",
    )
    console.print(Text(hanging("", report.sentence, width)), "", sep="\n")
    _components(console, report)
    console.print(Text(hanging("", report.weighting, width), "dim"), "", sep="\n")
    for line in report.record:
        console.print(Text(hanging("- ", line, width)))
    first, *stale = report.freshness
    console.print(Text(hanging("- ", first, width)))
    for line in stale:
        console.print(Text(hanging("- stale: ", line, width), "yellow"))
    for fault in report.inputs.faults:
        console.print(Text(hanging("- ", fault, width), "yellow"))
    for note in report.inputs.notes:
        if not note.startswith("warning:") and note not in report.inputs.faults:  # shown above
            loud = note.startswith("not fetched:")
            console.print(Text(hanging("- ", note, width), "yellow" if loud else "dim"))
    console.print(Text(f"{report.page}"))


def _components(console: Console, report: GaugeReport) -> None:
    """Print one row for each component; those left out are dim."""
    from rich.text import Text

    from hpi_bt.report.gauge_words import day, shown, signed, titled

    table = report.latest.components
    rows = [
        [
            titled(str(name)), shown(str(name), one["value"]), _number(one["score"], 1),
            signed(one["score"] - one["score_before"], 1), _number(100.0 * one["share"], 0, " %"),
            _number(one["reliability"], 2), day(one["data_date"]),
            "" if one["state"] == "used" else str(one["state"]),
        ]
        for name, one in table.iterrows()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    for cells, style in [(_HEADS, "dim"), *((r, "dim" if r[2] == "–" else "") for r in rows)]:
        line = [f"{c:<{w}}" if i in (0, 7) else f"{c:>{w}}" for i, (c, w) in enumerate(
            zip(cells, widths, strict=True))]  # fmt: skip
        console.print(Text("  ".join(line).rstrip(), style))


def _number(value: float, digits: int, unit: str = "") -> str:
    return f"{value:.{digits}f}{unit}" if value == value else "–"  # noqa: PLR0124 - NaN
