"""The command line: arguments in, one function call, a short answer out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpi_bt.errors import InputError

if TYPE_CHECKING:
    from hpi_bt.backtest.result import Result

app = typer.Typer(
    help="Backtests on options and futures positioning, in Backtrader.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Make, show and describe configs.", no_args_is_help=True)
app.add_typer(config_app, name="config")

Overrides = Annotated[
    list[str],
    typer.Option("--set", "-s", help="Override a key: -s orders.stop.multiple=3 (repeatable)."),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the data files [env: HPI_BT_DATA].")
]
CacheDir = Annotated[Path | None, typer.Option("--cache-dir", help="Folder of downloaded data.")]
Results = Annotated[Path, typer.Option("--results", help="Where result folders appear.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use cached data only, no network.")]


def _version(wanted: bool) -> None:
    if wanted:
        from hpi_bt import __version__

        print(f"hpi-bt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Backtests on options and futures positioning, in Backtrader."""


@app.command()
def run(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG...", help="YAML configs.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    results: Results = Path("results"),
    offline: Offline = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead.")] = False,
) -> None:
    """Run backtests: a result folder, a tear sheet and a summary for each config."""
    from hpi_bt.runs import run as run_config

    failed = 0
    for config in configs:
        with _stages(quiet=as_json) as stage:
            try:
                result = run_config(
                    config,
                    overrides=overrides,
                    data_dir=data_dir,
                    cache_dir=cache_dir,
                    results=results,
                    offline=offline,
                    stage=stage,
                )
            except InputError as error:
                if len(configs) == 1:
                    raise
                _complain(error)
                failed += 1
                continue
        if as_json:
            print(json.dumps(result.summary, indent=2, allow_nan=False))
        else:
            _show(result)
    if failed:
        raise typer.Exit(2)


class _stages:  # noqa: N801 - used as a context manager alone
    """A progress bar on standard error that appears for whatever takes over two seconds."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not sys.stderr.isatty()

    def __enter__(self) -> Callable[[str, float], None]:
        from time import monotonic

        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar: Any = nullcontext()
        if self._quiet:
            return lambda _what, _share: None
        columns = (TextColumn("{task.description:<10}"), BarColumn(), TimeElapsedColumn())
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        task = progress.add_task("", total=1.0)
        self._bar, begun, shown = progress, monotonic(), False

        def stage(what: str, share: float) -> None:
            nonlocal shown
            if not shown and (monotonic() - begun > 2.0 or what in ("backtest", "report")):
                progress.start()
                shown = True
            progress.update(task, description=what, completed=share)

        return stage

    def __exit__(self, *_: object) -> None:
        if hasattr(self._bar, "stop"):
            self._bar.stop()


def _show(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    s = result.summary
    console = Console(highlight=False)
    title = f"{s['name']}: {s['strategy']} on {s['symbol']}"
    head = Text(title, style="bold")
    if s["demo"]:
        head.append(f"  DEMO: {s['demo']}", style="bold yellow")
    console.print(head)
    console.print(
        f"{s['first']} to {s['last']}, {s['bars']:,} bars, {s['sessions']} sessions, "
        f"engine {s['engine']}"
    )
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for left, right in zip(_figures(s)[::2], _figures(s)[1::2], strict=True):
        table.add_row(left[0], Text(left[1], justify="right"), right[0], Text(right[1]))
    console.print(table)
    for line in (*s["remarks"], *s["notes"]):
        warn = line.startswith("warning")
        console.print(Text(f"- {line}", style="yellow" if warn else ""))
    console.print(Text(f"{result.folder / 'tearsheet.html'}"), soft_wrap=True)


def _figures(s: dict[str, Any]) -> list[tuple[str, str]]:
    def percent(key: str) -> str:
        return "n/a" if s[key] is None else f"{s[key]:.2%}"

    def number(key: str) -> str:
        return "n/a" if s[key] is None else f"{s[key]:,.2f}"

    rejected = ", ".join(
        f"{s[key]} {word}"
        for key, word in (
            ("rejected", "rejected"), ("capped", "capped"), ("too_small", "too small"),
            ("vetoed", "vetoed"), ("entry_bar_breaches", "entry-bar breaches"),
            ("late_flat", "held past the close"),
        )
        if s.get(key) or key == "rejected"
    )  # fmt: skip
    opened = f" (+{s['open_trades']} open)" if s["open_trades"] else ""
    return [
        ("Return", percent("total_return")),
        ("Benchmark (buy and hold)", percent("benchmark_return")),
        ("CAGR", percent("cagr")),
        ("Benchmark Sharpe", number("benchmark_sharpe")),
        ("Sharpe (daily sessions)", number("sharpe")),
        ("Benchmark drawdown", percent("benchmark_max_drawdown")),
        ("Max drawdown", percent("max_drawdown")),
        ("Exposure", percent("exposure")),
        ("Trades", f"{s['trades']}{opened}"),
        ("Costs paid", f"{s['costs']:,.2f} ({s['slippage']:,.2f} of it slippage)"),
        ("Win rate", percent("win_rate")),
        ("Orders", rejected),
    ]


@app.command("list")
def list_shipped() -> None:
    """List the shipped configs and strategies, and finished runs in results/."""
    from hpi_bt.catalog import shipped_configs, shipped_strategies

    print("Configs (hpi-bt run NAME):")
    for name, about in shipped_configs():
        print(f"  {name:<40} {about}")
    print("Strategies (strategy.class in a config):")
    for name, about in shipped_strategies():
        print(f"  {name:<60} {about}")


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    from hpi_bt.config import Config

    print(json.dumps(Config.model_json_schema(by_alias=True), indent=2))


@config_app.command("show")
def config_show(config: str, overrides: Overrides = []) -> None:  # noqa: B006
    """Print a config with every default filled in."""
    from hpi_bt.config import resolved_yaml
    from hpi_bt.runs import read_config

    print(resolved_yaml(read_config(config, overrides)[0]), end="")


@config_app.command("new")
def config_new(
    path: Annotated[Path, typer.Argument(help="The config to write.")] = Path("my_run.yaml"),
    template: Annotated[str, typer.Option("--from", help="Shipped config to start from.")] = "demo",
) -> None:
    """Write a config and a strategy file that run, to edit."""
    from hpi_bt.catalog import new_config

    for written in new_config(path, template):
        print(f"wrote {written}")
    print(f"run it: hpi-bt run {path}")


def _complain(error: Exception) -> None:
    line = " ".join(str(error).split())
    print(f"hpi-bt: {line}", file=sys.stderr)


def main() -> None:
    """Run the command line; exit 0 ok, 1 run failed, 2 wrong input."""
    try:
        app()
    except InputError as error:
        _complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        print("hpi-bt: stopped; nothing was written", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # a user's strategy may raise anything
        _complain_run(error)
        sys.exit(1)


def _complain_run(error: Exception) -> None:
    """Say in one line what failed and where; HPI_BT_DEBUG=1 shows the whole traceback."""
    import os
    import traceback

    if os.environ.get("HPI_BT_DEBUG"):
        traceback.print_exception(error)
        return
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    where = f" ({Path(last.filename).name}, line {last.lineno})" if last else ""
    _complain(
        RuntimeError(
            f"the run failed: {type(error).__name__}: {error}{where}; "
            "HPI_BT_DEBUG=1 shows the traceback"
        )
    )


if __name__ == "__main__":
    main()
