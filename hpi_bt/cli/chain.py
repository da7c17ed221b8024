"""The command `chain`: everything about one option chain, as a table and as a page."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpi_bt.cli.options import DataDir, Results
from hpi_bt.cli.screen import hanging
from hpi_bt.errors import InputError, Wording, in_words, shortened

if TYPE_CHECKING:
    from rich.console import Console

    from hpi_bt.report.chain_result import ChainReport

_LONG_CALLS = "dealers_long_calls_short_puts"
_MOST_ROWS = 10
_MOST_LINES = 8  # of what there is to know; the page and --json have all
#: Options whose names are not those of the arguments they set.
_OPTIONS = {"range_pct": "range", "columns": "column", "futures": "future", "betas": "beta"}


def chain_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A chain: CBOE, Yahoo, CSV ...")],
    expiry: Annotated[
        list[str], typer.Option("--expiry", help="0dte, all, or a date (repeatable).")
    ] = ["all"],  # noqa: B006 - typer copies it
    positioning: Annotated[
        str,
        typer.Option(
            "--positioning",
            help=f"{_LONG_CALLS}, dealers_short_calls_long_puts, or a column of positions.",
        ),
    ] = _LONG_CALLS,
    mode: Annotated[
        str, typer.Option("--mode", help="canonical (open interest), flow_delta, live or volume.")
    ] = "canonical",
    vols: Annotated[
        str, typer.Option("--vols", help="quotes (each strike's own, where good), or smile.")
    ] = "quotes",
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Moment of the chain: '2023-09-14 15:45'.")
    ] = None,
    spot: Annotated[
        str | None, typer.Option("--spot", help="Price of the underlying, or parity.")
    ] = None,
    ssr: Annotated[
        float, typer.Option("--ssr", help="Skew-stickiness ratio; 1 is sticky strike.")
    ] = 1.5,
    coupling: Annotated[
        list[str], typer.Option("--coupling", help="k itself: 0.3, or DATE=0.3 (repeatable).")
    ] = [],  # noqa: B006 - typer copies it
    rate: Annotated[
        float | None, typer.Option("--rate", help="Rate, a decimal; by default the quotes' own.")
    ] = None,
    dividend: Annotated[
        float | None,
        typer.Option("--dividend", help="Yield, a decimal; by default the quotes' own."),
    ] = None,
    range_pct: Annotated[
        float, typer.Option("--range", help="How far prices reach from spot, in percent.")
    ] = 3.0,
    futures: Annotated[
        list[str], typer.Option("--future", help="A future's price: ES=4510 (repeatable).")
    ] = [],  # noqa: B006 - typer copies it
    betas: Annotated[
        list[str], typer.Option("--beta", help="Its beta on another index: NQ=1.2 (repeatable).")
    ] = [],  # noqa: B006 - typer copies it
    symbol: Annotated[str | None, typer.Option("--symbol", help="Underlying.")] = None,
    kind: Annotated[
        str,
        typer.Option("--kind", help="auto, cboe_csv, cboe_json, json, yahoo, tidy or profile."),
    ] = "auto",
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="Zone of stamps that name none.")
    ] = None,
    calendar: Annotated[str, typer.Option("--calendar", help="Exchange calendar.")] = "XNYS",
    expiry_at: Annotated[
        str | None, typer.Option("--expiry-at", help="Time of expiry, if not the close.")
    ] = None,
    multiplier: Annotated[
        float | None,
        typer.Option("--multiplier", help="Shares per unit of open interest; 100 by default."),
    ] = None,
    columns: Annotated[
        list[str], typer.Option("--column", help="OURS=THEIRS of a plain table (repeatable).")
    ] = [],  # noqa: B006 - typer copies it
    stamp_format: Annotated[
        str | None, typer.Option("--stamp-format", help="Layout of dates: %d/%m/%Y.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            help="coin_prices (times spot) or strike_thousandths (over 1,000): what is converted.",
        ),
    ] = None,
    gather: Annotated[
        float, typer.Option("--gather", help="Minutes within which stamps are one snapshot.")
    ] = 5.0,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page, or its folder; else the results.")
    ] = None,
    results: Results = Path("results"),
    data_dir: DataDir = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Write the page.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print every figure as JSON.")] = False,
) -> None:
    """Work out one option chain: exposures, levels, hedge impulse, charm, zones, smiles."""
    from hpi_bt.chains import chain_report

    asked: dict[str, Any] = dict(
        expiry=expiry[0] if len(expiry) == 1 else list(expiry), positioning=positioning,
        mode=mode, vols=vols, as_of=as_of, spot=_spot(spot), ssr=ssr, coupling=_coupling(coupling),
        rate=rate, dividend=dividend, range_pct=range_pct, symbol=symbol, kind=kind,
        timezone=timezone, calendar=calendar, expiry_at=expiry_at, multiplier=multiplier,
        columns=_pairs("--column", columns), data_dir=data_dir,
        stamp_format=stamp_format, unit=unit, gather=gather,
        futures=_numbers("--future", futures) or None, betas=_numbers("--beta", betas) or None,
        out=(out or results) if page else None,
    )  # fmt: skip
    try:
        made = chain_report(file, **asked)
    except InputError as error:
        raise error.in_words(_COMMAND) from None
    if as_json:
        print(json.dumps(made.summary, indent=2, allow_nan=False, ensure_ascii=False))
    else:
        _show(made)


def _spelled(name: str, value: str) -> str:
    """Return an argument as the option that sets it: --timezone America/New_York."""
    if name not in signature(chain_command).parameters and name not in _OPTIONS:
        return name
    option = f"--{_OPTIONS.get(name, name).replace('_', '-')}"
    given = value.replace(":", "=", 1) if name == "columns" else value
    return f"{option} {shlex.quote(given)}" if given else option


_COMMAND = Wording(_spelled)


def _spot(text: str | None) -> Any:
    """Return the price of the underlying: a number, "parity" or None."""
    if text is None or text == "parity":
        return text
    return _number("--spot", text, "a price, or parity")


def _coupling(texts: Sequence[str]) -> Any:
    """Return k for all expiries, or for those named, or None."""
    if len(texts) == 1 and "=" not in texts[0]:
        return _number("--coupling", texts[0], "a number such as 0.3, or DATE=0.3")
    return _numbers("--coupling", texts) or None


def _numbers(option: str, texts: Sequence[str]) -> dict[str, float]:
    return {name: _number(option, of, "a number") for name, of in _pairs(option, texts).items()}


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    wrong = [text for text in texts if not all(text.partition("=")[::2])]
    if wrong:
        raise InputError(f"{option} {wrong[0]}: write NAME=VALUE")
    return {text.partition("=")[0]: text.partition("=")[2] for text in texts}


def _number(option: str, text: str, wanted: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{option} {shortened(text)}: give {wanted}")
    return number


def _show(made: ChainReport) -> None:
    """Print the figures, zones, couplings and signs, then what to know."""
    from rich.console import Console
    from rich.text import Text

    from hpi_bt.report.chain import subtitle
    from hpi_bt.report.chain_words import assumptions, figure_rows, verdict

    console = Console(highlight=False, soft_wrap=True)
    width = min(console.width, 120)
    console.print(Text(f"{made.title} hedge flow", "bold"))
    if made.demo:
        console.print(Text(f"DEMO: {made.demo}", "bold yellow"))
    console.print(Text(hanging("", subtitle(made), width)))
    console.print()
    for line in verdict(made):
        console.print(Text(hanging("", line, width)))
    for name, rows in figure_rows(made):
        console.print(Text(f"\n{name}", "bold"))
        for what, figure, remark in rows:
            console.print(Text(f"{what:<34}{figure:>26}   {remark}".rstrip()))
    _tables(console, made)
    console.print(Text("\nWhat it rests on", "bold"))
    for what, how in assumptions(made):
        console.print(Text(hanging(f"{what:<17}", how, width)))
    _known(console, made, width)
    if made.page is not None:
        console.print(Text(f"{made.page}"))


def _known(console: Console, made: ChainReport, width: int) -> None:
    """Print what there is to know, faults of the data first and in yellow."""
    from rich.text import Text

    from hpi_bt.errors import Severity
    from hpi_bt.sources.chain_importance import by_importance, severity_of

    lines = by_importance((*made.flags, *made.notes))
    warnings = sum(severity_of(line) is Severity.WARNING for line in lines)
    most = max(_MOST_LINES, warnings)
    console.print()
    for number, line in enumerate(lines[:most]):
        style = "yellow" if number < warnings else ""
        console.print(Text(hanging("- ", in_words(line, _COMMAND), width), style))
    if len(lines) > most:
        where = "with --json" if made.page is None else "on the page, and with --json"
        console.print(Text(f"... {len(lines) - most} more ({where})"))


def _tables(console: Console, made: ChainReport) -> None:
    """Print zones, couplings per expiry and the figures under each assumption."""
    from hpi_bt.report.chain import expiry_rows, sign_rows, zone_rows
    from hpi_bt.report.chain_curves import future_columns

    futures = [n.removesuffix("_per_point") for n in future_columns(made.flow.cloud.hedge)]
    heads = ["Zones", "trade", "range", "centre", "from spot", "per 1 %", "strength"]
    heads += [*(f"{name} +1 pt" for name in futures), f"shares +{made.currency}1"]
    fields = ("kind", "trade", "range", "centre", "away", "impulse", "strength_text")
    rows = [[*(z[f] for f in fields), *z["hedge"], z["shares"]] for z in zone_rows(made)]
    _table(console, heads, rows or [["none on these prices"]], left=2)
    columns = ("name", "days", "s0", "skew", "ssr", "k", "k_atm", "ratio", "gex", "cex")
    heads = ["Coupling", "days", "vol", "b", "SSR", "k", "k atm", "k atm/vol", "GEX", "charm a day"]
    every = [[e[c] for c in columns] for e in expiry_rows(made)]
    _table(console, heads, every[:_MOST_ROWS])
    if len(every) > _MOST_ROWS:
        print(f"... {len(every) - _MOST_ROWS} later expiries (on the page, and with --json)")
    signs = sign_rows(made)
    heads = ["Dealers' sign", *(_sign(head) for head in signs["heads"])]
    _table(console, heads, [[name, *cells] for name, cells in signs["rows"]])


def _sign(head: dict[str, Any]) -> str:
    """Return a heading of the sign table: short words, a star at the one in use."""
    words = head["sign"].removeprefix("dealers ").partition(" (")[0]
    volume = ", volume" if head["mode"].startswith("the session's volume") else ""
    return f"{'* ' if head['chosen'] else ''}{words}{volume}"


def _table(console: Console, heads: list[str], rows: list[list[str]], *, left: int = 1) -> None:
    """Print rows in aligned columns, the first ones to the left."""
    from rich.text import Text

    widths = [max(len(row[i]) for row in (heads, *rows) if i < len(row)) for i in range(len(heads))]
    console.print()
    for row, style in ((heads, "bold"), *((row, "") for row in rows)):
        cells = [
            f"{text:<{w}}" if i < left else f"{text:>{w}}"
            for i, (text, w) in enumerate(zip(row, widths, strict=False))
        ]
        console.print(Text("  ".join(cells).rstrip(), style))
