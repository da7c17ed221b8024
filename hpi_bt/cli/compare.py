"""The command that puts runs side by side: `compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpi_bt.cli.options import CacheDir, DataDir, Offline, Results
from hpi_bt.cli.screen import Stages, hanging

if TYPE_CHECKING:
    from rich.console import Console

    from hpi_bt.report.compared import Comparison, Row


def compare_command(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Result folders; the first is the base.")
    ],
    results: Results = Path("results"),
    names: Annotated[
        list[str], typer.Option("--name", help="What to call a run (repeat, in their order).")
    ] = [],  # noqa: B006 - typer copies it
    without_filter: Annotated[
        bool, typer.Option("--without-filter", help="One run of a Confirmed strategy: unfiltered.")
    ] = False,
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    offline: Offline = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap.")] = 0,
    bootstrap: Annotated[int, typer.Option("--bootstrap", help="Draws of the bootstrap.")] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    """Compare runs on the sessions that they share: figures, Sharpe difference, parameters."""
    from hpi_bt.comparing import compare
    from hpi_bt.report.compared import tables

    with Stages(quiet=as_json) as stage:
        made = compare(
            runs, results=results, names=names or None, seed=seed, bootstrap=bootstrap,
            without_filter=without_filter, data_dir=data_dir, offline=offline,
            cache_dir=cache_dir, stage=stage,
        )  # fmt: skip
    if as_json:
        from hpi_bt.backtest.strict_json import json_safe

        shown = {"words": made.words, "warnings": made.warnings, **tables(made)}
        print(json.dumps(json_safe(shown), indent=2, allow_nan=False, ensure_ascii=False))
    else:
        _show(made)


def _show(made: Comparison) -> None:
    """Print the tables, then what they say."""
    from rich.console import Console
    from rich.text import Text

    from hpi_bt.report.compared import shown_rows
    from hpi_bt.report.verdicts import effect_rows

    console = Console(highlight=False, soft_wrap=True)
    width = min(console.width, 120)
    days = made.equity.index
    console.print(
        Text(f"{len(days):,} sessions in common, {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}", "bold")
    )
    if made.demo:
        console.print(Text(f"DEMO: {made.demo}", "bold yellow"))
    first, *others = made.names
    heads = ["", *made.names, *(f"{name} - {first}" for name in others)]
    windows = shown_rows(made)
    _table(console, heads, [[r.label, *r.shown, *_marked(r)] for r in windows["common"]])
    if windows["whole"]:
        console.print(Text("\nwhole runs", "bold"))
        rows = [[r.label, *r.shown, *_marked(r)] for r in windows["whole"]]
        _table(console, heads[: len(rows[0])], rows)
    if len(made.parameters):
        console.print(Text("\nparameters that differ", "bold"))
        told = [[str(key), *map(str, row)] for key, row in made.parameters.T.items()]
        _table(console, ["", *made.names], told)
    if made.filter_effect is not None and made.entries is not None and len(made.entries):
        console.print(Text("\naccepted and vetoed entries of the unfiltered run", "bold"))
        heads = ["", "accepted", "vetoed", "accepted made", "vetoed made", "difference"]
        heads += ["95 % interval", "p"]
        _table(console, heads, effect_rows(made.filter_effect))
    console.print()
    for line in made.words:
        console.print(Text(hanging("- ", line, width)))
    for line in made.warnings:
        console.print(Text(hanging("- warning: ", line, width), "yellow"))
    console.print(Text(f"{made.page}"))


def _marked(row: Row) -> list[str]:
    """Return the differences, better ones and worse ones marked."""
    return [f"{d} {m}".rstrip() for d, m in zip(row.differences, row.marks, strict=True)]


def _table(console: Console, heads: list[str], rows: list[list[str]]) -> None:
    """Print rows in aligned columns, the first to the left; names stay whole."""
    from rich.text import Text

    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    for row, style in ((heads, "dim"), *((row, "") for row in rows)):
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{text:>{w}}" for text, w in zip(row[1:], widths[1:], strict=True)]
        console.print(Text("  ".join(cells).rstrip(), style))
